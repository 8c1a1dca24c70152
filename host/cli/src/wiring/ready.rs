use crate::standard;
use async_trait::async_trait;
use lockstep_ports::{ComponentService, Readiness};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Free space with which the host goes on: a segment of the store has as much.
const FREE_MIN: u64 = 64 << 20;

/// Looks whether work can be done.
pub(super) struct Ready {
    folder: PathBuf,
    components: Arc<dyn ComponentService>,
}

impl Ready {
    pub(super) fn new(folder: &Path, components: Arc<dyn ComponentService>) -> Self {
        Self { folder: folder.to_owned(), components }
    }
}

#[async_trait]
impl Readiness for Ready {
    async fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let folder = self.folder.clone();
        let disk = tokio::task::spawn_blocking(move || disk(&folder)).await;
        missing.extend(disk.unwrap_or_else(|_| Some("store: the disk cannot be looked at".to_owned())));
        if let Err(error) = standard::require(&*self.components).await {
            missing.push(format!("components: {error:#}"));
        }
        match self.components.kinds().await {
            Ok(kinds) if kinds.is_empty() => {
                missing.push("components: no step kind has an active component: activate one".to_owned());
            }
            Ok(_) => {}
            Err(error) => missing.push(format!("components: {error}")),
        }
        missing
    }
}

/// What keeps the data folder from being written.
pub(crate) fn disk(folder: &Path) -> Option<String> {
    let shown = folder.display();
    let free = rustix::fs::statvfs(folder).map(|disk| disk.f_bavail * disk.f_frsize);
    match free {
        Ok(free) if free < FREE_MIN => {
            return Some(format!("store: the disk of {shown} has {free} bytes left: free some space"));
        }
        Ok(_) => {}
        Err(error) => return Some(format!("store: {shown} cannot be looked at: {error}")),
    }
    let probe = folder.join("probe");
    let mut options = std::fs::OpenOptions::new();
    let written = options.write(true).create(true).truncate(true).mode(0o600).open(&probe);
    let written =
        written.and_then(|mut file| file.write_all(b"probe")).and_then(|()| std::fs::remove_file(&probe));
    written.err().map(|error| format!("store: {shown} cannot be written: {error}"))
}
