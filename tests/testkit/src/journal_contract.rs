//! What every journal has to do, told as tests. `journal_contract_tests!` makes one test of each.

mod boards;

pub use boards::{
    a_board_changes_with_its_turn_or_not_at_all, a_removed_row_is_gone, rows_of_boards_outlive_reopening,
    runs_with_open_cards_are_found,
};

use crate::samples::{commit, record, row, run_id};
use async_trait::async_trait;
use lockstep_ports::{Commit, FEED_PAGE_MAX, Journal, JournalError, ROWS_PAGE_MAX};
use lockstep_types::{RunId, RunStatus};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Tasks that commit at the same time, and what each commits: many batches of many commits.
const WRITERS: u64 = 32;
const COMMITS_EACH: u64 = 50;

/// A journal under test that can be closed and opened again.
#[async_trait]
pub trait Subject: Send {
    /// The journal as it is open now.
    fn journal(&self) -> Arc<dyn Journal>;
    /// Closes it and opens what it left behind.
    async fn reopen(&mut self);
}

/// One `#[tokio::test]` for each rule. `$make` gives a new, empty `Subject`.
#[macro_export]
macro_rules! journal_contract_tests {
    ($make:expr) => {
        $crate::journal_contract_tests!(@each $make;
            an_empty_journal_has_nothing,
            what_is_committed_is_read_back,
            a_commit_that_does_not_follow_changes_nothing,
            a_start_token_starts_one_run,
            live_runs_are_those_not_finished,
            rows_are_paged_newest_first,
            records_are_read_from_any_position,
            bytes_are_given_back_as_they_were,
            the_feed_has_no_gaps_and_goes_on_after_reopening,
            many_may_commit_at_once,
            one_of_many_equal_commits_wins,
            what_was_acknowledged_outlives_reopening,
            rows_of_boards_outlive_reopening,
            a_removed_row_is_gone,
            a_board_changes_with_its_turn_or_not_at_all,
            runs_with_open_cards_are_found,
            a_forgotten_run_leaves_nothing_behind,
            a_run_that_can_go_on_is_not_forgotten,
        );
    };
    (@each $make:expr; $($rule:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                let mut subject = $make;
                $crate::journal_contract::$rule(&mut subject).await;
            }
        )*
    };
}

async fn commit_all(journal: &dyn Journal, run: &RunId, seqs: std::ops::RangeInclusive<u64>) {
    for seq in seqs {
        journal.commit(commit(run, seq)).await.expect("a commit that follows is taken");
    }
}

fn ids(rows: &[lockstep_types::RunRow]) -> Vec<RunId> {
    rows.iter().map(|row| row.summary.id.clone()).collect()
}

/// Everything reads as empty, and nothing as an error.
pub async fn an_empty_journal_has_nothing(subject: &mut dyn Subject) {
    let (journal, run) = (subject.journal(), run_id(1));
    assert_eq!(journal.row(&run).await.expect("readable"), None);
    assert_eq!(journal.rows(None, 10).await.expect("readable"), []);
    assert_eq!(journal.live().await.expect("readable"), []);
    assert_eq!(journal.records(&run, 1).await.expect("readable"), Vec::<Vec<u8>>::new());
    assert_eq!(journal.started_under("token").await.expect("readable"), None);
    assert_eq!(journal.feed(0, 10).await.expect("readable"), []);
    assert_eq!(journal.feed_end(), 0);
}

/// Row, record and feed tell of a commit as soon as it returns.
pub async fn what_is_committed_is_read_back(subject: &mut dyn Subject) {
    let (journal, run) = (subject.journal(), run_id(1));
    for seq in 1..=3 {
        let position = journal.commit(commit(&run, seq)).await.expect("taken");
        assert_eq!((position, journal.feed_end()), (seq, seq));
        assert_eq!(journal.row(&run).await.expect("readable"), Some(row(&run, seq, RunStatus::Running)));
        let records: Vec<_> = (1..=seq).map(|seq| record(&run, seq)).collect();
        assert_eq!(journal.records(&run, 1).await.expect("readable"), records);
    }
}

/// A gap, a repetition and a zero are refused, name what is stored, and leave no trace.
pub async fn a_commit_that_does_not_follow_changes_nothing(subject: &mut dyn Subject) {
    let (journal, run) = (subject.journal(), run_id(1));
    for (wrong, stored) in [(0, 0), (2, 0), (3, 0)] {
        expect_conflict(journal.commit(commit(&run, wrong)).await, &run, wrong, stored);
    }
    commit_all(&*journal, &run, 1..=2).await;
    for wrong in [0, 1, 2, 4, u64::MAX] {
        let refused = Commit { start_token: Some("unused".to_owned()), ..commit(&run, wrong) };
        expect_conflict(journal.commit(refused).await, &run, wrong, 2);
    }
    assert_eq!(journal.started_under("unused").await.expect("readable"), None);
    assert_eq!(journal.row(&run).await.expect("readable"), Some(row(&run, 2, RunStatus::Running)));
    assert_eq!(journal.records(&run, 1).await.expect("readable").len(), 2);
    assert_eq!((journal.feed(0, 10).await.expect("readable").len(), journal.feed_end()), (2, 2));
    commit_all(&*journal, &run, 3..=3).await;
}

fn expect_conflict(result: Result<u64, JournalError>, of: &RunId, wrong: u64, right: u64) {
    match result {
        Err(JournalError::Conflict { run, seq, stored }) => {
            assert_eq!((&run, seq, stored), (of, wrong, right));
        }
        other => panic!("commit {wrong} after {right} gave {other:?}"),
    }
}

/// The second run under a token is refused, and the first named; also after reopening.
pub async fn a_start_token_starts_one_run(subject: &mut dyn Subject) {
    let first = Commit { start_token: Some("token".to_owned()), ..commit(&run_id(1), 1) };
    subject.journal().commit(first).await.expect("taken");
    for _ in 0..2 {
        let journal = subject.journal();
        let second = Commit { start_token: Some("token".to_owned()), ..commit(&run_id(2), 1) };
        match journal.commit(second).await {
            Err(JournalError::TokenUsed { run }) => assert_eq!(run, run_id(1)),
            other => panic!("a second run under a token gave {other:?}"),
        }
        assert_eq!(journal.started_under("token").await.expect("readable"), Some(run_id(1)));
        assert_eq!(journal.row(&run_id(2)).await.expect("readable"), None);
        assert_eq!(journal.live().await.expect("readable"), [run_id(1)]);
        assert_eq!(journal.feed_end(), 1);
        subject.reopen().await;
    }
}

/// A run leaves the index when it is finished, and comes back when it is retried.
pub async fn live_runs_are_those_not_finished(subject: &mut dyn Subject) {
    let statuses =
        [RunStatus::Running, RunStatus::Blocked, RunStatus::Paused, RunStatus::Done, RunStatus::Failed];
    for n in (1..=5).rev() {
        let run = run_id(n);
        let journal = subject.journal();
        commit_all(&*journal, &run, 1..=1).await;
        let status = statuses[usize::try_from(n).expect("small") - 1];
        let next = Commit { row: row(&run, 2, status), ..commit(&run, 2) };
        journal.commit(next).await.expect("taken");
    }
    assert_eq!(subject.journal().live().await.expect("readable"), [run_id(1), run_id(2), run_id(3)]);
    commit_all(&*subject.journal(), &run_id(5), 3..=3).await;
    subject.reopen().await;
    let expected = [run_id(1), run_id(2), run_id(3), run_id(5)];
    assert_eq!(subject.journal().live().await.expect("readable"), expected);
}

/// Pages follow each other without overlap, and no page is larger than asked or allowed.
pub async fn rows_are_paged_newest_first(subject: &mut dyn Subject) {
    const RUNS: u64 = 45;
    let journal = subject.journal();
    for n in 1..=RUNS {
        commit_all(&*journal, &run_id(n), 1..=1).await;
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = ids(&journal.rows(before.as_ref(), 7).await.expect("readable"));
        assert!(page.len() <= 7, "a page has {} rows", page.len());
        let Some(last) = page.last() else { break };
        before = Some(last.clone());
        seen.extend(page);
    }
    assert_eq!(seen, (1..=RUNS).rev().map(run_id).collect::<Vec<_>>());
    assert_eq!(journal.count().await.expect("readable"), RUNS);
    let above = ids(&journal.rows_from(Some(&run_id(RUNS - 3)), 2).await.expect("readable"));
    assert_eq!(above, [run_id(RUNS - 2), run_id(RUNS - 1)]);
    assert_eq!(ids(&journal.rows_from(None, 1).await.expect("readable")), [run_id(1)]);
    let below = ids(&journal.rows(Some(&run_id(3)), usize::MAX).await.expect("readable"));
    assert_eq!(below, [run_id(2), run_id(1)]);
    assert_eq!(journal.rows(None, 0).await.expect("readable"), []);
    assert!(journal.rows(None, usize::MAX).await.expect("readable").len() <= ROWS_PAGE_MAX);
}

/// Only the records asked for, only those of the run, and none beyond the end. Ids may begin with one another.
pub async fn records_are_read_from_any_position(subject: &mut dyn Subject) {
    const RECORDS: u64 = 300;
    let journal = subject.journal();
    let runs = ["run", "run-1", "run-10", "run_"].map(|id| id.parse::<RunId>().expect("an id"));
    for run in &runs {
        commit_all(&*journal, run, 1..=if run.as_str() == "run-1" { RECORDS } else { 2 }).await;
    }
    for from in [0, 1, 2, 255, 256, 257, RECORDS] {
        let expected: Vec<_> = (from.max(1)..=RECORDS).map(|seq| record(&runs[1], seq)).collect();
        assert_eq!(journal.records(&runs[1], from).await.expect("readable"), expected, "from {from}");
    }
    for from in [RECORDS + 1, u64::MAX] {
        assert_eq!(journal.records(&runs[1], from).await.expect("readable"), Vec::<Vec<u8>>::new());
    }
}

/// Nothing looks into a record: the empty, the binary and the large come back to the byte.
pub async fn bytes_are_given_back_as_they_were(subject: &mut dyn Subject) {
    let run = run_id(1);
    let sizes = [0, 1, 6 * 1024 - 1, 6 * 1024, 6 * 1024 + 1, 100_000, 1_000_000];
    let bytes = |size: usize| (0..size).map(|at| (at * 31 % 251) as u8).collect::<Vec<u8>>();
    for (seq, size) in (1..).zip(sizes) {
        let commit = Commit { record: bytes(size), ..commit(&run, seq) };
        subject.journal().commit(commit).await.expect("taken");
    }
    let expected = sizes.map(bytes);
    assert!(subject.journal().records(&run, 1).await.expect("readable") == expected, "bytes differ");
    // A row that shrinks leaves nothing of its longer self behind.
    for (seq, length) in (sizes.len() as u64 + 1..).zip([50_000, 10, 20_000, 5]) {
        let mut commit = commit(&run, seq);
        commit.row.summary.title = "t".repeat(length);
        subject.journal().commit(commit.clone()).await.expect("taken");
        assert_eq!(subject.journal().row(&run).await.expect("readable"), Some(commit.row));
    }
    subject.reopen().await;
    let records = subject.journal().records(&run, 1).await.expect("readable");
    assert!(records[..sizes.len()] == expected, "bytes differ after reopening");
}

/// Positions count every commit of every run, from 1, and a page goes on where the one before ended.
pub async fn the_feed_has_no_gaps_and_goes_on_after_reopening(subject: &mut dyn Subject) {
    const EACH: u64 = 20;
    for round in 0..3 {
        let journal = subject.journal();
        assert_eq!(journal.feed_end(), round * 2 * EACH);
        for seq in round * EACH + 1..=(round + 1) * EACH {
            commit_all(&*journal, &run_id(1), seq..=seq).await;
            commit_all(&*journal, &run_id(2), seq..=seq).await;
        }
        subject.reopen().await;
    }
    let journal = subject.journal();
    let (mut after, mut position) = (0, 0);
    loop {
        let page = journal.feed(after, 11).await.expect("readable");
        let Some(last) = page.last() else { break };
        after = last.position;
        for entry in page {
            position += 1;
            let expected = (position, run_id(2 - position % 2), position.div_ceil(2));
            assert_eq!((entry.position, entry.run, entry.seq), expected);
        }
    }
    assert_eq!((position, journal.feed_end()), (6 * EACH, 6 * EACH));
    assert_eq!(journal.feed(u64::MAX, 10).await.expect("readable"), []);
    assert!(journal.feed(0, usize::MAX).await.expect("readable").len() <= FEED_PAGE_MAX);
}

/// Every commit of every task is taken once, at a position of its own.
pub async fn many_may_commit_at_once(subject: &mut dyn Subject) {
    let mut tasks = JoinSet::new();
    for n in 1..=WRITERS {
        let journal = subject.journal();
        tasks.spawn(async move {
            let mut positions = Vec::new();
            for seq in 1..=COMMITS_EACH {
                positions.push(journal.commit(commit(&run_id(n), seq)).await.expect("taken"));
                assert!(journal.feed_end() >= positions[positions.len() - 1]);
            }
            positions
        });
    }
    let positions: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    let distinct: BTreeSet<u64> = positions.iter().copied().collect();
    let total = WRITERS * COMMITS_EACH;
    assert_eq!(distinct, (1..=total).collect());
    assert_eq!(positions.len() as u64, total);
    subject.reopen().await;
    let journal = subject.journal();
    assert_eq!(journal.feed_end(), total);
    for n in 1..=WRITERS {
        let records: Vec<_> = (1..=COMMITS_EACH).map(|seq| record(&run_id(n), seq)).collect();
        assert_eq!(journal.records(&run_id(n), 1).await.expect("readable"), records);
    }
}

/// Of commits for the same position, and of runs under the same token, one is taken, though they share a flush.
pub async fn one_of_many_equal_commits_wins(subject: &mut dyn Subject) {
    let mut tasks = JoinSet::new();
    for n in 0..WRITERS {
        let journal = subject.journal();
        tasks.spawn(async move {
            let same = commit(&run_id(1), 1);
            let token = Commit { start_token: Some("token".to_owned()), ..commit(&run_id(n + 2), 1) };
            let (same, token) = (journal.commit(same).await, journal.commit(token).await);
            (same.is_ok(), token.is_ok())
        });
    }
    let won = tasks.join_all().await;
    assert_eq!(won.iter().filter(|(same, _)| *same).count(), 1);
    assert_eq!(won.iter().filter(|(_, token)| *token).count(), 1);
    let journal = subject.journal();
    assert_eq!(journal.feed_end(), 2);
    let winner = journal.started_under("token").await.expect("readable").expect("one run started");
    assert_eq!(ids(&journal.rows(None, 10).await.expect("readable")), [winner, run_id(1)]);
}

/// A second and a third life go on where the one before ended.
pub async fn what_was_acknowledged_outlives_reopening(subject: &mut dyn Subject) {
    for life in 0..3 {
        let journal = subject.journal();
        for n in 1..=10 {
            commit_all(&*journal, &run_id(n), life * 5 + 1..=life * 5 + 5).await;
        }
        drop(journal);
        subject.reopen().await;
        let journal = subject.journal();
        for n in 1..=10 {
            let (run, last) = (run_id(n), life * 5 + 5);
            assert_eq!(journal.row(&run).await.expect("readable"), Some(row(&run, last, RunStatus::Running)));
            let records: Vec<_> = (1..=last).map(|seq| record(&run, seq)).collect();
            assert_eq!(journal.records(&run, 1).await.expect("readable"), records);
            expect_conflict(journal.commit(commit(&run, last)).await, &run, last, last);
        }
        assert_eq!(journal.live().await.expect("readable").len(), 10);
    }
}

/// Row, records, entries of the feed and token are gone, also after reopening, and no position is given twice.
pub async fn a_forgotten_run_leaves_nothing_behind(subject: &mut dyn Subject) {
    let journal = subject.journal();
    for n in 1..=3 {
        let start = Commit { start_token: Some(format!("token {n}")), ..commit(&run_id(n), 1) };
        journal.commit(start).await.expect("taken");
        let end = Commit { row: row(&run_id(n), 2, RunStatus::Done), ..commit(&run_id(n), 2) };
        journal.commit(end).await.expect("taken");
    }
    journal.forget(&[1, 3].map(run_id)).await.expect("taken");
    journal.forget(&[3, 4].map(run_id)).await.expect("what is gone can be forgotten");
    drop(journal);
    for position in 6..8 {
        let journal = subject.journal();
        assert_eq!(journal.feed_end(), position);
        assert_eq!(ids(&journal.rows(None, 10).await.expect("readable")).first(), Some(&run_id(2)));
        assert_eq!(journal.row(&run_id(3)).await.expect("readable"), None);
        assert_eq!(journal.records(&run_id(3), 1).await.expect("readable"), Vec::<Vec<u8>>::new());
        assert_eq!(journal.started_under("token 3").await.expect("readable"), None);
        assert_eq!(journal.started_under("token 2").await.expect("readable"), Some(run_id(2)));
        let feed: Vec<_> = journal.feed(0, 3).await.expect("readable");
        let feed: Vec<_> = feed.into_iter().map(|entry| (entry.position, entry.run)).collect();
        assert_eq!(feed[..2], [(3, run_id(2)), (4, run_id(2))]);
        subject.reopen().await;
        let again = Commit {
            row: row(&run_id(1), position - 5, RunStatus::Done),
            ..commit(&run_id(1), position - 5)
        };
        assert_eq!(subject.journal().commit(again).await.expect("an id may come again"), position + 1);
    }
}

/// Neither a run that is live nor one with teardowns to carry out.
pub async fn a_run_that_can_go_on_is_not_forgotten(subject: &mut dyn Subject) {
    let journal = subject.journal();
    commit_all(&*journal, &run_id(1), 1..=2).await;
    let mut done = row(&run_id(2), 1, RunStatus::Done);
    done.summary.cleanups = 1;
    journal.commit(Commit { row: done, ..commit(&run_id(2), 1) }).await.expect("taken");
    journal.forget(&[1, 2].map(run_id)).await.expect("refused without an error");
    for n in [1, 2] {
        assert!(journal.row(&run_id(n)).await.expect("readable").is_some());
        assert!(!journal.records(&run_id(n), 1).await.expect("readable").is_empty());
    }
}
