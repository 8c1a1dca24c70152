//! What every store of tokens, sessions and the audit has to keep, as tests that any of them can be put through.

use async_trait::async_trait;
use lockstep_ports::{AUDIT_KEPT, AccessChange, AccessStore};
use lockstep_types::{
    AuditEnd, AuditOutcome, AuditRecord, Digest, Role, SessionOf, SessionRow, Timestamp, TokenRow,
};
use std::sync::Arc;

/// A store under test that can be closed and opened again.
#[async_trait]
pub trait Subject: Send {
    /// The store as it is open now.
    fn access(&self) -> Arc<dyn AccessStore>;
    /// Closes it and opens what it left behind.
    async fn reopen(&mut self);
}

/// One `#[tokio::test]` for each rule. `$make` gives a new, empty `Subject`.
#[macro_export]
macro_rules! access_contract_tests {
    ($make:expr) => {
        $crate::access_contract_tests!(@each $make;
            tokens_and_sessions_are_kept_until_they_go,
            the_audit_is_read_from_its_end,
            a_record_ends_once,
        );
    };
    (@each $make:expr; $($rule:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                let mut subject = $make;
                $crate::access_contract::$rule(&mut subject).await;
            }
        )*
    };
}

fn token(id: &str, name: &str) -> TokenRow {
    TokenRow {
        id: id.to_owned(),
        name: name.to_owned(),
        secret: Digest::of(id.as_bytes()),
        role: Role::Operator,
        workspaces: vec!["shop".parse().expect("an id")],
        created_at: Timestamp(1),
        created_by: "ann".to_owned(),
        expires_at: Some(Timestamp(9)),
        used_at: None,
    }
}

fn session(n: u8, of: SessionOf) -> SessionRow {
    SessionRow { id: Digest::of(&[n]), of, begun_at: Timestamp(1), seen_at: Timestamp(u64::from(n)) }
}

fn record(operation: &str) -> AuditRecord {
    AuditRecord {
        number: 0,
        at: Timestamp(1),
        by: "ann".to_owned(),
        via: "local".to_owned(),
        from: "127.0.0.1".to_owned(),
        operation: operation.to_owned(),
        subject: "run-1".to_owned(),
        workspace: None,
        outcome: None,
        detail: String::new(),
    }
}

/// What is put again takes the place of what was there.
pub async fn tokens_and_sessions_are_kept_until_they_go(subject: &mut dyn Subject) {
    let local = SessionOf::Local { name: "ann".to_owned(), token: Digest::of(b"t") };
    let changes = vec![
        AccessChange::PutToken(token("a1", "ci")),
        AccessChange::PutToken(token("b2", "bob")),
        AccessChange::PutSession(session(1, local.clone())),
        AccessChange::PutSession(session(2, SessionOf::Token("b2".to_owned()))),
    ];
    subject.access().change_access(changes).await.expect("stored");
    subject.reopen().await;
    let renamed = TokenRow { used_at: Some(Timestamp(5)), ..token("a1", "ci") };
    let changes = vec![
        AccessChange::PutToken(renamed.clone()),
        AccessChange::RemoveToken("b2".to_owned()),
        AccessChange::RemoveSession(Digest::of(&[2])),
        AccessChange::RemoveSession(Digest::of(b"never there")),
    ];
    subject.access().change_access(changes).await.expect("stored");
    subject.reopen().await;
    assert_eq!(subject.access().token_rows().await.expect("readable"), [renamed]);
    assert_eq!(subject.access().session_rows().await.expect("readable"), [session(1, local)]);
}

/// Numbers go on across reopening, and what is too old goes.
pub async fn the_audit_is_read_from_its_end(subject: &mut dyn Subject) {
    let last = AUDIT_KEPT + 600;
    let mut next = 1;
    while next <= last {
        let until = (next + 4096).min(last + 1);
        let store = subject.access();
        let mut writing = tokio::task::JoinSet::new();
        for _ in next..until {
            let store = Arc::clone(&store);
            writing.spawn(async move { store.begin_audit(record("run.stop")).await.expect("stored") });
        }
        let mut numbers = writing.join_all().await;
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(next..until), "each has a number of its own");
        next = until;
    }
    subject.reopen().await;
    let page = subject.access().audit_records(Some(last), 3).await.expect("readable");
    let numbers = page.iter().map(|record| record.number).collect::<Vec<_>>();
    assert_eq!(numbers, [last - 1, last - 2, last - 3]);
    assert_eq!(subject.access().begin_audit(record("run.stop")).await.expect("stored"), last + 1);
    let oldest = subject.access().audit_records(Some(601), 1000).await.expect("readable");
    assert!(oldest.len() < 400, "{} are kept beyond those that need be", oldest.len());
}

/// What it ended with stays, whatever is said later.
pub async fn a_record_ends_once(subject: &mut dyn Subject) {
    let number = subject.access().begin_audit(record("run.start")).await.expect("stored");
    let end = |outcome, detail: &str| AuditEnd {
        number,
        outcome,
        detail: detail.to_owned(),
        subject: Some("run-9".to_owned()),
        workspace: Some("shop".parse().expect("an id")),
    };
    let unended = subject.access().audit_records(None, 9).await.expect("readable");
    assert_eq!(unended[0].outcome, None);
    subject.access().end_audit(end(AuditOutcome::Done, "")).await.expect("stored");
    subject.access().end_audit(end(AuditOutcome::Failed, "late")).await.expect("stored");
    let unknown = AuditEnd { number: 77, ..end(AuditOutcome::Done, "") };
    subject.access().end_audit(unknown).await.expect("nothing to do");
    subject.reopen().await;
    let told = subject.access().audit_records(None, 9).await.expect("readable");
    let mut ended = record("run.start").ended(&end(AuditOutcome::Done, ""));
    ended.number = number;
    assert_eq!(told, [ended]);
}
