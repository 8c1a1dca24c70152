//! The component store.

use crate::Subject;
use async_trait::async_trait;
use lockstep_ports::{ComponentStore, ComponentStoreError};
use lockstep_store::SledStore;
use lockstep_testkit::journal_contract::Subject as _;
use lockstep_testkit::registry_contract;
use lockstep_testkit::samples::{added, audited, component, descriptor};
use lockstep_types::{AuditAction, ComponentInfo};
use std::fs;
use std::sync::Arc;

#[async_trait]
impl registry_contract::Subject for Subject {
    fn components(&self) -> Arc<dyn ComponentStore> {
        Arc::<SledStore>::clone(&self.store)
    }

    async fn reopen(&mut self) {
        lockstep_testkit::journal_contract::Subject::reopen(self).await;
    }
}

lockstep_testkit::registry_contract_tests!(Subject::new());

async fn add(subject: &Subject, info: &ComponentInfo, bytes: &[u8]) {
    let change = added(info.clone(), bytes.to_vec());
    subject.store.change(vec![change], audited(AuditAction::Add, "it")).await.unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_told_and_healed_by_adding_it_again() {
    let subject = Subject::new();
    let (info, bytes) = component(&descriptor("ci-gate", "1"));
    add(&subject, &info, &bytes).await;
    let file = subject.folder.path().join("components").join(format!("{}.wasm", info.digest));
    let mut altered = bytes.clone();
    altered[0] ^= 1;
    for damage in [Some(altered), Some(Vec::new()), None] {
        match damage {
            Some(damaged) => fs::write(&file, damaged).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let read = subject.store.bytes(&info.digest).await;
        assert!(
            matches!(&read, Err(ComponentStoreError::Damaged { digest }) if *digest == info.digest),
            "{read:?}"
        );
        add(&subject, &info, &bytes).await;
        assert_eq!(subject.store.bytes(&info.digest).await.unwrap(), Some(bytes.clone()));
    }
}

#[tokio::test]
async fn unfinished_files_are_removed_at_the_next_start() {
    let mut subject = Subject::new();
    let unfinished = subject.folder.path().join("components").join("abc-0.tmp");
    fs::write(&unfinished, b"half").unwrap();
    subject.reopen().await;
    assert!(!unfinished.exists());
}
