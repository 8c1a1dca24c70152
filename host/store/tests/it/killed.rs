//! Processes that are killed, and disks that are full. The child is this test binary itself, told by a variable which
//! test it is to be the child of.

use lockstep_ports::{Commit, Journal, JournalError};
use lockstep_store::SledStore;
use lockstep_testkit::samples::{commit, record, run_id};
use lockstep_types::RunStatus;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Set to the data folder in a child.
const FOLDER: &str = "LOCKSTEP_STORE_TEST_FOLDER";
const ROUNDS: u64 = 10;
/// Tasks of the child that commit at the same time.
const WRITERS: u64 = 8;

/// The command that runs one test of this binary as a child; `shell` is what a shell does before it.
pub(crate) fn child(test: &str, folder: &Path, shell: &str) -> Child {
    Command::new("sh")
        .args(["-c", &format!("{shell} exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

fn payload(n: u64, seq: u64) -> Vec<u8> {
    [record(&run_id(n), seq), vec![b'y'; usize::try_from(seq * 977 % 9000).unwrap()]].concat()
}

/// The child: commits without end, and says what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_commits() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = Arc::new(SledStore::open(folder).unwrap());
    let mut tasks = JoinSet::new();
    for n in 1..=WRITERS {
        let store = Arc::clone(&store);
        let mut seq = store.row(&run_id(n)).await.unwrap().map_or(0, |row| row.seq);
        tasks.spawn(async move {
            loop {
                seq += 1;
                let mut commit = Commit { record: payload(n, seq), ..commit(&run_id(n), seq) };
                if seq % 3 == 0 {
                    commit.row.summary.status = RunStatus::Done;
                }
                let position = store.commit(commit).await.unwrap();
                say(&format!("ack {n} {seq} {position}"));
            }
        });
    }
    tasks.join_all().await;
}

/// Reads what a child says was acknowledged, until it ends: the position, the run and its record.
pub(crate) fn acknowledgements(child: &mut Child, mut take: impl FnMut(u64, (u64, u64))) {
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // The first line after the harness's own "test ... " has no line break before it.
        let line = line.unwrap();
        let Some((_, numbers)) = line.split_once("ack ") else { continue };
        let mut numbers = numbers.split(' ').map(|number| number.parse::<u64>());
        // The last line before the kill may be cut.
        if let (Some(Ok(n)), Some(Ok(seq)), Some(Ok(position)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        {
            take(position, (n, seq));
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_outlives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = child("killed::child_that_commits", folder.path(), "");
        let mut seen = 0;
        let pid = child.id();
        acknowledgements(&mut child, |position, run_and_seq| {
            acknowledged.insert(position, run_and_seq);
            seen += 1;
            // Another moment in every round. What was in the pipe is still read after it.
            if seen == 50 + round * 37 {
                kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
            }
        });
        child.wait().unwrap();
        assert!(seen >= 50, "the child of round {round} ended by itself");
        expect_acknowledged(folder.path(), &acknowledged).await;
    }
}

/// Every acknowledged record is there at its position, positions have no gaps, and each run's records are whole.
pub(crate) async fn expect_acknowledged(folder: &Path, acknowledged: &BTreeMap<u64, (u64, u64)>) {
    let store = SledStore::open(folder).unwrap();
    let mut feed = Vec::new();
    loop {
        let page = store.feed(feed.len() as u64, 1000).await.unwrap();
        if page.is_empty() {
            break;
        }
        feed.extend(page);
    }
    assert!(feed.iter().map(|entry| entry.position).eq(1..=store.feed_end()));
    for (position, (n, seq)) in acknowledged {
        let entry = &feed[usize::try_from(*position).unwrap() - 1];
        assert_eq!((&entry.run, entry.seq), (&run_id(*n), *seq));
    }
    let live = store.live().await.unwrap();
    let mut total = 0;
    for n in 1..=WRITERS {
        let records = store.records(&run_id(n), 1).await.unwrap();
        for (seq, stored) in (1..).zip(&records) {
            assert!(*stored == payload(n, seq), "record {seq} of run {n} differs");
        }
        let row = store.row(&run_id(n)).await.unwrap();
        assert_eq!(row.as_ref().map_or(0, |row| row.seq), records.len() as u64);
        assert_eq!(live.contains(&run_id(n)), row.is_some_and(|row| row.summary.status.is_live()));
        total += records.len() as u64;
    }
    assert_eq!(total, store.feed_end());
}

fn limit_files_to(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

/// The child: a file may not grow, which is how a full disk looks to whoever writes; then it may again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_without_space() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = Arc::new(SledStore::open(folder).unwrap());
    let mut seqs = [0; 8];
    for round in 0..3 {
        limit_files_to(Some(2_000_000 * (round + 1)));
        let mut full = 0;
        while full < 20 {
            let mut tasks = JoinSet::new();
            for (n, seq) in (0..).zip(&seqs) {
                let (store, seq) = (Arc::clone(&store), seq + 1);
                let commit = Commit { record: payload(n, seq), ..commit(&run_id(n), seq) };
                tasks.spawn(async move { (n, store.commit(commit).await) });
            }
            for (n, outcome) in tasks.join_all().await {
                match outcome {
                    Ok(_) => seqs[usize::try_from(n).unwrap()] += 1,
                    Err(JournalError::Full { .. }) => full += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
        limit_files_to(None);
        for (n, seq) in (0..).zip(&mut seqs) {
            *seq += 1;
            let commit = Commit { record: payload(n, *seq), ..commit(&run_id(n), *seq) };
            store.commit(commit).await.unwrap();
        }
        assert_eq!(store.feed_end(), seqs.iter().sum::<u64>());
        for (n, seq) in (0..).zip(&seqs) {
            let expected: Vec<_> = (1..=*seq).map(|seq| payload(n, seq)).collect();
            assert!(store.records(&run_id(n), 1).await.unwrap() == expected, "records of run {n} differ");
        }
    }
    say("went on");
}

#[test]
fn a_full_disk_loses_nothing_and_work_goes_on_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    // A process is killed for writing beyond its limit unless the signal is ignored.
    let child = child("killed::child_without_space", folder.path(), "trap '' XFSZ;");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("went on"), "{text}");
}
