//! Who may do what, over a store in memory and a clock that tests turn.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use expect_test::expect;
use lockstep_access::{Access, Identity, SESSION_IDLE_MS, acting};
use lockstep_ports::{AccessService, AccessStore, AuditQuery, NewToken, ServiceError};
use lockstep_testkit::MemAccess;
use lockstep_types::{
    AuditAction, AuditEntry, AuditOutcome, AuditRecord, Digest, Role, SessionOf, Timestamp,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

struct Kept {
    store: Arc<MemAccess>,
    access: Arc<Access>,
    clock: Arc<AtomicU64>,
}

async fn kept(store: Arc<MemAccess>) -> Kept {
    let clock = Arc::new(AtomicU64::new(1_700_000_000_000));
    let time = Arc::clone(&clock);
    let opened =
        Access::open_at(Arc::<MemAccess>::clone(&store), move || Timestamp(time.load(Ordering::Relaxed)));
    Kept { access: Arc::new(opened.await.unwrap()), store, clock }
}

fn asked(name: &str) -> NewToken {
    NewToken { name: name.to_owned(), role: Role::Operator, workspaces: Vec::new(), expires_days: None }
}

/// Lets what nobody waits for come to its end.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_last_use_of_a_token_is_kept_to_the_hour() {
    let kept = kept(Arc::default()).await;
    let token = kept.access.add_token(asked("bob"), "ann").await.unwrap();
    let used = async || {
        assert!(kept.access.holder(&token.secret).is_some());
        settle().await;
        kept.store.token_rows().await.unwrap()[0].used_at
    };
    let first = used().await.unwrap();
    assert!(first.0.is_multiple_of(3_600_000) && first.0 <= 1_700_000_000_000);
    kept.clock.fetch_add(1000, Ordering::Relaxed);
    assert_eq!(used().await, Some(first));
    kept.clock.fetch_add(2 * 3_600_000, Ordering::Relaxed);
    assert_eq!(used().await, Some(Timestamp(first.0 + 2 * 3_600_000)));
}

#[tokio::test]
async fn a_use_does_not_bring_a_revoked_token_back() {
    let kept = kept(Arc::default()).await;
    let token = kept.access.add_token(asked("bob"), "ann").await.unwrap();
    let session = kept.access.begin_session(SessionOf::Token(token.token.id.clone())).await.unwrap();
    assert!(kept.access.holder(&token.secret).is_some());
    kept.access.revoke_token("bob", "ann").await.unwrap();
    settle().await;
    assert_eq!(kept.store.token_rows().await.unwrap(), []);
    assert_eq!(kept.store.session_rows().await.unwrap(), []);
    assert!(kept.access.holder(&token.secret).is_none());
    assert!(kept.access.in_session(&session, Digest::zero()).is_none());
}

#[tokio::test]
async fn what_cannot_be_stored_has_not_happened() {
    let kept = kept(Arc::default()).await;
    let token = kept.access.add_token(asked("bob"), "ann").await.unwrap();
    kept.store.fail(true);
    assert!(matches!(kept.access.add_token(asked("eve"), "ann").await, Err(ServiceError::Unavailable(_))));
    assert!(kept.access.revoke_token("bob", "ann").await.is_err());
    assert!(kept.access.begin_session(SessionOf::Token(token.token.id.clone())).await.is_err());
    kept.store.fail(false);
    let names: Vec<_> = kept.access.tokens().await.unwrap().into_iter().map(|token| token.name).collect();
    assert_eq!(names, ["bob"]);
    assert!(kept.access.holder(&token.secret).is_some());
}

#[tokio::test]
async fn sessions_are_found_again_and_only_so_many_are_kept() {
    let kept = kept(Arc::default()).await;
    let local = Digest::of(b"the token");
    let of = || SessionOf::Local { name: "ann".to_owned(), token: local };
    let first = kept.access.begin_session(of()).await.unwrap();
    for _ in 0..1000 {
        kept.clock.fetch_add(1, Ordering::Relaxed);
        kept.access.begin_session(of()).await.unwrap();
    }
    assert_eq!(kept.store.session_rows().await.unwrap().len(), 1000);
    assert!(
        kept.access.in_session(&first, local).is_none(),
        "the one that was not used for longest has ended"
    );
    let last = kept.access.begin_session(of()).await.unwrap();
    let again = self::kept(Arc::clone(&kept.store)).await;
    let found = again.access.in_session(&last, local).unwrap();
    assert_eq!((found.name.as_str(), found.role, found.names_others), ("ann", Role::Admin, false));
    assert_eq!(found.csrf, kept.access.in_session(&last, local).unwrap().csrf);
    assert!(!format!("{:?}", kept.store.session_rows().await).contains(&last), "of the id a digest is kept");
    again.clock.fetch_add(2 * SESSION_IDLE_MS, Ordering::Relaxed);
    again.access.begin_session(of()).await.unwrap();
    assert_eq!(again.store.session_rows().await.unwrap().len(), 1, "those that are over go");
}

fn change(number: u64, at: u64) -> AuditEntry {
    AuditEntry {
        number,
        at: Timestamp(at),
        by: "ann".to_owned(),
        action: AuditAction::Activate,
        subject: "ci-gate".to_owned(),
        detail: "3fa1".to_owned(),
        reason: "faster".to_owned(),
    }
}

fn request(at: u64, operation: &str) -> AuditRecord {
    AuditRecord {
        number: 0,
        at: Timestamp(at),
        by: "bob".to_owned(),
        via: "token 1".to_owned(),
        from: "10.0.0.1".to_owned(),
        operation: operation.to_owned(),
        subject: "run-1".to_owned(),
        workspace: None,
        outcome: Some(AuditOutcome::Done),
        detail: String::new(),
    }
}

#[tokio::test]
async fn requests_and_changes_of_components_are_told_as_one_story() {
    let kept = kept(Arc::default()).await;
    kept.store.tell(vec![change(1, 5), change(2, 20), change(3, 40)]);
    for (at, operation) in [(10, "run.start"), (20, "component.activate"), (30, "run.stop")] {
        kept.store.begin_audit(request(at, operation)).await.unwrap();
    }
    let mut text = String::new();
    let mut before = None;
    loop {
        let page = kept.access.audit_page(AuditQuery { before, limit: Some(2) }).await.unwrap();
        for line in &page.entries {
            text += &format!("{} {} {} by {} {}\n", line.at.0, line.id, line.operation, line.by, line.reason);
        }
        text += &format!("next {:?}\n", page.next);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    expect![[r#"
        40 c3 activate by ann faster
        30 3 run.stop by bob 
        next Some("3.3")
        20 c2 activate by ann faster
        20 2 component.activate by bob 
        next Some("2.2")
        10 1 run.start by bob 
        5 c1 activate by ann faster
        next None
    "#]]
    .assert_eq(&text);
    for wrong in ["", "1", "a.b", "1.2.3", "-"] {
        let query = AuditQuery { before: Some(wrong.to_owned()), limit: None };
        assert!(matches!(kept.access.audit_page(query).await, Err(ServiceError::Invalid(_))), "{wrong}");
    }
}

#[tokio::test]
async fn what_was_under_way_when_the_host_went_down_is_told_as_such() {
    let kept = kept(Arc::default()).await;
    let who = Arc::new(Identity::local("ann"));
    let work = kept.access.audited(Some(&who), "run.stop", "run-1", std::future::pending::<Result<(), _>>());
    let mut work = Box::pin(acting(Some(Arc::clone(&who)), work));
    assert!(
        std::future::poll_fn(|context| std::task::Poll::Ready(work.as_mut().poll(context).is_pending()))
            .await
    );
    drop(work);
    let page = kept.access.audit_page(AuditQuery::default()).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    assert_eq!((page.entries[0].outcome, page.entries[0].via.as_str()), (None, "local"));
}
