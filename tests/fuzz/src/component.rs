use lockstep_ports::StepExecutor as _;
use lockstep_sandbox::{Allocation, Limits, Sandbox, SandboxOptions, resolve_in_dir};
use lockstep_simulator::MemoryComponents;
use lockstep_types::board::{ItemId, WorkspaceId};
use lockstep_types::{Digest, DirSnapshot, RunId};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Runtime;

pub(crate) fn sandbox(store: Arc<MemoryComponents>) -> Sandbox {
    // What a fuzzed component is allowed is little: a loop is to end soon.
    let limits = Limits { fuel: 10_000_000, ..Limits::default() };
    let options = SandboxOptions { cache_dir: None, limits, allocation: Allocation::OnDemand };
    Sandbox::new(store, options).expect("a sandbox")
}

pub(crate) fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime")
}

/// Bytes offered as a component: its text form is taken too, as that is how a mutation stays well-formed.
pub(crate) fn inspect(data: &[u8]) {
    static WORLD: OnceLock<(Runtime, Sandbox)> = OnceLock::new();
    let (runtime, sandbox) = WORLD.get_or_init(|| (runtime(), sandbox(Arc::default())));
    let bytes = match data.strip_prefix(b"(") {
        Some(_) => match std::str::from_utf8(data).ok().and_then(|text| wat::parse_str(text).ok()) {
            Some(bytes) => bytes,
            None => return,
        },
        None => data.to_vec(),
    };
    match runtime.block_on(sandbox.inspect(&bytes)) {
        Ok(inspected) => assert_eq!(inspected.digest, Digest::of(&bytes)),
        Err(error) => assert!(!error.to_string().trim().is_empty()),
    }
}

/// A stored directory, then on a line of its own each path that a component asks for in it, and ids as they stand in
/// paths of the API and keys of the store.
pub(crate) fn paths(data: &[u8]) {
    if let Ok(snapshot) = DirSnapshot::decode(data) {
        assert_eq!(snapshot.encode(), data);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut snapshot = DirSnapshot::default();
    for name in text.lines() {
        if snapshot.add(name, name.as_bytes().to_vec()).is_ok() {
            assert!(!name.starts_with('/') && name.split('/').all(|part| !matches!(part, "" | "." | "..")));
        }
        for plain in [
            name.parse::<RunId>().map(|id| id.to_string()),
            name.parse::<ItemId>().map(|id| id.to_string()),
            name.parse::<WorkspaceId>().map(|id| id.to_string()),
        ]
        .into_iter()
        .flatten()
        {
            assert_eq!(plain, name);
            assert!(!plain.contains(['/', '\\', '\0', '\n']) && plain != ".." && plain != ".", "{plain:?}");
        }
    }
    let decoded = DirSnapshot::decode(&snapshot.encode());
    assert_eq!(decoded.as_ref().map(DirSnapshot::files), Ok(snapshot.files()));
    for path in text.lines() {
        let Some(content) = resolve_in_dir(&snapshot, path) else { continue };
        // What is found is a file that was put there, and by walking the path as a person would.
        let mut names: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(names.pop().expect("a path never leaves its directory")),
                name => names.push(name),
            }
        }
        assert_eq!(snapshot.files().get(&names.join("/")), Some(&content), "{path:?}");
    }
}
