//! Folders as crashes, failing disks and other versions leave them.

use crate::Subject;
use lockstep_ports::Journal;
use lockstep_store::{OpenError, SledStore};
use lockstep_testkit::journal_contract::Subject as _;
use lockstep_testkit::samples::{commit, record, row, run_id};
use lockstep_types::RunStatus;
use std::fs;
use std::path::{Path, PathBuf};

const RUNS: u64 = 40;
const RECORDS: u64 = 30;

/// A store with enough in it that pages were split, rewritten and moved, opened often enough to have a snapshot.
async fn filled() -> Subject {
    let mut subject = Subject::new();
    for seq in 1..=RECORDS {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 1..=RUNS {
            let store = subject.store.clone();
            let status = if seq == RECORDS && n % 2 == 0 { RunStatus::Done } else { RunStatus::Running };
            let mut commit = commit(&run_id(n), seq);
            commit.row = row(&run_id(n), seq, status);
            commit.record = [record(&run_id(n), seq), vec![b'x'; 4000]].concat();
            tasks.spawn(async move { store.commit(commit).await.unwrap() });
        }
        tasks.join_all().await;
        if seq % 10 == 0 {
            subject.reopen().await;
        }
    }
    subject.store.close();
    subject
}

async fn expect_everything(store: &SledStore) {
    assert_eq!(store.feed_end(), RUNS * RECORDS);
    let feed = [store.feed(0, 1000).await.unwrap(), store.feed(1000, 1000).await.unwrap()].concat();
    assert!(feed.iter().map(|entry| entry.position).eq(1..=RUNS * RECORDS));
    assert_eq!(store.live().await.unwrap(), (1..=RUNS).step_by(2).map(run_id).collect::<Vec<_>>());
    assert_eq!(store.rows(None, 100).await.unwrap().len(), usize::try_from(RUNS).unwrap());
    for n in 1..=RUNS {
        let records = store.records(&run_id(n), 1).await.unwrap();
        assert_eq!(records.len(), usize::try_from(RECORDS).unwrap());
        for (seq, stored) in (1..).zip(records) {
            assert!(stored.starts_with(&record(&run_id(n), seq)));
        }
    }
}

fn journal(subject: &Subject) -> PathBuf {
    subject.folder.path().join("journal")
}

fn snapshot(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut snapshots: Vec<_> =
        files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("snap.")).collect();
    snapshots.sort();
    snapshots.pop().expect("a store that was reopened has a snapshot")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

#[tokio::test]
async fn a_snapshot_that_is_empty_torn_or_missing_is_made_again() {
    let subject = filled().await;
    let path = snapshot(&journal(&subject));
    let whole = fs::read(&path).unwrap();
    for left in [0, 5, 12, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..left]).unwrap();
        let store = SledStore::open(subject.folder.path()).unwrap();
        expect_everything(&store).await;
        store.close();
        fs::remove_file(snapshot(&journal(&subject))).unwrap();
    }
    let store = SledStore::open(subject.folder.path()).unwrap();
    expect_everything(&store).await;
}

#[tokio::test]
async fn a_crash_while_a_snapshot_is_written_does_no_harm() {
    let subject = filled().await;
    let path = snapshot(&journal(&subject));
    let whole = fs::read(&path).unwrap();
    let unfinished = with_suffix(&path, ".generating");
    for left in [0, whole.len() / 2, whole.len()] {
        fs::write(&unfinished, &whole[..left]).unwrap();
        let store = SledStore::open(subject.folder.path()).unwrap();
        expect_everything(&store).await;
        store.close();
        assert!(!unfinished.exists());
    }
    // Written but not yet renamed, and the one before it already gone.
    let path = snapshot(&journal(&subject));
    fs::rename(&path, with_suffix(&path, ".generating")).unwrap();
    expect_everything(&SledStore::open(subject.folder.path()).unwrap()).await;
}

#[tokio::test]
async fn a_torn_configuration_is_made_again() {
    let subject = filled().await;
    let path = journal(&subject).join("conf");
    let whole = fs::read(&path).unwrap();
    for left in [0, 3, 20, whole.len() - 4, whole.len() - 1] {
        fs::write(&path, &whole[..left]).unwrap();
        let store = SledStore::open(subject.folder.path()).unwrap();
        expect_everything(&store).await;
        store.close();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[tokio::test]
async fn no_value_is_kept_where_it_would_not_be_flushed() {
    let subject = Subject::new();
    for seq in 1..=100 {
        // The largest that is kept in one piece, and now and then one that cannot be.
        let size = if seq % 25 == 0 { 1_000_000 } else { 6 * 1024 };
        let mut commit = commit(&run_id(1), seq);
        commit.record = vec![b'x'; size];
        commit.row.summary.title = "t".repeat(6 * 1024);
        subject.store.commit(commit).await.unwrap();
    }
    assert_eq!(fs::read_dir(journal(&subject).join("blobs")).unwrap().count(), 0);
}

/// Writes the version of the layout as another program would.
fn set_layout(subject: &Subject, value: Option<&[u8]>) {
    let db = sled::Config::new().path(journal(subject)).open().unwrap();
    match value {
        Some(value) => drop(db.insert("m/schema", value).unwrap()),
        None => drop(db.remove("m/schema").unwrap()),
    }
    db.flush().unwrap();
    drop(db);
    // sled lets go of its lock a moment after it is dropped.
    let file = fs::File::open(journal(subject).join("db")).unwrap();
    while file.try_lock().is_err() {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_newer_layout_is_refused_and_left_alone() {
    let subject = Subject::new();
    subject.store.close();
    set_layout(&subject, Some(b"\x002"));
    let Err(error) = SledStore::open(subject.folder.path()) else { panic!("opened") };
    assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }), "{error:?}");
    assert!(error.to_string().ends_with("has layout 2, this version reads up to 1: upgrade lockstep"));
    set_layout(&subject, Some(b"\x001"));
    SledStore::open(subject.folder.path()).unwrap();
}

#[tokio::test]
async fn a_layout_version_that_rotted_or_went_away_is_told() {
    let subject = Subject::new();
    subject.store.commit(commit(&run_id(1), 1)).await.unwrap();
    subject.store.close();
    for value in [Some(b"\x00x".as_slice()), Some(b"\x00\xff"), Some(b""), Some(b"\x071"), None] {
        set_layout(&subject, value);
        let Err(error) = SledStore::open(subject.folder.path()) else { panic!("opened with {value:?}") };
        assert!(error.to_string().starts_with("the layout version of the store at "), "{error}");
    }
}

#[tokio::test]
async fn a_log_that_is_not_a_log_is_an_error_and_no_panic() {
    let subject = filled().await;
    fs::write(journal(&subject).join("db"), vec![0xA5; 100_000]).unwrap();
    let Err(error) = SledStore::open(subject.folder.path()) else { panic!("opened") };
    assert!(matches!(error, OpenError::Damaged { .. } | OpenError::Io { .. }), "{error:?}");
}
