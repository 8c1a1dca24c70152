//! What operators do with a store as a whole.

use crate::Subject;
use lockstep_ports::{Commit, ComponentStore, Journal, RegistryChange};
use lockstep_store::SledStore;
use lockstep_store::tools::{
    ExportReport, RepairReport, ToolError, backup, export, import, repair, restore, survey,
};
use lockstep_testkit::journal_contract::Subject as _;
use lockstep_testkit::samples::{audited, component, descriptor, row, run_id};
use lockstep_types::{AuditAction, Digest, Event, RunStatus, SCHEMA_VERSION, Timestamp, TurnRecord};
use std::fs;
use std::path::{Path, PathBuf};

const RUNS: u64 = 5;
const RECORDS: u64 = 4;

/// A record that continues the one before it, and the digest it has.
fn chained(n: u64, seq: u64) -> (Vec<u8>, Digest) {
    let previous = if seq == 1 { Digest::zero() } else { chained(n, seq - 1).1 };
    let events = vec![Event::RunResumed { by: "x".repeat(2000) }];
    let record =
        TurnRecord { schema: SCHEMA_VERSION, run: run_id(n), seq, previous, at: Timestamp(seq), events };
    record.encode()
}

async fn filled() -> Subject {
    let subject = Subject::new();
    for seq in 1..=RECORDS {
        for n in 1..=RUNS {
            let status = if seq == RECORDS && n > 1 { RunStatus::Done } else { RunStatus::Running };
            let (record, head) = chained(n, seq);
            let mut row = row(&run_id(n), seq, status);
            row.head = head;
            let start_token = (seq == 1).then(|| format!("token {n}"));
            subject.store.commit(Commit { row, record, start_token, board: None }).await.unwrap();
        }
    }
    let (info, bytes) = component(&descriptor("gate", "1"));
    let add = RegistryChange::Add { info: Box::new(info), bytes };
    subject.store.change(vec![add], audited(AuditAction::Add, "gate")).await.unwrap();
    subject
}

async fn expect_runs(store: &SledStore, runs: &[u64]) {
    for n in 1..=RUNS {
        let records = store.records(&run_id(n), 1).await.unwrap();
        let expected: Vec<_> = (1..=RECORDS).map(|seq| chained(n, seq).0).collect();
        assert!(records == if runs.contains(&n) { expected } else { Vec::new() }, "run {n}");
        let started = store.started_under(&format!("token {n}")).await.unwrap();
        assert_eq!(started, runs.contains(&n).then(|| run_id(n)));
    }
    assert_eq!(store.feed_end(), RUNS * RECORDS);
    assert_eq!(store.list().await.unwrap().len(), 1);
    assert_eq!(store.audit(10).await.unwrap().len(), 1);
}

/// Tools block, as whoever calls them may.
async fn off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn repaired(data: &Path) -> RepairReport {
    let data = data.to_owned();
    off(move || repair(&data).unwrap()).await
}

async fn imported(file: &Path, data: &Path) -> Result<ExportReport, ToolError> {
    let (file, data) = (file.to_owned(), data.to_owned());
    off(move || import(&file, &data)).await
}

fn segment(data: &Path, number: u32) -> PathBuf {
    data.join(format!("journal/log/{number:010}.log"))
}

/// Flips a bit of the first place where `text` stands.
fn flip(path: &Path, text: &str) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).expect("it stands there");
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_survey_of_a_whole_store_finds_nothing_also_beside_its_host() {
    let subject = filled().await;
    let found = survey(subject.folder.path()).unwrap();
    assert!(found.is_whole(), "{found:?}");
    assert_eq!((found.runs, found.files, found.segments), (5, 1, 1));
    assert!(matches!(survey(Path::new("/nowhere")), Err(ToolError::NoStore { .. })));
}

#[tokio::test]
async fn a_flipped_byte_is_found_its_run_is_named_and_repair_saves_the_rest() {
    let subject = filled().await;
    subject.store.close();
    let data = subject.folder.path();
    flip(&segment(data, 1), r#""seq":3,"previous""#);
    let found = survey(data).unwrap();
    let broken: Vec<_> = found.broken_runs.keys().collect();
    assert_eq!(broken, [&run_id(1)]);
    assert!(found.broken_runs[&run_id(1)].contains("record 3"), "{found:?}");
    assert_eq!(found.damage.len(), 1, "{found:?}");

    let report = repaired(data).await;
    assert!(report.runs.iter().eq([&run_id(1)]));
    let saved = fs::read_to_string(report.saved_to.unwrap()).unwrap();
    assert_eq!(saved.lines().count(), usize::try_from(RECORDS).unwrap(), "three records and the row");
    assert!(survey(data).unwrap().is_whole());
    expect_runs(&SledStore::open(data).unwrap(), &[2, 3, 4, 5]).await;
    assert!(repaired(data).await.runs.is_empty());
}

#[tokio::test]
async fn damage_to_a_frame_that_hides_whose_it_was_is_told_by_what_is_missing() {
    let subject = filled().await;
    subject.store.close();
    let data = subject.folder.path();
    // The key of a record stands in the table of its frame.
    flip(&segment(data, 1), &format!("r/{}", run_id(4)));
    let found = survey(data).unwrap();
    assert!(found.broken_runs.keys().eq([&run_id(4)]), "{found:?}");
    repaired(data).await;
    let found = survey(data).unwrap();
    assert!(found.is_whole(), "{found:?}");
    let store = SledStore::open(data).unwrap();
    assert_eq!(store.records(&run_id(3), 1).await.unwrap().len(), usize::try_from(RECORDS).unwrap());
    assert_eq!(store.row(&run_id(4)).await.unwrap(), None);
}

#[tokio::test]
async fn a_backup_made_beside_a_host_restores_what_was_there() {
    let subject = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let (copy, data) = (folder.path().join("copy"), folder.path().join("data"));
    fs::create_dir(subject.folder.path().join("jobs")).unwrap();
    fs::write(subject.folder.path().join("jobs/result"), "kept").unwrap();
    let report = backup(subject.folder.path(), &copy).unwrap();
    assert_eq!(report.runs, 5);
    subject.store.forget(&[run_id(2)]).await.unwrap();
    assert!(matches!(backup(subject.folder.path(), &copy), Err(ToolError::Exists { .. })));

    restore(&copy, &data).unwrap();
    assert_eq!(fs::read_to_string(data.join("jobs/result")).unwrap(), "kept");
    expect_runs(&SledStore::open(&data).unwrap(), &[1, 2, 3, 4, 5]).await;
    assert!(matches!(restore(&copy, &data), Err(ToolError::Exists { .. })));

    flip(&segment(&copy, 1), r#""seq":3,"previous""#);
    let other = folder.path().join("other");
    let refused = restore(&copy, &other).unwrap_err();
    assert!(refused.to_string().ends_with("its bytes are not those that were backed up"), "{refused}");
    assert!(!other.exists());
}

#[tokio::test]
async fn an_export_is_imported_whole_or_not_at_all() {
    let subject = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("all.jsonl"), folder.path().join("data"));
    fs::create_dir(&data).unwrap();
    let report = export(subject.folder.path(), &file).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let without_end = text.lines().take(text.lines().count() - 1).map(|line| format!("{line}\n"));
    for wrong in [
        String::new(),
        "rubbish\n".to_owned(),
        without_end.collect(),
        text.replacen("xxxx", "xxxy", 1),
        text.replacen(r#""lockstep_export":1"#, r#""lockstep_export":9"#, 1),
    ] {
        let path = folder.path().join("wrong.jsonl");
        fs::write(&path, &wrong).unwrap();
        assert!(matches!(imported(&path, &data).await, Err(ToolError::Damaged { .. })), "{}", wrong.len());
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    }
    assert_eq!(imported(&file, &data).await.unwrap(), report);
    assert!(survey(&data).unwrap().is_whole());
    expect_runs(&SledStore::open(&data).unwrap(), &[1, 2, 3, 4, 5]).await;
    assert!(matches!(imported(&file, &data).await, Err(ToolError::Exists { .. })));
    assert!(matches!(export(&data, &file), Err(ToolError::Exists { .. })));
}

#[tokio::test]
async fn space_comes_back_when_runs_are_forgotten() {
    let mut subject = filled().await;
    subject.store.forget(&[2, 3, 4].map(run_id)).await.unwrap();
    let before = survey(subject.folder.path()).unwrap();
    let store = subject.store.clone();
    tokio::task::spawn_blocking(move || store.compact()).await.unwrap().unwrap();
    let after = survey(subject.folder.path()).unwrap();
    assert!(after.is_whole(), "{after:?}");
    assert_eq!((before.runs, after.runs), (2, 2));
    assert!(after.bytes * 2 < before.bytes, "{before:?} {after:?}");
    expect_runs(&subject.store, &[1, 5]).await;
    subject.reopen().await;
    expect_runs(&subject.store, &[1, 5]).await;
    fs::remove_dir_all(subject.folder.path().join("journal/index")).unwrap_or_default();
    subject.store.close();
    fs::remove_dir_all(subject.folder.path().join("journal/index")).unwrap_or_default();
    expect_runs(&SledStore::open(subject.folder.path()).unwrap(), &[1, 5]).await;
}
