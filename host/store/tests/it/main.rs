//! The store on a real folder: the contract of the ports, and everything that can happen to a folder.

#![allow(clippy::unwrap_used, reason = "a test that fails says where by panicking")]

mod access;
mod components;
mod damage;
mod deliveries;
mod device;
mod killed;
mod layout1;
mod lifecycle;
mod replies;

mod tools;

use async_trait::async_trait;
use lockstep_ports::Journal;
use lockstep_store::SledStore;
use lockstep_testkit::journal_contract;
use std::sync::Arc;
use tempfile::TempDir;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A store in a folder that goes away with it.
struct Subject {
    store: Arc<SledStore>,
    folder: TempDir,
}

impl Subject {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Arc::new(SledStore::open(folder.path()).unwrap()), folder }
    }
}

#[async_trait]
impl journal_contract::Subject for Subject {
    fn journal(&self) -> Arc<dyn Journal> {
        self.store.clone()
    }

    async fn reopen(&mut self) {
        self.store.close();
        self.store = Arc::new(SledStore::open(self.folder.path()).unwrap());
    }
}

mod contract {
    use super::Subject;

    lockstep_testkit::journal_contract_tests!(Subject::new());
}
