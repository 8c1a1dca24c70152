use super::Tree;
use crate::faults::fault;
use lockstep_ports::ComponentStore;
use lockstep_types::{Digest, DirGrant, FailureClass, Fault};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Directories kept in memory, each of at most [`lockstep_types::DirSnapshot::BYTES_MAX`].
const TREES_MAX: usize = 8;

/// Brings granted directories from the store into memory.
pub(crate) struct Trees {
    store: Arc<dyn ComponentStore>,
    /// The one used last at the end.
    loaded: Mutex<VecDeque<(Digest, Arc<Tree>)>>,
}

impl Trees {
    pub(crate) fn new(store: Arc<dyn ComponentStore>) -> Self {
        Self { store, loaded: Mutex::default() }
    }

    /// The directory of a grant, whole: without it a component must not be called, for it would see another world.
    pub(crate) async fn load(&self, grant: &DirGrant) -> Result<Arc<Tree>, Fault> {
        if let Some(tree) = self.loaded(&grant.digest) {
            return Ok(tree);
        }
        let unloadable = |why: &str| {
            let (path, digest) = (&grant.path, grant.digest.short());
            fault(FailureClass::Unloadable, &format!("the directory {digest} granted as {path} {why}"))
        };
        let missing = || unloadable("is not in the store: grant it again");
        let read = self.store.dir(&grant.digest).await;
        let snapshot = read.map_err(|error| unloadable(&format!("cannot be read: {error}")))?;
        let tree = Arc::new(Tree::new(grant.digest, snapshot.ok_or_else(missing)?));
        self.keep(grant.digest, &tree);
        Ok(tree)
    }

    fn loaded(&self, digest: &Digest) -> Option<Arc<Tree>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let at = loaded.iter().position(|(of, _)| of == digest)?;
        let (digest, tree) = loaded.remove(at)?;
        loaded.push_back((digest, Arc::clone(&tree)));
        Some(tree)
    }

    fn keep(&self, digest: Digest, tree: &Arc<Tree>) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.len() >= TREES_MAX {
            loaded.pop_front();
        }
        loaded.push_back((digest, Arc::clone(tree)));
    }
}
