//! Events the published examples do not have, with the fields GitHub documents for them.

use crate::told;
use expect_test::expect;
use serde_json::{Value, json};

fn pull_request() -> Value {
    let end =
        |branch: &str| json!({"ref": branch, "sha": "a".repeat(40), "repo": {"full_name": "acme/shop"}});
    json!({
        "number": 7, "html_url": "https://github.com/acme/shop/pull/7", "title": "Sum", "body": null,
        "state": "open", "merged": false, "head": end("sum"), "base": end("main"), "labels": [],
    })
}

fn payload(action: &str, more: Value) -> Vec<u8> {
    let mut payload = json!({
        "action": action, "pull_request": pull_request(),
        "repository": {"full_name": "acme/shop"}, "sender": {"login": "ann"},
    });
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    payload.to_string().into_bytes()
}

fn group(reason: &str, reference: &str) -> Vec<u8> {
    payload("destroyed", json!({"reason": reason, "merge_group": {"head_ref": reference}}))
}

#[test]
fn a_pull_request_leaves_the_merge_queue_for_many_reasons() {
    let mut lines = String::new();
    for reason in ["CI_FAILURE", "CI_TIMEOUT", "MERGE_CONFLICT", "MERGE", "MANUAL", "BRANCH_PROTECTIONS", ""]
    {
        let told = told("pull_request", &payload("dequeued", json!({"reason": reason})));
        lines.push_str(&format!("{reason}: {told}\n"));
    }
    for (reason, reference) in [
        ("invalidated", "refs/heads/gh-readonly-queue/main/pr-104-929f"),
        ("merged", "refs/heads/gh-readonly-queue/main/pr-104-929f"),
        ("dequeued", "refs/heads/gh-readonly-queue/main/pr-104-929f"),
        ("invalidated", "refs/heads/other"),
    ] {
        lines
            .push_str(&format!("{reason} {reference}: {}\n", told("merge_group", &group(reason, reference))));
    }
    expect![[r#"
        CI_FAILURE: acme/shop by ann: #7 rejected by the merge queue: "CI_FAILURE", conflicts: false
        CI_TIMEOUT: acme/shop by ann: #7 rejected by the merge queue: "CI_TIMEOUT", conflicts: false
        MERGE_CONFLICT: acme/shop by ann: #7 rejected by the merge queue: "MERGE_CONFLICT", conflicts: true
        MERGE: ignored: it left the merge queue as MERGE, which nobody has to repair
        MANUAL: ignored: it left the merge queue as MANUAL, which nobody has to repair
        BRANCH_PROTECTIONS: acme/shop by ann: #7 rejected by the merge queue: "BRANCH_PROTECTIONS", conflicts: false
        : acme/shop by ann: #7 rejected by the merge queue: "", conflicts: false
        invalidated refs/heads/gh-readonly-queue/main/pr-104-929f: acme/shop by ann: #104 rejected by the merge queue: "invalidated", conflicts: false
        merged refs/heads/gh-readonly-queue/main/pr-104-929f: ignored: its pull request tells how it left the merge queue
        dequeued refs/heads/gh-readonly-queue/main/pr-104-929f: ignored: its pull request tells how it left the merge queue
        invalidated refs/heads/other: ignored: its name tells no pull request
    "#]].assert_eq(&lines);
}

#[test]
fn reviews_merges_deletions_and_forks() {
    let review = |state: &str, association: &str| {
        let review = json!({
            "id": 80, "user": {"login": "bob"}, "body": "tax is missing", "commit_id": "b".repeat(40),
            "state": state, "author_association": association,
        });
        told("pull_request_review", &payload("submitted", json!({"review": review})))
    };
    let mut merged = pull_request();
    merged["merged"] = json!(true);
    let mut fork = pull_request();
    fork["head"]["repo"]["full_name"] = json!("eve/shop");
    fork["labels"] = json!([{"name": "lockstep"}]);
    let comment = |state: &str| {
        let issue = json!({"number": 7, "state": state, "pull_request": {}});
        let comment =
            json!({"user": {"login": "eve"}, "body": "/lockstep start", "author_association": "NONE"});
        told("issue_comment", &payload("created", json!({"issue": issue, "comment": comment})))
    };
    let push = json!({"ref": "refs/heads/sum", "after": "0".repeat(40), "deleted": true});
    let lines = [
        review("changes_requested", "MEMBER"),
        review("CHANGES_REQUESTED", "CONTRIBUTOR"),
        review("pending", "OWNER"),
        told("pull_request", &payload("closed", json!({"pull_request": merged}))),
        told("pull_request", &payload("opened", json!({"pull_request": fork}))),
        comment("open"),
        comment("closed"),
        told("push", &payload("", push)),
        told("hologram", b"{}"),
    ];
    expect![[r#"
        acme/shop by ann: #7: review 80 by bob (may write: true): ChangesRequested of bbbbbbb: "tax is missing"
        acme/shop by ann: #7: review 80 by bob (may write: false): ChangesRequested of bbbbbbb: "tax is missing"
        ignored: a review that is submitted as pending concludes nothing new
        acme/shop by ann: #7 closed, merged: true
        acme/shop by ann: #7 of a fork labelled lockstep
        acme/shop by ann: #7: eve (may write: false) said "/lockstep start"
        ignored: its pull request is closed
        acme/shop by ann: pushed sum to nothing
        ignored: an event this version does not know
    "#]].assert_eq(&lines.map(|line| line + "\n").concat());
}
