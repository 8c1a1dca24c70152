//! What every component store has to do, told as tests. `registry_contract_tests!` makes one test of each.

use crate::samples::{activation, added, audited, component, descriptor};
use async_trait::async_trait;
use lockstep_ports::{ComponentStore, ComponentStoreError, RegistryChange};
use lockstep_types::{
    AuditAction, Canary, CanaryTo, Digest, DirSnapshot, Grant, JsonText, KindGrant, Registry, Signature,
    Stop, Timestamp, Trust, TrustPolicy, TrustedKey,
};
use std::sync::Arc;

/// A component store under test that can be closed and opened again.
#[async_trait]
pub trait Subject: Send {
    /// The store as it is open now.
    fn components(&self) -> Arc<dyn ComponentStore>;
    /// Closes it and opens what it left behind.
    async fn reopen(&mut self);
}

/// One `#[tokio::test]` for each rule. `$make` gives a new, empty `Subject`.
#[macro_export]
macro_rules! registry_contract_tests {
    ($make:expr) => {
        $crate::registry_contract_tests!(@each $make;
            a_component_is_kept_once_and_found_again,
            bytes_of_another_digest_change_nothing,
            pointers_move_and_remember,
            what_an_operator_said_is_kept_until_it_is_taken_back,
            a_removed_component_is_gone_with_its_signatures,
            changes_and_their_entry_are_stored_together,
            the_audit_log_grows_and_is_read_from_its_end,
            a_directory_is_kept_as_it_was,
        );
    };
    (@each $make:expr; $($rule:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                let mut subject = $make;
                $crate::registry_contract::$rule(&mut subject).await;
            }
        )*
    };
}

async fn change(subject: &dyn Subject, change: RegistryChange) {
    subject.components().change(vec![change], audited(AuditAction::Add, "it")).await.expect("readable");
}

async fn registry(subject: &dyn Subject) -> Registry {
    subject.components().registry().await.expect("readable")
}

/// Keeping it again changes nothing of what is known of it.
pub async fn a_component_is_kept_once_and_found_again(subject: &mut dyn Subject) {
    let mut descriptor = descriptor("ci-gate", "1");
    // Larger than any page of a database takes in one piece.
    descriptor.config_schema = JsonText::of(&"s".repeat(200_000));
    let (info, bytes) = component(&descriptor);
    for added_at in [1, 2] {
        let mut again = info.clone();
        again.added_at = Timestamp(added_at);
        change(subject, added(again, bytes.clone())).await;
    }
    subject.reopen().await;
    let store = subject.components();
    assert_eq!(store.list().await.expect("readable"), std::slice::from_ref(&info));
    assert_eq!(store.info(&info.digest).await.expect("readable"), Some(info.clone()));
    assert_eq!(store.bytes(&info.digest).await.expect("readable"), Some(bytes));
    assert_eq!(store.info(&Digest::zero()).await.expect("readable"), None);
    assert_eq!(store.bytes(&Digest::zero()).await.expect("readable"), None);
}

/// Nor is the refusal written down.
pub async fn bytes_of_another_digest_change_nothing(subject: &mut dyn Subject) {
    let (info, _) = component(&descriptor("ci-gate", "1"));
    let pointer = RegistryChange::Activate(activation("ci-gate", info.digest, 1));
    let changes = vec![pointer, added(info, b"other bytes".to_vec())];
    let refused = subject.components().change(changes, audited(AuditAction::Add, "it")).await;
    assert!(matches!(refused, Err(ComponentStoreError::Io { .. })), "{refused:?}");
    assert_eq!(subject.components().list().await.expect("readable"), []);
    assert_eq!(registry(subject).await, Registry::default());
    assert_eq!(subject.components().audit(10).await.expect("readable"), []);
}

/// A kind that is the beginning of another does not take its history.
pub async fn pointers_move_and_remember(subject: &mut dyn Subject) {
    let digests = [Digest::of(b"1"), Digest::of(b"2")];
    for at in 1..=12 {
        for kind in ["ci", "ci-gate"] {
            let digest = digests[usize::try_from(at % 2).expect("readable")];
            change(subject, RegistryChange::Activate(activation(kind, digest, at))).await;
        }
        if at == 6 {
            subject.reopen().await;
        }
    }
    let store = subject.components();
    let active = [activation("ci", digests[0], 12), activation("ci-gate", digests[0], 12)];
    assert_eq!(store.active().await.expect("readable"), active);
    let history = store.history("ci").await.expect("readable");
    assert_eq!(history.iter().map(|moved| moved.at.0).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    assert!(history.iter().all(|moved| moved.kind == "ci"));
    assert_eq!(store.history("c").await.expect("readable"), []);
}

/// Grants, stops, canaries, trust and signatures.
pub async fn what_an_operator_said_is_kept_until_it_is_taken_back(subject: &mut dyn Subject) {
    let digest = Digest::of(b"1");
    let (at, by) = (Timestamp(1), "ann".to_owned());
    let grant = |imports: &[&str]| KindGrant {
        kind: "ci-gate".to_owned(),
        grant: Grant { imports: imports.iter().map(|name| (*name).to_owned()).collect(), ..Grant::default() },
        at,
        by: by.clone(),
    };
    let stop = Stop { digest, at, by: by.clone(), reason: "it merges".to_owned() };
    let canary =
        |to| Canary { kind: "ci-gate".to_owned(), digest, to, at, by: by.clone(), reason: String::new() };
    let key = TrustedKey { name: "team".to_owned(), key: "00".repeat(32), at, by: by.clone() };
    let trust = Trust { policy: TrustPolicy::Require, keys: vec![key] };
    let signature = |n: &str| Signature { key: "00".repeat(32), signature: n.repeat(64) };
    change(subject, RegistryChange::Grant(grant(&["log"]))).await;
    change(subject, RegistryChange::Grant(grant(&["log", "checks"]))).await;
    change(subject, RegistryChange::Stop(stop.clone())).await;
    change(subject, RegistryChange::Canary(canary(CanaryTo::Share(10)))).await;
    change(subject, RegistryChange::Canary(canary(CanaryTo::Items(vec!["a".to_owned()])))).await;
    change(subject, RegistryChange::Trust(trust.clone())).await;
    change(subject, RegistryChange::Sign(digest, signature("11"))).await;
    change(subject, RegistryChange::Sign(digest, signature("22"))).await;
    subject.reopen().await;
    let kept = Registry {
        active: Vec::new(),
        grants: vec![grant(&["log", "checks"])],
        stops: vec![stop],
        canaries: vec![canary(CanaryTo::Items(vec!["a".to_owned()]))],
        trust,
        signatures: [(digest, vec![signature("22")])].into(),
    };
    assert_eq!(registry(subject).await, kept);
    change(subject, RegistryChange::Resume(digest)).await;
    change(subject, RegistryChange::EndCanary("ci-gate".to_owned())).await;
    // What is not there can be taken away again.
    change(subject, RegistryChange::Resume(digest)).await;
    change(subject, RegistryChange::EndCanary("ci-gate".to_owned())).await;
    let left = registry(subject).await;
    assert_eq!((left.stops, left.canaries), (Vec::new(), Vec::new()));
}

/// It can be added again.
pub async fn a_removed_component_is_gone_with_its_signatures(subject: &mut dyn Subject) {
    let (info, bytes) = component(&descriptor("ci-gate", "1"));
    let digest = info.digest;
    let signature = Signature { key: "00".repeat(32), signature: "11".repeat(64) };
    for _ in 0..2 {
        change(subject, added(info.clone(), bytes.clone())).await;
        change(subject, RegistryChange::Sign(digest, signature.clone())).await;
        assert_eq!(subject.components().bytes(&digest).await.expect("readable"), Some(bytes.clone()));
        change(subject, RegistryChange::Remove(digest)).await;
        subject.reopen().await;
        assert_eq!(subject.components().list().await.expect("readable"), []);
        assert_eq!(subject.components().bytes(&digest).await.expect("readable"), None);
        assert_eq!(registry(subject).await, Registry::default());
    }
}

/// One entry for all of it.
pub async fn changes_and_their_entry_are_stored_together(subject: &mut dyn Subject) {
    let (info, bytes) = component(&descriptor("ci-gate", "1"));
    let pointer = activation("ci-gate", info.digest, 1);
    let changes = vec![added(info.clone(), bytes), RegistryChange::Activate(pointer.clone())];
    subject.components().change(changes, audited(AuditAction::Activate, "ci-gate")).await.expect("readable");
    subject.reopen().await;
    assert_eq!(subject.components().list().await.expect("readable"), [info]);
    assert_eq!(registry(subject).await.active, [pointer]);
    let audit = subject.components().audit(10).await.expect("readable");
    assert_eq!(
        audit.iter().map(|entry| (entry.number, entry.action)).collect::<Vec<_>>(),
        [(1, AuditAction::Activate)]
    );
}

/// Entries are numbered without gaps, across reopening.
pub async fn the_audit_log_grows_and_is_read_from_its_end(subject: &mut dyn Subject) {
    for n in 1..=12 {
        let kind = format!("kind-{n}");
        let entry = audited(AuditAction::EndCanary, &kind);
        subject.components().change(vec![RegistryChange::EndCanary(kind)], entry).await.expect("readable");
        if n == 6 {
            subject.reopen().await;
        }
    }
    let audit = subject.components().audit(3).await.expect("readable");
    let read: Vec<_> = audit.iter().map(|entry| (entry.number, entry.subject.as_str())).collect();
    assert_eq!(read, [(10, "kind-10"), (11, "kind-11"), (12, "kind-12")]);
    let all = subject.components().audit(100).await.expect("readable");
    assert!(all.iter().zip(1..).all(|(entry, number)| entry.number == number) && all.len() == 12);
}

/// Files are found by the digest of all of them, and keeping them again changes nothing.
pub async fn a_directory_is_kept_as_it_was(subject: &mut dyn Subject) {
    let mut dir = DirSnapshot::default();
    dir.add("rules/main.json", b"{}".to_vec()).expect("a path inside");
    dir.add("empty", Vec::new()).expect("a path inside");
    assert_eq!(subject.components().dir(&dir.digest()).await.expect("readable"), None);
    for _ in 0..2 {
        assert_eq!(subject.components().keep_dir(dir.clone()).await.expect("kept"), dir.digest());
    }
    let other = subject.components().keep_dir(DirSnapshot::default()).await.expect("kept");
    subject.reopen().await;
    assert_eq!(subject.components().dir(&dir.digest()).await.expect("readable"), Some(dir.clone()));
    assert_eq!(subject.components().dir(&other).await.expect("readable"), Some(DirSnapshot::default()));
    assert_eq!(subject.components().list().await.expect("readable"), [], "it is no component");
    let mut both = vec![dir.digest(), other];
    both.sort();
    assert_eq!(subject.components().dirs().await.expect("readable"), both);
    for _ in 0..2 {
        subject.components().forget_dir(&other).await.expect("removed");
    }
    assert_eq!(subject.components().dirs().await.expect("readable"), [dir.digest()]);
}
