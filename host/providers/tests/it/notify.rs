//! Messages to addresses the operator names.

use crate::loopback::{Service, reply};
use lockstep_ports::{Happening, Listener, Message, Secret};
use lockstep_providers::http::{Http, HttpOptions, Retry};
use lockstep_providers::{BookmarkFiles, NotifyEndpoint, NotifyFormat};
use lockstep_types::Timestamp;

fn endpoint(service: &Service, format: NotifyFormat) -> NotifyEndpoint {
    let mut options = HttpOptions::new("notify", format!("{}/hook/s3cret-path", service.url()));
    options.retry = Retry::NEVER;
    options.is_secret = true;
    let wanted = [Happening::Failed].into();
    NotifyEndpoint::new(
        Http::new(options).unwrap(),
        "ops".to_owned(),
        format,
        wanted,
        "https://lockstep.test/",
    )
}

fn delivery() -> Message {
    Message {
        id: "run-1.4.0".to_owned(),
        at: Timestamp(1000),
        what: Happening::Failed,
        run: "run-1".to_owned().try_into().unwrap(),
        step: Some("ci".to_owned()),
        text: "gate-exhausted: red".to_owned(),
        summary: None,
    }
}

#[tokio::test]
async fn a_message_says_what_happened_and_is_signed() {
    let service = Service::script(&[&reply(204, &[], "")]);
    let key = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
    endpoint(&service, NotifyFormat::Json(Some(key))).deliver(&delivery()).await.unwrap();
    let asked = &service.asked()[0];
    assert_eq!(asked.line, "POST /hook/s3cret-path");
    assert_eq!(asked.header("webhook-id"), Some("run-1.4.0"));
    assert!(asked.header("webhook-signature").unwrap().starts_with("v1,"));
    asked.header("webhook-timestamp").unwrap().parse::<u64>().unwrap();
    let body = asked.json();
    assert_eq!(body["type"], "run.failed");
    assert_eq!(body["data"]["url"], "https://lockstep.test/runs/run-1");
    let unsigned = endpoint(&service, NotifyFormat::Json(None));
    unsigned.deliver(&delivery()).await.unwrap();
    assert_eq!(service.asked()[1].header("webhook-signature"), None);
    assert!(unsigned.wants(Happening::Failed) && !unsigned.wants(Happening::Done));
}

#[tokio::test]
async fn what_is_not_taken_comes_again_unless_it_is_nonsense_and_shows_no_address() {
    let cases = [
        (reply(500, &[], "oops"), true),
        (reply(429, &[("retry-after", "60")], ""), true),
        (reply(403, &[], "invalid_token"), true),
        (reply(400, &[], "invalid_blocks"), false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\no".to_owned(), true),
        (String::new(), true),
    ];
    for (answer, is_temporary) in cases {
        let service = Service::script(&[&answer]);
        let error = endpoint(&service, NotifyFormat::Slack).deliver(&delivery()).await.unwrap_err();
        assert_eq!(error.is_temporary, is_temporary, "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn a_bookmark_outlives_its_host() {
    use lockstep_ports::{Bookmark, Bookmarks};
    let dir = tempfile::tempdir().unwrap();
    let files = BookmarkFiles::new(dir.path());
    assert_eq!(files.load("ops").await, Ok(None));
    let bookmark =
        Bookmark { position: 7, failing: Some((Timestamp(1), "x".to_owned())), ..Bookmark::default() };
    files.save("ops", &bookmark).await.unwrap();
    assert_eq!(BookmarkFiles::new(dir.path()).load("ops").await, Ok(Some(bookmark)));
    std::fs::write(dir.path().join("listeners/ops.json"), "{").unwrap();
    assert!(files.load("ops").await.unwrap_err().contains("ops.json: "));
}
