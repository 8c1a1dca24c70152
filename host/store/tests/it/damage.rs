//! Folders as crashes, failing disks and other versions leave them.

use crate::Subject;
use lockstep_ports::{Commit, Journal, JournalError};
use lockstep_store::{OpenError, SledStore};
use lockstep_testkit::samples::{commit, record, row, run_id};
use lockstep_types::RunStatus;
use std::fs;
use std::path::{Path, PathBuf};

const RUNS: u64 = 40;
const RECORDS: u64 = 30;

fn payload(n: u64, seq: u64) -> Vec<u8> {
    [record(&run_id(n), seq), vec![b'x'; 4000]].concat()
}

/// A store with enough in it that sled has many pages.
async fn filled() -> Subject {
    let subject = Subject::new();
    for seq in 1..=RECORDS {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 1..=RUNS {
            let store = subject.store.clone();
            let status = if seq == RECORDS && n % 2 == 0 { RunStatus::Done } else { RunStatus::Running };
            let record = payload(n, seq);
            let commit = Commit { row: row(&run_id(n), seq, status), record, ..commit(&run_id(n), seq) };
            tasks.spawn(async move { store.commit(commit).await.unwrap() });
        }
        tasks.join_all().await;
    }
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
            assert!(stored == payload(n, seq));
        }
    }
}

fn index(folder: &Path) -> PathBuf {
    folder.join("journal/index")
}

fn segment(folder: &Path) -> PathBuf {
    folder.join("journal/log/0000000001.log")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn an_index_that_is_torn_rotten_or_missing_is_made_again() {
    let subject = filled().await;
    subject.store.close();
    let folder = subject.folder.path();
    let db = index(folder).join("sled/db");
    let conf = index(folder).join("sled/conf");
    let rot = |path: &Path| fs::write(path, vec![0xA5; 100_000]).unwrap();
    let harms: [&dyn Fn(); 6] = [
        &|| fs::remove_dir_all(index(folder)).unwrap(),
        &|| rot(&db),
        &|| fs::write(&conf, b"").unwrap(),
        &|| fs::remove_file(index(folder).join("checkpoint.json")).unwrap(),
        &|| rot(&index(folder).join("checkpoint.json")),
        &|| fs::write(&db, b"").unwrap(),
    ];
    for harm in harms {
        harm();
        let store = SledStore::open(folder).unwrap();
        expect_everything(&store).await;
        store.close();
    }
    expect_everything(&SledStore::open(folder).unwrap()).await;
}

/// The machine lost power: of what was not flushed, any part may be on the disk. Only the log is flushed before anybody is
/// told, so the index is the one that may be anything.
#[tokio::test]
async fn after_a_crash_of_the_machine_the_index_is_not_trusted() {
    let subject = filled().await;
    let after = tempfile::tempdir().unwrap();
    copy(subject.folder.path(), after.path());
    let checkpoint = index(after.path()).join("checkpoint.json");
    let text = fs::read_to_string(&checkpoint).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(text.contains(boot.trim()), "{text}");
    fs::write(&checkpoint, text.replace(boot.trim(), "another life of the machine")).unwrap();
    let db = index(after.path()).join("sled/db");
    let mut pages = fs::read(&db).unwrap();
    pages.iter_mut().skip(5000).step_by(4096).for_each(|byte| *byte ^= 0xFF);
    fs::write(&db, pages).unwrap();
    expect_everything(&SledStore::open(after.path()).unwrap()).await;
}

/// Of a batch that was being written when the power went, any pages may be on the disk. Nobody was told of it.
#[tokio::test]
async fn the_torn_end_of_the_log_is_cut_off() {
    let subject = filled().await;
    let killed = tempfile::tempdir().unwrap();
    copy(subject.folder.path(), killed.path());
    let folder = killed.path();
    let whole = fs::read(segment(folder)).unwrap();
    for lost in [1, 100, 4000] {
        fs::write(segment(folder), &whole[..whole.len() - lost]).unwrap();
        let store = SledStore::open(folder).unwrap();
        assert_eq!(store.feed_end(), RUNS * RECORDS - 1, "{lost} bytes lost");
        store.close();
    }
    fs::write(segment(folder), &whole).unwrap();
    fs::remove_dir_all(index(folder)).unwrap();
    for rubbish in [vec![0; 5000], vec![0xA5; 10], whole[16..20_000].to_vec()] {
        fs::write(segment(folder), [whole.as_slice(), &rubbish].concat()).unwrap();
        fs::remove_dir_all(index(folder)).unwrap_or_default();
        let store = SledStore::open(folder).unwrap();
        expect_everything(&store).await;
        store.commit(commit(&run_id(99), 1)).await.unwrap();
        store.close();
        assert_eq!(SledStore::open(folder).unwrap().feed_end(), RUNS * RECORDS + 1);
    }
}

/// A flipped bit is an error for who reads that value, and never another value; everything else is there.
#[tokio::test]
async fn a_flipped_bit_costs_one_value_at_most() {
    let subject = filled().await;
    subject.store.close();
    let folder = subject.folder.path();
    let whole = fs::read(segment(folder)).unwrap();
    for at in (16..whole.len()).step_by(whole.len() / 60) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(segment(folder), &bytes).unwrap();
        fs::remove_dir_all(index(folder)).unwrap();
        let store = SledStore::open(folder).unwrap();
        let mut missing = 0;
        for n in 1..=RUNS {
            match store.records(&run_id(n), 1).await {
                Ok(records) => {
                    missing += RECORDS - records.len() as u64;
                    for stored in records {
                        assert!((1..=RECORDS).any(|seq| stored == payload(n, seq)), "byte {at}");
                    }
                }
                Err(JournalError::Damaged { .. }) => missing += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(missing <= 1, "byte {at}: {missing} records are missing");
    }
}

#[tokio::test]
async fn a_newer_layout_is_refused_and_left_alone() {
    let subject = Subject::new();
    subject.store.close();
    let path = segment(subject.folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 3;
    fs::write(&path, &bytes).unwrap();
    let Err(error) = SledStore::open(subject.folder.path()) else { panic!("opened") };
    assert!(matches!(error, OpenError::Newer { found: 3, known: 2, .. }), "{error:?}");
    assert!(error.to_string().ends_with("has layout 3, this version reads up to 2: upgrade lockstep"));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_segment_without_a_head_is_begun_again() {
    let subject = Subject::new();
    subject.store.close();
    for left in [0, 7, 15] {
        let path = segment(subject.folder.path());
        let head = fs::read(&path).unwrap();
        fs::write(&path, &head[..left]).unwrap();
        drop(SledStore::open(subject.folder.path()).unwrap());
        assert_eq!(fs::read(&path).unwrap(), head);
    }
}
