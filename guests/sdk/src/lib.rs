//! Everything a step component in Rust needs: the contract as types, a trait to implement, builders for what a
//! step may answer, and a bench to test it on natively.
//!
//! A component is a pure function from an event to a transition. The SDK therefore offers no clock, no
//! randomness and no I/O, holds nothing between two calls, and decides nothing for the component.
//!
//! ```
//! use lockstep_sdk::{Call, Completion, Descriptor, Event, Host, Step, StepError, Transition};
//!
//! struct Greeter;
//!
//! #[derive(Default, serde::Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Config {
//!     name: String,
//! }
//!
//! impl Step for Greeter {
//!     type Config = Config;
//!     type State = ();
//!
//!     fn descriptor() -> Descriptor {
//!         Descriptor::new("greeter", env!("CARGO_PKG_VERSION"), "Says hello.")
//!     }
//!
//!     fn advance(
//!         call: &Call<Config>,
//!         state: (),
//!         _event: Event,
//!         _host: &impl Host,
//!     ) -> Result<Transition<()>, StepError> {
//!         let hello = format!("Hello, {}!", call.config.name);
//!         Ok(Transition::new(state, Completion::new().output(hello)))
//!     }
//! }
//!
//! lockstep_sdk::export_step!(Greeter);
//! # fn main() {}
//! ```

#![warn(missing_docs)]

#[allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::allow_attributes_without_reason,
    clippy::needless_pass_by_value,
    clippy::use_self,
    reason = "generated; the canonical ABI is raw memory"
)]
#[rustfmt::skip]
pub mod bindings;
mod ask;
mod build;
mod glue;
mod host;
mod job;
mod policy;
mod step;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod text;

pub use bindings::lockstep::step::types::{
    Access, Action, Answer, Artifact, Change, Comment, Completion, Decision, Descriptor, Document, Effect,
    EffectOutcome, EffectRequest, Event, Fact, Failure, FailureClass, Grading, ItemStatus, JobOutcome,
    JobQuestion, JobRequest, JobResult, JobSettled, MergeMethod, NewDocument, NewFact, Next, Notice,
    ObserveError, Progress, ProvisionRequest, PullRequest, Question, QuestionKind, Refusal, RefusalReason,
    ReworkOrder, ReworkRequest, RunInfo, Severity, StandIn, StepInfo, StepInput, StepOutput, Usage, Waiting,
};
pub use bindings::lockstep::step::{checks, environments, history, mergeability, release_health, workspace};
pub use build::{json_text, read_object};
pub use glue::{advance, describe, migrate};
pub use host::{Host, LogLevel, WasmHost};
pub use job::Detour;
pub use policy::{Policy, ToleratedSeverity};
pub use step::{Call, Step, StepError, Transition};

/// Exports a [`Step`] as the component this crate becomes. Used once, at the root of the crate.
#[macro_export]
macro_rules! export_step {
    ($step:ty) => {
        const _: () = {
            struct Exported;

            impl $crate::bindings::Guest for Exported {
                fn describe() -> $crate::Descriptor {
                    $crate::describe::<$step>()
                }

                fn advance(
                    input: $crate::StepInput,
                ) -> ::core::result::Result<$crate::bindings::Transition, ::std::string::String> {
                    $crate::advance::<$step>(input, &$crate::WasmHost)
                }

                fn migrate(
                    from_version: u32,
                    state: ::std::string::String,
                ) -> ::core::result::Result<::std::string::String, ::std::string::String> {
                    $crate::migrate::<$step>(from_version, &state)
                }
            }

            $crate::export_raw!(Exported);
        };
    };
}

/// Exports a type that implements [`bindings::Guest`] itself.
#[macro_export]
macro_rules! export_raw {
    ($guest:ident) => {
        #[allow(unsafe_code, reason = "the canonical ABI of the exports, generated")]
        const _: () = {
    $crate::bindings::export_world!($guest with_types_in $crate::bindings);
        };
    };
}
