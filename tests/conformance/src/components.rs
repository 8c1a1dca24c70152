//! The standard components as `cargo xtask guests` built them, run by the sandbox.

use crate::RunError;
use lockstep_ports::{ComponentStore as _, StepExecutor as _};
use lockstep_sandbox::{Sandbox, SandboxOptions};
use lockstep_testkit::MemComponents;
use lockstep_types::{ComponentInfo, Descriptor, Digest, Grant, Pin, Timestamp};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The standard components and the sandbox that calls them.
pub struct Components {
    /// Calls them.
    pub sandbox: Sandbox,
    pins: BTreeMap<String, Pin>,
}

impl Components {
    /// Loads every component of the workspace's `target/components`.
    ///
    /// # Errors
    /// `Broken` says which file is missing or unusable.
    pub async fn load() -> Result<Self, RunError> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
        let store = Arc::new(MemComponents::new());
        let cache_dir = Some(target.join("conformance/compiled"));
        let options = SandboxOptions { cache_dir, ..SandboxOptions::default() };
        let sandbox = Sandbox::new(store.clone(), options).map_err(broken)?;
        let mut pins = BTreeMap::new();
        for path in wasm_files(&target.join("components"))? {
            let bytes = std::fs::read(&path).map_err(broken)?;
            let inspected = sandbox
                .inspect(&bytes)
                .await
                .map_err(|error| RunError::Broken(format!("{}: {error}", path.display())))?;
            let (descriptor, imports) = (inspected.descriptor, inspected.imports);
            let info = ComponentInfo {
                digest: inspected.digest,
                size: bytes.len() as u64,
                imports: imports.clone(),
                descriptor: descriptor.clone(),
                added_at: Timestamp(0),
            };
            store.put(info, bytes).await.map_err(broken)?;
            pins.insert(descriptor.kind.clone(), pin(inspected.digest, imports, descriptor));
        }
        Ok(Self { sandbox, pins })
    }

    /// Pins of all kinds, each with the grant its component asks for.
    #[must_use]
    pub fn pins(&self) -> &BTreeMap<String, Pin> {
        &self.pins
    }
}

fn pin(digest: Digest, imports: Vec<String>, descriptor: Descriptor) -> Pin {
    let grant = Grant { imports, jobs: descriptor.jobs, effects: descriptor.effects };
    Pin { digest, grant, access: descriptor.access }
}

fn wasm_files(folder: &Path) -> Result<Vec<PathBuf>, RunError> {
    let missing = |error| {
        RunError::Broken(format!(
            "{}: {error}; build the components with `cargo xtask guests`",
            folder.display()
        ))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(missing)? {
        let path = entry.map_err(broken)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(missing(std::io::Error::from(std::io::ErrorKind::NotFound)));
    }
    Ok(files)
}

fn broken(error: impl std::fmt::Display) -> RunError {
    RunError::Broken(error.to_string())
}
