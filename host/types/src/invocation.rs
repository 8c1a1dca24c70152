use crate::{Digest, FailureClass, Observation, StepInput, Transition};
use serde::{Deserialize, Serialize};

/// How serious a line of a component's log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// For whoever wrote the component.
    Debug,
    /// Worth knowing.
    Info,
    /// Not as it should be.
    Warn,
    /// Wrong.
    Error,
}

/// A line a component logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogLine {
    /// How serious.
    pub level: LogLevel,
    /// The line.
    pub message: String,
}

/// Why a component gave no transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fault {
    /// One of the component's own classes, `Trapped` to `Unloadable`.
    pub class: FailureClass,
    /// One line.
    pub message: String,
    /// The guest's backtrace, where it has names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
}

/// What a call of a component came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It answered.
    Transition(Box<Transition>),
    /// It did not.
    Fault(Fault),
}

/// One call of a component, complete enough to be made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Invocation {
    /// The component.
    pub digest: Digest,
    /// The engine configuration it ran under; fuel is comparable only under the same one.
    pub fingerprint: Digest,
    /// What it was given.
    pub input: StepInput,
    /// What it asked and was told, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observations: Vec<Observation>,
    /// What it logged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
    /// What came of it.
    pub outcome: Outcome,
    /// Fuel used.
    pub fuel: u64,
    /// Most bytes of linear memory held.
    pub peak_memory: u64,
}
