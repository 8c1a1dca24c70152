//! Opening and closing.

use crate::Subject;
use lockstep_ports::{ComponentStore, Journal, JournalError};
use lockstep_store::{OpenError, SledStore};
use lockstep_testkit::journal_contract::Subject as _;
use lockstep_testkit::samples::{commit, record, run_id};
use std::sync::Arc;

#[tokio::test]
async fn dropping_closes() {
    let folder = tempfile::tempdir().unwrap();
    for seq in 1..=20 {
        let store = SledStore::open(folder.path()).unwrap();
        assert_eq!(store.feed_end(), seq - 1);
        store.commit(commit(&run_id(1), seq)).await.unwrap();
    }
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let subject = Subject::new();
    subject.store.commit(commit(&run_id(1), 1)).await.unwrap();
    subject.store.close();
    subject.store.close();
    let committed = subject.store.commit(commit(&run_id(1), 2)).await;
    assert!(matches!(committed, Err(JournalError::Closed)), "{committed:?}");
    let read = subject.store.row(&run_id(1)).await;
    assert!(matches!(read, Err(JournalError::Closed)), "{read:?}");
    assert!(subject.store.list().await.is_err());
}

#[tokio::test]
async fn closing_waits_for_what_was_asked() {
    let mut subject = Subject::new();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 1..=100 {
        let store = Arc::clone(&subject.store);
        tasks.spawn(async move { (n, store.commit(commit(&run_id(n), 1)).await) });
    }
    tokio::task::yield_now().await;
    subject.reopen().await;
    for (n, outcome) in tasks.join_all().await {
        let stored = subject.store.records(&run_id(n), 1).await.unwrap();
        match outcome {
            Ok(_) => assert_eq!(stored, [record(&run_id(n), 1)]),
            Err(JournalError::Closed) => assert_eq!(stored, Vec::<Vec<u8>>::new()),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_folder_in_use_is_refused() {
    let subject = Subject::new();
    for _ in 0..2 {
        let second = SledStore::open(subject.folder.path());
        let Err(OpenError::InUse { path }) = second else { panic!("opened twice") };
        assert!(path.ends_with("journal"), "{path}");
    }
    subject.store.commit(commit(&run_id(1), 1)).await.unwrap();
}

#[test]
fn a_store_works_without_a_runtime_of_its_own() {
    // `futures` is not at hand: one poll loop on this thread is enough, since the committer is a thread.
    let subject = Subject::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let position = runtime.block_on(subject.store.commit(commit(&run_id(1), 1))).unwrap();
    assert_eq!(position, 1);
}

#[test]
fn a_path_that_cannot_be_a_folder_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let opened = SledStore::open(file.path().join("data"));
    assert!(matches!(opened, Err(OpenError::Io { .. })));
}
