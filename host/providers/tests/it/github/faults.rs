//! A GitHub that answers errors, limits, rubbish or nothing: waited for, or told in a line, and no secret in it.

use super::fake::{Fault, TOKEN};
use super::wire::reply;
use super::{PACE, World, told};
use crate::wire::scripted;
use lockstep_ports::{Forge, Secret};
use lockstep_providers::{GitHubCredential, GitHubPace};
use lockstep_types::{EffectOutcome, MergeMethod, ObserveFailure, Verdict};
use std::time::Duration;

#[tokio::test]
async fn what_passes_by_is_asked_again() {
    let world = World::new();
    for line in [
        "GET /api/repos/acme/shop/git/ref",
        "GET /api/repos/acme/shop/pulls",
        "GET /api/repos/acme/shop/commits",
    ] {
        world.fake.fault(line, Fault::Answer(Vec::new()));
        world.fake.fault_times(1, line, 500, &[], "oops");
        world.fake.fault_times(1, line, 503, &[], "{}");
    }
    assert_eq!(told(&world.checks().await.unwrap()), "");
    assert_eq!(world.fake.state().pulls.len(), 1);
}

#[tokio::test]
async fn what_does_not_pass_is_waited_for_by_the_gate() {
    let world = World::new();
    world.checks().await.unwrap();
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"check_runs\": [".to_vec();
    let endless = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", " ".repeat(9 << 20)).into_bytes();
    for (bytes, said) in [
        (reply(500, &[], b"{\"message\":\"Server Error\"}"), "answered 500: Server Error"),
        (half, "cut short"),
        (Vec::new(), "was cut short"),
        (reply(200, &[], b"<html>welcome</html>"), "is not what GitHub describes"),
        (reply(200, &[], b"{\"check_runs\": 3}"), "is not what GitHub describes"),
        (reply(429, &[("retry-after", "77")], b"{}"), "rate limit is used up until"),
    ] {
        for _ in 0..4 {
            world.fake.fault("GET /api/repos/acme/shop/commits", Fault::Answer(bytes.clone()));
        }
        let report = world.checks().await.unwrap();
        let [check] = report.checks.as_slice() else { panic!("{report:?}") };
        assert!(check.name.contains(said) && check.status != "completed", "{check:?}");
        world.fake.state().faults.clear();
    }
    // The limit holds for everything, and nobody is asked while it does.
    let asked = world.fake.count("");
    assert_eq!(world.merges().await.unwrap().verdict, Verdict::Unknown);
    let EffectOutcome::Failed(why) = world.merge(MergeMethod::Merge).await else { panic!("merged") };
    assert!(why.contains("rate limit is used up until"), "{why}");
    assert_eq!(world.fake.count(""), asked);
    let world = world.restarted();
    world.fake.fault("GET /api/repos/acme/shop/commits", Fault::Answer(endless));
    let Err(ObserveFailure::Failed(why)) = world.checks().await else { panic!("taken") };
    assert!(why.contains("more than 8388608 bytes"), "{why}");
}

#[tokio::test]
async fn every_way_of_telling_a_limit_is_heard() {
    let secondary = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes."}"#;
    let later = "4102444800";
    for (status, headers, body) in [
        (
            403,
            vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", later)],
            r#"{"message":"API rate limit exceeded"}"#,
        ),
        (429, vec![], "{}"),
        (403, vec![("retry-after", "60")], "{}"),
        (403, vec![], secondary),
        (
            200,
            vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", later)],
            r#"{"message":"the last one"}"#,
        ),
    ] {
        let world = World::new();
        world.fake.fault_times(1, "GET /api/repos/acme/shop/git/ref", status, &headers, body);
        let report = world.checks().await.unwrap();
        assert_eq!(report.checks.len(), 1, "{status} {body}: {report:?}");
        assert_eq!(world.fake.count(""), 1, "{status} {body}");
    }
    // 403 is also what a token gets that may not.
    let world = World::new();
    world.fake.fault_times(1, "GET /api/", 403, &[], r#"{"message":"Resource not accessible"}"#);
    let Err(ObserveFailure::Failed(why)) = world.checks().await else { panic!("taken") };
    assert!(why.contains("answered 403: Resource not accessible: give the token"), "{why}");
}

#[tokio::test]
async fn a_short_limit_is_waited_for() {
    let pace = GitHubPace { reading_patience: Duration::from_hours(1), ..PACE };
    let world = World::with(|options| options.pace = pace);
    world.fake.fault_times(2, "GET /api/", 429, &[("retry-after", "0")], "{}");
    assert!(world.checks().await.unwrap().checks.is_empty());
}

#[tokio::test]
async fn nobody_is_followed_elsewhere() {
    let (evil, asked) = scripted(|_| "200 OK\n\n[]".into());
    let world = World::new();
    world.checks().await.unwrap();
    let away = format!("http://{evil}/");
    let next = format!("<{away}>; rel=\"next\"");
    world.fake.fault_times(1, "GET /api/repos/acme/shop/pulls", 200, &[("link", &next)], "[]");
    let failed = world.github.open_pull_requests(world.fixture.repo().to_str().unwrap()).await;
    let Err(ObserveFailure::Failed(why)) = failed else { panic!("{failed:?}") };
    assert!(why.contains("names a page that is somewhere else"), "{why}");
    for status in [301, 302, 307] {
        world.fake.fault_times(1, "GET /api/repos/acme/shop/pulls", status, &[("location", &away)], "{}");
        let failed = world.github.open_pull_requests(world.fixture.repo().to_str().unwrap()).await;
        let Err(ObserveFailure::Failed(why)) = failed else { panic!("{failed:?}") };
        assert!(why.ends_with("write its new name into config.toml"), "{why}");
    }
    world.fake.fault_times(1, "GET /git/", 301, &[("location", &away)], "");
    world.fixture.commit_on("feature", "c.txt", "c\n", "add c");
    world.checks().await.unwrap_err();
    assert!(asked.lock().unwrap().is_empty(), "{asked:?}");
    // Within the same place a renamed repository is found.
    let here = format!("http://{}/api/repos/acme/shop/pulls?state=open", world.fake.address);
    world.fake.fault_times(1, "GET /api/repos/acme/shop/pulls", 301, &[("location", &here)], "{}");
    let found = world.github.open_pull_requests(world.fixture.repo().to_str().unwrap()).await.unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn pages_without_end_come_to_one() {
    let world = World::new();
    world.checks().await.unwrap();
    let head = world.fixture.tip("feature");
    world.fake.state().page = 1;
    world.fake.state().check_runs =
        (1..20).map(|id| super::fake::check_run(id, "test", &head, "completed", Some("success"))).collect();
    let Err(ObserveFailure::Failed(why)) = world.checks().await else { panic!("taken") };
    assert!(why.contains("has more than 10 entries, the most that are read"), "{why}");
    assert_eq!(world.fake.count(&format!("GET /api/repos/acme/shop/commits/{head}/check-runs")), 1 + 10);
}

#[tokio::test]
async fn no_message_shows_the_secret() {
    let mut said = Vec::new();
    for line in ["GET /api/", "GET /git/"] {
        let world = World::new();
        world.fake.state().token = "another".into();
        let body = format!("{{\"message\":\"Bearer {TOKEN} is no good\"}}");
        world.fake.fault_times(4, line, 401, &[], &body);
        match world.checks().await {
            Err(ObserveFailure::Failed(why)) => said.push(why),
            other => panic!("{other:?}"),
        }
        said.push(format!("{:?}", world.merge(MergeMethod::Merge).await));
    }
    let credential = GitHubCredential::Token(Secret::new(TOKEN.into()));
    said.push(format!("{credential:?}"));
    for text in said {
        assert!(!text.contains(TOKEN) && !text.contains('\n'), "{text}");
        assert!(text.contains("401") || text.contains("token") || text.contains("Token"), "{text}");
    }
}

#[tokio::test]
async fn a_refused_push_says_why() {
    let world = World::new();
    let hook = world.fixture.root().join("hub/acme/shop.git/hooks/pre-receive");
    std::fs::write(&hook, "#!/bin/sh\necho 'error: GH013: Repository rule violations found' >&2\nexit 1\n")
        .unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let Err(ObserveFailure::Failed(why)) = world.checks().await else { panic!("taken") };
    assert_eq!(why, "acme/shop does not take feature: GH013: Repository rule violations found");
}
