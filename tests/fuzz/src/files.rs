use lockstep_conformance::Components;
use lockstep_runtime::pipeline_file::{Kinds, read, read_commands, stored_steps};
use lockstep_runtime::signature::{PrivateKey, read_public, read_signature, write_signature};
use lockstep_simulator::{Scenario, simulate};
use lockstep_types::{Access, Descriptor, JsonText};
use std::sync::OnceLock;
use tokio::runtime::Runtime;

/// Lines of one refusal: a person reads the first few.
const REFUSAL_LINES_MAX: usize = 200;

/// Two kinds, one with a schema that takes anything.
pub(crate) struct TwoKinds(Vec<Descriptor>);

pub(crate) fn descriptor(kind: &str) -> Descriptor {
    Descriptor {
        kind: kind.to_owned(),
        version: "1".to_owned(),
        state_version: 1,
        summary: String::new(),
        config_schema: JsonText::null(),
        jobs: vec!["{role}".to_owned()],
        effects: vec!["merge".to_owned()],
        access: Access::Write,
        documents: Vec::new(),
        grades: Vec::new(),
        needs: Vec::new(),
    }
}

impl Kinds for TwoKinds {
    fn names(&self) -> Vec<String> {
        self.0.iter().map(|descriptor| descriptor.kind.clone()).collect()
    }

    fn descriptor(&self, kind: &str) -> Option<&Descriptor> {
        self.0.iter().find(|descriptor| descriptor.kind == kind)
    }

    fn config_problems(&self, _: &str, config: &serde_json::Value) -> Vec<(String, String)> {
        let keys = config.as_object().into_iter().flat_map(serde_json::Map::keys);
        keys.filter(|key| *key != "good").map(|key| (format!("/{key}"), "is not wanted".to_owned())).collect()
    }
}

fn refusal(error: &impl ToString) {
    let text = error.to_string();
    assert!(!text.trim().is_empty(), "a refusal says why");
    assert!(text.lines().count() <= REFUSAL_LINES_MAX, "a refusal is short: {text}");
}

/// A pipeline file, and the steps a board stores of it.
pub(crate) fn pipeline(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let kinds = TwoKinds(vec![descriptor("agent"), descriptor("ci-gate")]);
    match read(text, "pipeline.toml", &kinds) {
        Ok(pipeline) => {
            let stored = serde_json::to_vec(&pipeline).expect("a pipeline has a JSON form");
            let again = serde_json::from_slice(&stored).expect("what was written is read");
            assert_eq!(pipeline, again);
            for (at, step) in pipeline.steps.iter().enumerate() {
                assert!(step.needs.iter().all(|need| *need < at), "steps stand after what they need");
            }
        }
        Err(error) => refusal(&error),
    }
    if let Err(error) = stored_steps(text, "pipeline.toml") {
        refusal(&error);
    }
}

/// A file of commands.
pub(crate) fn commands(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = read_commands(text, "commands.toml") {
        refusal(&error);
    }
}

/// A capsule: what can be read is written to what is read as the same.
pub(crate) fn capsule(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match lockstep_cli::reading::capsule(text) {
        Ok(capsule) => {
            let written = lockstep_cli::reading::write_capsule(&capsule);
            let again = lockstep_cli::reading::capsule(&written).expect("what was written is read");
            assert_eq!(capsule, again, "{written}");
        }
        Err(error) => refusal(&error),
    }
}

/// A table of cases; the first byte says in which of its two forms.
pub(crate) fn cases(data: &[u8]) {
    let Some((form, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Err(error) = lockstep_cli::reading::cases(text, form % 2 == 0, &descriptor("agent")) {
        refusal(&error);
    }
}

/// Signature files and keys.
pub(crate) fn signature(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(signature) = read_signature(text) {
        let again = read_signature(&write_signature(&signature)).expect("what was written is read");
        assert_eq!(signature, again);
    }
    read_public(text).map(drop).unwrap_or_default();
    PrivateKey::read(text).map(drop).unwrap_or_default();
}

/// A scenario, simulated with the real components.
pub(crate) fn scenario(data: &[u8]) {
    static WORLD: OnceLock<(Runtime, Components)> = OnceLock::new();
    let (runtime, components) = WORLD.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let components = runtime.block_on(Components::load()).expect("the components are built");
        (runtime, components)
    });
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Scenario::read(text) {
        Ok(scenario) => {
            let simulated = simulate(&scenario, &components.kinds, &components.sandbox, None);
            if let Err(error) = runtime.block_on(simulated) {
                refusal(&error);
            }
        }
        Err(error) => refusal(&error),
    }
}
