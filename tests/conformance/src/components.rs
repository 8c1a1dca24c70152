//! The standard components as `cargo xtask guests` built them, run by the sandbox.

use lockstep_sandbox::{Sandbox, SandboxOptions};
use lockstep_simulator::{Kinds, MemoryComponents};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The standard components and the sandbox that calls them.
pub struct Components {
    /// Calls them.
    pub sandbox: Sandbox,
    /// Every kind, with the grant its component asks for.
    pub kinds: Kinds,
}

/// Why the components cannot be used.
type Error = Box<dyn std::error::Error + Send + Sync>;

impl Components {
    /// Loads every component of the workspace's `target/components`.
    ///
    /// # Errors
    /// Says which file is missing or unusable.
    pub async fn load() -> Result<Self, Error> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
        let store = Arc::new(MemoryComponents::default());
        let cache_dir = Some(target.join("conformance/compiled"));
        let options = SandboxOptions { cache_dir, ..SandboxOptions::default() };
        let sandbox = Sandbox::new(Arc::clone(&store) as _, options)?;
        let mut kinds = Kinds::default();
        for path in wasm_files(&target.join("components"))? {
            let name = path.display().to_string();
            store.add(&sandbox, &mut kinds, None, &name, std::fs::read(&path)?).await?;
        }
        Ok(Self { sandbox, kinds })
    }
}

fn wasm_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let missing = |error: String| {
        format!("{}: {error}; build the components with `cargo xtask guests`", folder.display())
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| missing(error.to_string()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(missing("no components".to_owned()).into());
    }
    Ok(files)
}
