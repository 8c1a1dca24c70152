use crate::convert::answer_bytes;
use crate::limits::Limits;
use crate::log_book::LogBook;
use crate::mailbox::Mailbox;
use crate::wasi::{Scene, Wasi};
use lockstep_types::{
    FailureClass, LogLine, Observation, ObservationAnswer, ObservationRequest, ObserveFailure,
};
use std::sync::Arc;
use wasmtime::ResourceLimiter;

/// A limit a component went over. It ends the call.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Breach {
    #[error("it wanted {wanted} bytes of memory, more than the {limit} allowed")]
    Memory { wanted: usize, limit: usize },
    #[error("it wanted {wanted} table elements, more than the {limit} allowed")]
    TableElements { wanted: usize, limit: usize },
    #[error("this machine has no memory left to give it: {reason}")]
    Machine { reason: String },
    #[error("it asked the host more than the {limit} times allowed, last for {last}")]
    HostCalls { limit: usize, last: &'static str },
    #[error("it asked for {name} while describing itself, where nothing may be asked")]
    AskedWhileDescribing { name: &'static str },
    #[error("it asked with a path or id of {bytes} bytes, more than the {limit} allowed")]
    LongPath { bytes: usize, limit: usize },
    #[error("history.attempts has no answer: {reason}")]
    NoAttempts { reason: String },
    #[error("it logged more than the {limit} lines allowed")]
    LogLines { limit: usize },
    #[error("it logged more than the {limit} bytes allowed")]
    LogBytes { limit: usize },
    #[error("it had the host hand it more than the {limit} bytes of files and random numbers allowed")]
    WasiBytes { limit: usize },
}

impl Breach {
    pub(crate) fn class(&self) -> FailureClass {
        match self {
            Self::Memory { .. } | Self::TableElements { .. } | Self::Machine { .. } => {
                FailureClass::OutOfMemory
            }
            Self::HostCalls { .. }
            | Self::AskedWhileDescribing { .. }
            | Self::LongPath { .. }
            | Self::WasiBytes { .. } => FailureClass::TooManyHostCalls,
            Self::NoAttempts { .. } => FailureClass::Trapped,
            Self::LogLines { .. } | Self::LogBytes { .. } => FailureClass::TooMuchOutput,
        }
    }
}

/// What a call leaves behind beside its outcome.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) observations: Vec<Observation>,
    pub(crate) logs: Vec<LogLine>,
    /// Most bytes all linear memories had together.
    pub(crate) peak_memory: usize,
}

/// The data of a wasmtime store: one call.
pub(crate) struct HostState {
    limits: Arc<Limits>,
    mailbox: Arc<Mailbox>,
    /// Most bytes all linear memories had together.
    peak_memory: usize,
    answered_bytes: usize,
    logs: LogBook,
    /// Set for components that import WASI.
    pub(crate) wasi: Option<Box<Wasi>>,
    memory_bytes: usize,
    table_elements: usize,
    /// The progress there was when the guard last asked.
    guarded: u64,
}

impl HostState {
    pub(crate) fn new(limits: Arc<Limits>, mailbox: Arc<Mailbox>, scene: Option<Scene>) -> Self {
        let logs = LogBook::new(&limits);
        let wasi = scene.map(|scene| Box::new(Wasi::new(scene, &limits, &logs)));
        Self {
            limits,
            wasi,
            logs,
            mailbox,
            peak_memory: 0,
            answered_bytes: 0,
            memory_bytes: 0,
            table_elements: 0,
            guarded: 0,
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn into_record(self) -> Record {
        Record {
            observations: self.mailbox.take_told(),
            logs: self.logs.into_lines(),
            peak_memory: self.peak_memory,
        }
    }

    /// Whether the call observed anything or used up a slice of its fuel since this was last asked.
    pub(crate) fn progressed_since_last_asked(&mut self) -> bool {
        let before = std::mem::replace(&mut self.guarded, self.mailbox.progress());
        self.guarded > before
    }

    /// The lines of this call.
    pub(crate) fn logs(&self) -> &LogBook {
        &self.logs
    }

    /// Bounds a text a component asks with: a path, an id.
    pub(crate) fn check_length(&self, text: &str) -> Result<(), wasmtime::Error> {
        let (bytes, limit) = (text.len(), self.limits.path_bytes);
        if bytes > limit {
            return Err(Breach::LongPath { bytes, limit }.into());
        }
        Ok(())
    }

    /// Asks the observer and records what the component is told. An answer of another kind, or more than may be told,
    /// is told as failed: it is the record that a replay answers from, so it must hold what the component saw.
    pub(crate) async fn observe(
        &mut self,
        request: ObservationRequest,
    ) -> Result<ObservationAnswer, wasmtime::Error> {
        let name = request.name();
        if self.mailbox.is_closed() {
            return Err(Breach::AskedWhileDescribing { name }.into());
        }
        if self.mailbox.told() >= self.limits.host_calls {
            return Err(Breach::HostCalls { limit: self.limits.host_calls, last: name }.into());
        }
        let mut answer = self.mailbox.ask(request.clone()).await;
        if !belongs(&request, &answer) {
            answer = failed(format!("the host gave {name} an answer of another kind"));
        }
        let total = self.answered_bytes + answer_bytes(&answer);
        if total > self.limits.answer_bytes {
            let limit = self.limits.answer_bytes;
            answer = failed(format!(
                "with this answer the host would have told {total} bytes, more than the {limit} allowed in one call"
            ));
        } else {
            self.answered_bytes = total;
        }
        self.mailbox.keep(Observation { request, answer: answer.clone() });
        Ok(answer)
    }
}

fn failed(reason: String) -> ObservationAnswer {
    ObservationAnswer::Failed(ObserveFailure::Failed(reason))
}

fn belongs(request: &ObservationRequest, answer: &ObservationAnswer) -> bool {
    match answer {
        ObservationAnswer::Checks(_) => matches!(request, ObservationRequest::Checks),
        ObservationAnswer::Mergeability(_) => matches!(request, ObservationRequest::Mergeability),
        ObservationAnswer::ChangedFiles(_) => matches!(request, ObservationRequest::ChangedFiles),
        ObservationAnswer::ReadFile(_) => matches!(request, ObservationRequest::ReadFile { .. }),
        ObservationAnswer::Diff(_) => matches!(request, ObservationRequest::Diff { .. }),
        ObservationAnswer::Attempts(_) => matches!(request, ObservationRequest::Attempts),
        ObservationAnswer::ReleaseHealth(_) => matches!(request, ObservationRequest::ReleaseHealth { .. }),
        ObservationAnswer::Evidence(_) => matches!(request, ObservationRequest::Evidence { .. }),
        ObservationAnswer::Environment(_) => matches!(request, ObservationRequest::Environment { .. }),
        ObservationAnswer::Failed(_) => true,
    }
}

/// Memory and tables are counted over the whole call, whatever part of the component grows them.
impl ResourceLimiter for HostState {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        let limit = self.limits.memory_bytes;
        if wanted > limit {
            return Err(Breach::Memory { wanted, limit }.into());
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false); // the component's own maximum
        }
        self.memory_bytes = wanted;
        self.peak_memory = self.peak_memory.max(wanted);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // Whether the machine has memory to spare must not decide what a component does next.
        Err(Breach::Machine { reason: error.to_string() }.into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.table_elements.saturating_add(desired.saturating_sub(current));
        let limit = self.limits.table_elements;
        if wanted > limit {
            return Err(Breach::TableElements { wanted, limit }.into());
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = wanted;
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Breach::Machine { reason: error.to_string() }.into())
    }

    fn instances(&self) -> usize {
        self.limits.core_instances
    }

    fn tables(&self) -> usize {
        self.limits.tables
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }
}
