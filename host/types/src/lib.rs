//! The vocabulary of Lockstep: plain data shared by every room, and the stored format of the journal.
//!
//! Nothing here does I/O, reads a clock or decides anything. Whatever derives `Serialize` may be found in a data
//! folder written by an earlier version: fields are added with a default, never renamed or reused.
#![warn(missing_docs)]

mod access;
pub mod board;
mod capsule;
pub mod capsule_text;
mod change;
mod component;
mod credential;
mod dir_snapshot;
mod event;
mod failure;
mod ids;
mod input;
mod invocation;
mod job;
mod journal;
mod json;
mod observation;
mod pipeline;
mod question;
mod registry;
mod rejected;
mod repin;
#[cfg(feature = "schema")]
mod schema;
mod step;
mod time;
mod view;

pub use access::{AuditEnd, AuditOutcome, AuditRecord, Role, SessionOf, SessionRow, TokenRow};
pub use capsule::{CAPSULE_VERSION, Capsule};
pub use change::{Change, ItemLevel, ItemStatus, PullRequest};
pub use component::{Access, Activation, ComponentInfo, Descriptor, DirGrant, Grading, Grant, Stop};
pub use credential::{CREDENTIAL_NAME_MAX, credential_variable, is_credential_name};
pub use dir_snapshot::{DirSnapshot, DirSnapshotError};
pub use event::{Errand, Event, Held, ItemContext, Pin, RunSpec, StepIx};
pub use failure::{Failure, FailureClass};
pub use ids::{Digest, EffectKey, Hasher, InvalidId, JobKey, NoticeId, QuestionId, RunId};
pub use input::{Admission, Answer, Input};
pub use invocation::{Fault, Invocation, LogLevel, LogLine, Outcome};
pub use job::{
    Effect, EffectOrder, EffectOutcome, JobContext, JobOrder, JobOutcome, JobProgress, JobQuestion,
    JobResult, MergeMethod, Subtask, SubtaskStatus, Usage,
};
pub use journal::{ChainError, RunRow, SCHEMA_VERSION, TurnRecord};
pub use json::{InvalidJson, JsonText};
pub use observation::{
    ChangedFile, Check, CheckReport, Environment, EnvironmentReport, EnvironmentStatus, Evidence, FileStatus,
    HealthReport, HealthStatus, MergeReport, Observation, ObservationAnswer, ObservationRequest,
    ObserveFailure, PastAttempt, Signal, SignalKind, SignalState, Verdict,
};
pub use pipeline::{
    CheckCommand, Command, Gating, JobCommand, OnMissingEstimate, Pinning, Pipeline, Policy, ProviderCommand,
    StepDef, ToleratedSeverity, credentials_of,
};
pub use question::{Notice, NoticeState, Question, QuestionKind, Severity};
pub use registry::{
    AuditAction, AuditEntry, Canary, CanaryTo, KindGrant, Registry, Signature, Trust, TrustPolicy, TrustedKey,
};
pub use rejected::Rejected;
pub use repin::{Migration, Repin, Repinned, RepinnedKind};
pub use step::{
    Artifact, Comment, Completion, Decision, Document, Fact, JobRequest, NewNotice, Next, Progress,
    ReworkOrder, ReworkRequest, RunInfo, StandIn, StepAction, StepAnswer, StepEvent, StepInfo, StepInput,
    StepOutput, Transition,
};
pub use time::Timestamp;
pub use view::{RunStatus, RunSummary, RunView, StepStatus, StepView, TimelineEntry, Waiting};
