//! The component store.

use crate::Subject;
use lockstep_ports::{ComponentStore, ComponentStoreError};
use lockstep_testkit::journal_contract::Subject as _;
use lockstep_testkit::samples::{activation, component, descriptor};
use lockstep_types::{Digest, JsonText, Timestamp};
use std::fs;

#[tokio::test]
async fn a_component_is_kept_once_and_found_again() {
    let mut subject = Subject::new();
    let mut descriptor = descriptor("ci-gate", "1");
    // Larger than any page of the database takes in one piece.
    descriptor.config_schema = JsonText::of(&"s".repeat(200_000));
    let (info, bytes) = component(&descriptor);
    for added_at in [1, 2] {
        let mut again = info.clone();
        again.added_at = Timestamp(added_at);
        subject.store.put(again, bytes.clone()).await.unwrap();
    }
    subject.reopen().await;
    assert_eq!(subject.store.list().await.unwrap(), std::slice::from_ref(&info));
    assert_eq!(subject.store.info(&info.digest).await.unwrap(), Some(info.clone()));
    assert_eq!(subject.store.bytes(&info.digest).await.unwrap(), Some(bytes));
    assert_eq!(subject.store.info(&Digest::zero()).await.unwrap(), None);
    assert_eq!(subject.store.bytes(&Digest::zero()).await.unwrap(), None);
}

#[tokio::test]
async fn bytes_of_another_digest_are_not_kept() {
    let subject = Subject::new();
    let (info, _) = component(&descriptor("ci-gate", "1"));
    let refused = subject.store.put(info, b"other bytes".to_vec()).await;
    assert!(matches!(refused, Err(ComponentStoreError::Io { .. })), "{refused:?}");
    assert_eq!(subject.store.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_damaged_file_is_told_and_healed_by_adding_it_again() {
    let subject = Subject::new();
    let (info, bytes) = component(&descriptor("ci-gate", "1"));
    subject.store.put(info.clone(), bytes.clone()).await.unwrap();
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
        subject.store.put(info.clone(), bytes.clone()).await.unwrap();
        assert_eq!(subject.store.bytes(&info.digest).await.unwrap(), Some(bytes.clone()));
    }
}

#[tokio::test]
async fn pointers_move_and_remember() {
    let mut subject = Subject::new();
    let digests = [Digest::of(b"1"), Digest::of(b"2")];
    // A kind that is the beginning of another must not take its history.
    for at in 1..=12 {
        for kind in ["ci", "ci-gate"] {
            let digest = digests[usize::try_from(at % 2).unwrap()];
            subject.store.activate(activation(kind, digest, at)).await.unwrap();
        }
        if at == 6 {
            subject.reopen().await;
        }
    }
    let active = subject.store.active().await.unwrap();
    assert_eq!(active, [activation("ci", digests[0], 12), activation("ci-gate", digests[0], 12)]);
    let history = subject.store.history("ci").await.unwrap();
    assert_eq!(history.iter().map(|moved| moved.at.0).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    assert!(history.iter().all(|moved| moved.kind == "ci"));
    assert_eq!(subject.store.history("c").await.unwrap(), []);
}

#[tokio::test]
async fn unfinished_files_are_removed_at_the_next_start() {
    let mut subject = Subject::new();
    let unfinished = subject.folder.path().join("components").join("abc-0.tmp");
    fs::write(&unfinished, b"half").unwrap();
    subject.reopen().await;
    assert!(!unfinished.exists());
}
