//! Rows of boards, which become durable alone or with a turn.

use super::Subject;
use crate::samples::{commit, row, run_id};
use lockstep_ports::{BoardCommit, Commit, Journal, JournalError};
use lockstep_types::board::{Change, PipelineDef, Row, RowKey, Workspace, WorkspaceId};
use lockstep_types::{Notice, NoticeId, NoticeState, RunStatus, Severity, Timestamp};

fn workspace(id: &str) -> WorkspaceId {
    id.parse().expect("a short word is an id")
}

fn named(id: &str, name: &str) -> Row {
    let name = name.to_owned();
    Row::Workspace(Workspace { id: workspace(id), name, last_number: 0, created_at: Timestamp(1) })
}

fn pipeline(id: &str, description: String) -> Row {
    Row::Pipeline(PipelineDef {
        id: id.parse().expect("a short word is an id"),
        name: id.to_owned(),
        description,
        labels: Vec::new(),
        archived: false,
        builtin: false,
        pin: lockstep_types::Pinning::Run,
        steps: Vec::new(),
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
    })
}

fn changed(id: &str, changes: impl IntoIterator<Item = Change>) -> BoardCommit {
    BoardCommit { workspace: workspace(id), changes: changes.into_iter().collect() }
}

async fn put(journal: &dyn Journal, id: &str, row: Row) {
    journal.commit_board(changed(id, [Change::Put(row)])).await.expect("taken");
}

async fn rows(journal: &dyn Journal) -> Vec<(WorkspaceId, Row)> {
    journal.boards().await.expect("readable")
}

/// Rows are given back as they were last written, each under its own workspace, also after reopening; large ones too.
pub async fn rows_of_boards_outlive_reopening(subject: &mut dyn Subject) {
    assert_eq!(rows(&*subject.journal()).await, []);
    let journal = subject.journal();
    put(&*journal, "a", named("a", "first")).await;
    put(&*journal, "ab", named("ab", "other")).await;
    put(&*journal, "a", pipeline("p", "x".repeat(200_000))).await;
    put(&*journal, "a", named("a", "second")).await;
    assert_eq!(journal.feed_end(), 0, "boards have no place in the feed");
    drop(journal);
    let mut expected = vec![
        (workspace("a"), named("a", "second")),
        (workspace("a"), pipeline("p", "x".repeat(200_000))),
        (workspace("ab"), named("ab", "other")),
    ];
    for _ in 0..2 {
        let mut found = rows(&*subject.journal()).await;
        found.sort_by_key(|(workspace, row)| (workspace.clone(), row.key().to_string()));
        expected.sort_by_key(|(workspace, row)| (workspace.clone(), row.key().to_string()));
        assert_eq!(found, expected);
        subject.reopen().await;
    }
}

/// A row that is removed is gone with all its bytes, and what takes its place is read as written.
pub async fn a_removed_row_is_gone(subject: &mut dyn Subject) {
    let journal = subject.journal();
    let key = RowKey::Pipeline("p".parse().expect("an id"));
    put(&*journal, "a", pipeline("p", "x".repeat(100_000))).await;
    journal.commit_board(changed("a", [Change::Remove(key.clone())])).await.expect("taken");
    journal.commit_board(changed("a", [Change::Remove(key)])).await.expect("removing nothing is no error");
    assert_eq!(rows(&*journal).await, []);
    put(&*journal, "a", pipeline("p", "short".to_owned())).await;
    drop(journal);
    subject.reopen().await;
    assert_eq!(rows(&*subject.journal()).await, [(workspace("a"), pipeline("p", "short".to_owned()))]);
}

/// The rows of a turn become durable with it; of a refused turn none does.
pub async fn a_board_changes_with_its_turn_or_not_at_all(subject: &mut dyn Subject) {
    let journal = subject.journal();
    let with = |seq: u64, name: &str| Commit {
        board: Some(changed("a", [Change::Put(named("a", name))])),
        ..commit(&run_id(1), seq)
    };
    journal.commit(with(1, "begun")).await.expect("taken");
    assert_eq!(rows(&*journal).await, [(workspace("a"), named("a", "begun"))]);
    let refused = journal.commit(with(3, "refused")).await;
    assert!(matches!(refused, Err(JournalError::Conflict { .. })), "{refused:?}");
    let token = |n: u64| Commit {
        start_token: Some("token".to_owned()),
        board: Some(changed("b", [Change::Put(named("b", "token"))])),
        ..commit(&run_id(n), 1)
    };
    let first = Commit { board: None, ..token(2) };
    journal.commit(first).await.expect("taken");
    assert!(matches!(journal.commit(token(3)).await, Err(JournalError::TokenUsed { .. })));
    journal.commit(with(2, "gone on")).await.expect("taken");
    drop(journal);
    subject.reopen().await;
    assert_eq!(rows(&*subject.journal()).await, [(workspace("a"), named("a", "gone on"))]);
}

/// A run is found by its cards as long as it has open ones, whether it has ended or not.
pub async fn runs_with_open_cards_are_found(subject: &mut dyn Subject) {
    let journal = subject.journal();
    let card = Notice {
        id: NoticeId(1),
        kind: "ci_failed".to_owned(),
        step: None,
        severity: Severity::Normal,
        title: "a card".to_owned(),
        body: String::new(),
        state: NoticeState::Open,
        raised_at: Timestamp(1),
        is_loose: false,
    };
    let carded = |n: u64, seq: u64, status: RunStatus| {
        let mut commit = commit(&run_id(n), seq);
        commit.row = row(&run_id(n), seq, status);
        commit.row.summary.open_notices = vec![card.clone()];
        commit
    };
    journal.commit(carded(1, 1, RunStatus::Running)).await.expect("taken");
    journal.commit(carded(2, 1, RunStatus::Failed)).await.expect("taken");
    journal.commit(commit(&run_id(3), 1)).await.expect("taken");
    assert_eq!(journal.with_cards().await.expect("readable"), [run_id(1), run_id(2)]);
    journal.commit(commit(&run_id(1), 2)).await.expect("taken");
    drop(journal);
    subject.reopen().await;
    assert_eq!(subject.journal().with_cards().await.expect("readable"), [run_id(2)]);
}
