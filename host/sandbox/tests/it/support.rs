use async_trait::async_trait;
use lockstep_ports::{ComponentStore, ComponentStoreError, Observer, RegistryChange, StepExecutor as _};
use lockstep_sandbox::{Allocation, Limits, OFFERED, Sandbox, SandboxOptions};
use lockstep_types::{
    Activation, AuditEntry, Change, ComponentInfo, Digest, DirSnapshot, Grant, Invocation, ItemStatus,
    JsonText, LogLevel, ObservationAnswer, ObservationRequest, ObserveFailure, Outcome, Registry, RunInfo,
    StepEvent, StepInfo, StepInput, Timestamp,
};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The component whose `config` says what it does.
pub(crate) fn probe() -> Vec<u8> {
    built("probe")
}

/// The component that is built for the first version of the contract.
pub(crate) fn first_probe() -> Vec<u8> {
    built("probe-0-1")
}

/// The component that asks WASI for everything.
pub(crate) fn probe_wasi() -> Vec<u8> {
    built("probe-wasi")
}

fn built(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/probes/{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask guests` first", path.display()))
}

/// A component from its text form.
pub(crate) fn from_text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Components that are there from the start; nothing else of the port is used here.
struct Shelf {
    components: HashMap<Digest, Vec<u8>>,
    dirs: Vec<DirSnapshot>,
}

#[async_trait]
impl ComponentStore for Shelf {
    async fn change(&self, _: Vec<RegistryChange>, _: AuditEntry) -> Result<(), ComponentStoreError> {
        Ok(())
    }

    async fn bytes(&self, digest: &Digest) -> Result<Option<Vec<u8>>, ComponentStoreError> {
        Ok(self.components.get(digest).cloned())
    }

    async fn info(&self, _: &Digest) -> Result<Option<ComponentInfo>, ComponentStoreError> {
        Ok(None)
    }

    async fn list(&self) -> Result<Vec<ComponentInfo>, ComponentStoreError> {
        Ok(Vec::new())
    }

    async fn registry(&self) -> Result<Registry, ComponentStoreError> {
        Ok(Registry::default())
    }

    async fn audit(&self, _: usize) -> Result<Vec<AuditEntry>, ComponentStoreError> {
        Ok(Vec::new())
    }

    async fn history(&self, _: &str) -> Result<Vec<Activation>, ComponentStoreError> {
        Ok(Vec::new())
    }

    async fn keep_dir(&self, snapshot: DirSnapshot) -> Result<Digest, ComponentStoreError> {
        Ok(snapshot.digest())
    }

    async fn dir(&self, digest: &Digest) -> Result<Option<DirSnapshot>, ComponentStoreError> {
        Ok(self.dirs.iter().find(|dir| dir.digest() == *digest).cloned())
    }

    async fn dirs(&self) -> Result<Vec<Digest>, ComponentStoreError> {
        Ok(self.dirs.iter().map(DirSnapshot::digest).collect())
    }

    async fn forget_dir(&self, _digest: &Digest) -> Result<(), ComponentStoreError> {
        Ok(())
    }
}

/// Folder for compiled code, shared by all tests: compiling is the slow part.
pub(crate) fn shared_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

pub(crate) fn options(limits: Limits) -> SandboxOptions {
    // Many sandboxes live at once in one test process; pools of all of them would be much address space.
    SandboxOptions { cache_dir: Some(shared_cache()), limits, allocation: Allocation::OnDemand }
}

/// A sandbox over the probe alone.
pub(crate) fn sandbox(options: SandboxOptions) -> Sandbox {
    sandbox_over([probe()], options)
}

/// A sandbox over these components.
pub(crate) fn sandbox_over(
    components: impl IntoIterator<Item = Vec<u8>>,
    options: SandboxOptions,
) -> Sandbox {
    sandbox_with_dirs(components, Vec::new(), options)
}

/// The same with directories that were granted.
pub(crate) fn sandbox_with_dirs(
    components: impl IntoIterator<Item = Vec<u8>>,
    dirs: Vec<DirSnapshot>,
    options: SandboxOptions,
) -> Sandbox {
    let components = components.into_iter().map(|bytes| (Digest::of(&bytes), bytes)).collect();
    Sandbox::new(Arc::new(Shelf { components, dirs }), options).unwrap()
}

/// A sandbox over nothing.
pub(crate) fn empty_sandbox(limits: Limits) -> Sandbox {
    sandbox_over([], options(limits))
}

/// An input for the probe; everything but its config is the same in every test.
pub(crate) fn input(config: &str) -> StepInput {
    StepInput {
        run: RunInfo {
            id: "run-1".to_owned(),
            item: "task-1".to_owned(),
            title: "Add a greeting".to_owned(),
            description: "It should greet.".to_owned(),
            change: Change {
                repository: "/srv/greeter".to_owned(),
                base_branch: "main".to_owned(),
                head_branch: "lockstep/run-1".to_owned(),
                head_commit: Some("c0ffee".to_owned()),
                pull_request: None,
            },
            facts: Vec::new(),
            outputs: Vec::new(),
            item_status: ItemStatus::InProgress,
            documents: Vec::new(),
            is_errand: false,
            initiator: "ann".to_owned(),
            now: Timestamp(1_767_603_600_000),
        },
        step: StepInfo {
            name: "probe".to_owned(),
            kind: "probe".to_owned(),
            role: "probe".to_owned(),
            config: JsonText::new(config).unwrap(),
            policy: JsonText::new("{}").unwrap(),
            attempt: 1,
            is_final: false,
            wired: Vec::new(),
        },
        decisions: Vec::new(),
        state: None,
        event: StepEvent::Started(None),
    }
}

/// Every capability there is.
pub(crate) fn everything() -> Grant {
    Grant { imports: OFFERED.map(str::to_owned).to_vec(), ..Grant::default() }
}

/// Knows nothing.
pub(crate) struct Nobody;

#[async_trait]
impl Observer for Nobody {
    async fn observe(&self, _: &ObservationRequest) -> ObservationAnswer {
        ObservationAnswer::Failed(ObserveFailure::NotConfigured)
    }
}

/// Calls the probe under `limits` with everything granted and nobody to ask.
pub(crate) async fn call(limits: Limits, config: &str) -> Invocation {
    let sandbox = sandbox(options(limits));
    sandbox.invoke(Digest::of(&probe()), &everything(), input(config), &Nobody).await
}

/// What came of a call and what it logged and asked, as text.
pub(crate) fn shown(invocation: &Invocation) -> String {
    let mut text = match &invocation.outcome {
        Outcome::Transition(transition) => serde_json::to_string(&transition).unwrap(),
        Outcome::Fault(fault) => format!("{}: {}", fault.class, fault.message),
    };
    for observation in &invocation.observations {
        let _ = write!(text, "\nasked {}", observation.request.name());
    }
    for line in invocation.logs.iter().filter(|line| line.level != LogLevel::Debug) {
        let _ = write!(text, "\nlogged {:?}: {}", line.level, line.message);
    }
    text
}
