//! Payloads that are meant to do harm, or went wrong on their way.

use crate::told;
use expect_test::expect;
use lockstep_hooks::github::{PAYLOAD_BYTES_MAX, read};

#[test]
fn what_is_not_as_documented_is_refused_with_a_reason() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!("{{\"x\":{deep}}}");
    let cases: [(&str, &[u8]); 10] = [
        ("ping", b""),
        ("ping", b"\xff\xfe"),
        ("push", b"{\"ref\": \"refs/heads/m"),
        ("push", b"{}"),
        ("push", b"{\"ref\": 7}"),
        ("push", b"[]"),
        ("pull_request", b"{\"action\": \"closed\", \"pull_request\": {\"number\": -1}}"),
        ("check_run", b"{\"action\": \"completed\"}"),
        ("star", nested.as_bytes()),
        ("push", b"{\"ref\": \"refs/heads/main\", \"after\": \"1\", \"ref\": \"refs/heads/other\"}"),
    ];
    let lines: String = cases.iter().map(|(event, body)| told(event, body) + "\n").collect();
    expect![[r#"
        refused: the payload of "ping" is no JSON: EOF while parsing a value at line 1 column 0
        refused: the payload of "ping" is no JSON: expected value at line 1 column 1
        refused: the payload of "push" is no JSON: EOF while parsing a string at line 1 column 21
        refused: the payload of "push" is not what GitHub documents: missing field `ref` at line 1 column 2
        refused: the payload of "push" is not what GitHub documents: invalid type: integer `7`, expected a string at line 1 column 9
        refused: the payload of "push" is not what GitHub documents: invalid length 0, expected struct Pushed with 3 elements at line 1 column 2
        refused: the payload of "pull_request" is not what GitHub documents: invalid value: integer `-1`, expected u64 at line 1 column 50
        refused: the payload of "check_run" has no check run
        ignored: says nothing of a change
        refused: the payload of "push" is not what GitHub documents: duplicate field `ref` at line 1 column 46
    "#]].assert_eq(&lines);
}

#[test]
fn a_payload_larger_than_github_sends_is_refused_unread() {
    let body = vec![b' '; PAYLOAD_BYTES_MAX + 1];
    assert_eq!(read("push", &body).unwrap_err().0, "the payload has more than 26214400 bytes");
}

#[test]
fn long_texts_are_cut_and_unknown_fields_do_no_harm() {
    let body = serde_json::json!({
        "ref": format!("refs/heads/{}", "x".repeat(20_000)), "after": "1", "hologram": [{"ref": 1}],
        "repository": {"full_name": "acme/shop", "ref": {}}, "sender": {"login": "a".repeat(1_000)},
    });
    let told = told("push", body.to_string().as_bytes());
    assert_eq!(told.len(), "acme/shop by : pushed  to 1".len() + 10_000 + 200);
}
