//! Answers that requests with an idempotency key were given.

use crate::Subject;
use lockstep_ports::{Replies, Reply, ReplyAnswer};
use lockstep_testkit::journal_contract::Subject as _;
use lockstep_types::{Digest, Timestamp};

#[tokio::test]
async fn answers_outlive_the_process_and_go_when_they_are_forgotten() {
    let mut subject = Subject::new();
    let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
    let begun = |at| Reply { request: Digest::of(b"request"), at: Timestamp(at), answer: None };
    let answer =
        ReplyAnswer { status: 201, headers: vec![("location".into(), "/x".into())], body: "{}".into() };
    let answered = Reply { answer: Some(answer), ..begun(7) };
    subject.store.keep(&one, &begun(7)).await.unwrap();
    subject.store.keep(&other, &begun(9)).await.unwrap();
    subject.reopen().await;
    assert_eq!(subject.store.reply(&one).await.unwrap(), Some(begun(7)));
    subject.store.keep(&one, &answered).await.unwrap();
    subject.reopen().await;
    assert_eq!(subject.store.reply(&one).await.unwrap(), Some(answered));
    let mut keys = subject.store.keys().await.unwrap();
    keys.sort_by_key(|(_, at)| *at);
    assert_eq!(keys, [(one, Timestamp(7)), (other, Timestamp(9))]);
    subject.store.forget(&[(one, Timestamp(7))]).await.unwrap();
    subject.reopen().await;
    assert_eq!(subject.store.reply(&one).await.unwrap(), None);
    assert_eq!(subject.store.reply(&other).await.unwrap(), Some(begun(9)));
}
