//! Checks and mergeability, and how the clone and GitHub are kept together.

use super::fake::{TOKEN, check_run, review, status};
use super::{World, told};
use expect_test::expect;
use lockstep_types::{Effect, ObserveFailure, Verdict};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_commit_github_lacks_is_pushed_and_a_pull_request_opened() {
    let world = World::new();
    let report = world.checks().await.unwrap();
    assert_eq!(world.fake.tip("feature"), world.fixture.tip("feature"));
    assert_eq!(report.head_commit, Some(world.fixture.tip("feature")));
    let pull = report.pull_request.clone().unwrap();
    assert_eq!((pull.url.as_str(), pull.number), ("https://github.test/acme/shop/pull/1", Some(1)));
    {
        let state = world.fake.state();
        assert_eq!((state.pulls[0].title.as_str(), state.pulls[0].base.as_str()), ("Add b", "main"));
        assert_eq!(state.pulls[0].body, "A file b.\n\n---\nOpened by Lockstep, run `run-1`.");
    }
    // Looking again changes nothing, and costs nothing of the limit.
    assert_eq!(world.checks().await.unwrap(), report);
    let (asked, known) = (world.fake.count(""), world.fake.state().not_modified);
    assert_eq!(world.checks().await.unwrap(), report);
    assert_eq!(world.fake.count("POST /api/"), 1);
    assert_eq!(world.fake.count("POST /git/"), 1);
    let (asked, known) = (world.fake.count("") - asked, world.fake.state().not_modified - known);
    assert_eq!((asked, known), (6, 6));
}

#[tokio::test]
async fn check_runs_and_statuses_of_all_pages_are_told_beside_local_checks() {
    let world = World::new();
    world.checks().await.unwrap();
    let head = world.fixture.tip("feature");
    {
        let mut state = world.fake.state();
        state.page = 2;
        state.required = vec!["e2e".into(), "test".into()];
        let context = json!([{ "context": "audit" }, { "context": "ci/build" }]);
        let ruleset =
            json!({ "ruleset_source_type": "Repository", "ruleset_source": "acme/shop", "ruleset_id": 1 });
        let mut rule = ruleset;
        rule["type"] = "required_status_checks".into();
        rule["parameters"] =
            json!({ "required_status_checks": context, "strict_required_status_checks_policy": false });
        state.rules = vec![rule];
        state.check_runs = vec![
            check_run(1, "test", &head, "completed", Some("failure")),
            check_run(2, "test", &head, "completed", Some("success")),
            check_run(3, "lint", &head, "in_progress", None),
            check_run(4, "docs", &head, "completed", Some("skipped")),
            check_run(5, "slow", &head, "queued", None),
            check_run(6, "elsewhere", &"0".repeat(40), "completed", Some("failure")),
        ];
        state.statuses = vec![
            status("ci/build", &head, "success"),
            status("ci/deploy", &head, "pending"),
            status("lockstep/change", &head, "pending"),
        ];
    }
    expect![[r#"
        docs completed skipped
        lint in_progress -
        slow queued -
        test completed success
        ci/build completed success
        ci/deploy pending -
        audit expected -
        e2e expected -
    "#]]
    .assert_eq(&told(&world.checks().await.unwrap()));
}

#[tokio::test]
async fn a_commit_without_checks_is_given_time_to_get_some() {
    let mut patient = World::with(|options| options.pace.checks_appear = Duration::from_hours(1));
    let report = patient.checks().await.unwrap();
    assert_eq!(report.checks.len(), 1);
    assert!(report.checks[0].name.starts_with("GitHub (no check was reported yet"), "{report:?}");
    let head = patient.fixture.tip("feature");
    patient.fake.state().check_runs = vec![check_run(1, "test", &head, "completed", Some("success"))];
    assert_eq!(told(&patient.checks().await.unwrap()), "test completed success\n");
    patient = patient.restarted();
    patient.fake.state().check_runs.clear();
    assert_eq!(told(&patient.checks().await.unwrap()), "", "time is over");
}

#[tokio::test]
async fn whichever_is_behind_follows_and_nothing_is_lost() {
    let world = World::new();
    world.checks().await.unwrap();
    // The clone is ahead.
    let ahead = world.fixture.commit_on("feature", "c.txt", "c\n", "add c");
    world.checks().await.unwrap();
    assert_eq!(world.fake.tip("feature"), ahead);
    // Somebody pushed.
    let theirs = commit_there(&world, "feature", "theirs");
    let report = world.checks().await.unwrap();
    assert_eq!(report.head_commit.as_deref(), Some(theirs.as_str()));
    assert_eq!(world.fixture.tip("feature"), theirs);
    // A job made its last commit anew: what is there is ours, or was followed; here it is theirs.
    world.fixture.run(&["branch", "--force", "feature", &ahead]);
    let other = world.fixture.commit_on("feature", "d.txt", "d\n", "add d");
    let Err(ObserveFailure::Failed(why)) = world.checks().await else { panic!("taken") };
    assert!(
        why.starts_with("feature has commits here that GitHub's lacks, and the other way round"),
        "{why}"
    );
    assert_eq!((world.fake.tip("feature"), world.fixture.tip("feature")), (theirs, other));
}

#[tokio::test]
async fn a_commit_of_ours_may_be_replaced_also_after_a_restart() {
    let world = World::new();
    world.checks().await.unwrap();
    let world = world.restarted();
    world.fixture.run(&["branch", "--force", "feature", "main"]);
    let anew = world.fixture.commit_on("feature", "b.txt", "better\n", "add b");
    world.checks().await.unwrap();
    assert_eq!(world.fake.tip("feature"), anew);
}

#[tokio::test]
async fn a_checked_out_branch_follows_with_its_files_or_stays() {
    let world = World::new();
    world.checks().await.unwrap();
    world.fixture.run(&["checkout", "--quiet", "feature"]);
    let theirs = commit_there(&world, "feature", "theirs");
    world.fixture.run(&["checkout", "--quiet", "feature"]);
    std::fs::write(world.fixture.path("b.txt"), "half done").unwrap();
    let Err(ObserveFailure::Failed(why)) = world.checks().await else { panic!("taken") };
    assert!(why.contains("is behind GitHub's, and checked out in") && why.contains("uncommitted"), "{why}");
    assert_eq!(std::fs::read_to_string(world.fixture.path("b.txt")).unwrap(), "half done");
    world.fixture.run(&["checkout", "--quiet", "--", "b.txt"]);
    assert_eq!(world.checks().await.unwrap().head_commit, Some(theirs));
    assert_eq!(world.fixture.run(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_clone_that_turns_addresses_around_gets_no_secret() {
    let world = World::new();
    let (evil, asked) = crate::wire::scripted(|_| "404 Not Found\n\n".into());
    // A job can write these: another place in place of GitHub's, a proxy, a program that is asked for passwords.
    let address = format!("http://{}/git/", world.fake.address);
    world.fixture.run(&["config", &format!("url.http://{evil}/.insteadOf"), &address]);
    world.fixture.run(&["config", "http.proxy", &format!("http://{evil}")]);
    world.fixture.run(&["config", &format!("http.{address}.proxy"), &format!("http://{evil}")]);
    world.fixture.run(&["config", "credential.helper", "!touch helper-ran"]);
    let hook = world.fixture.path(".git/hooks/pre-push");
    std::fs::write(&hook, "#!/bin/sh\ntouch \"$(dirname \"$0\")/../hook-ran\"\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.checks().await.unwrap();
    assert_eq!(world.fake.tip("feature"), world.fixture.tip("feature"));
    assert!(asked.lock().unwrap().is_empty(), "{asked:?}");
    assert!(!world.fixture.path(".git/hook-ran").exists() && !world.fixture.path("helper-ran").exists());
    for file in walk(&world.fixture.root().join("data")) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()), "{}", file.display());
    }
}

#[tokio::test]
async fn mergeability_is_what_github_finds_out() {
    let world = World::new();
    // Nothing was opened yet: the clone answers, with GitHub's base branch.
    assert_eq!(world.merges().await.unwrap().verdict, Verdict::Mergeable);
    world.checks().await.unwrap();
    world.fake.state().computing = 3;
    let report = world.merges().await.unwrap();
    assert_eq!((report.verdict, report.reasons), (Verdict::Mergeable, Vec::new()));
    world.fake.state().computing = 100;
    let report = world.merges().await.unwrap();
    assert_eq!(
        (report.verdict, report.reasons),
        (Verdict::Unknown, vec!["GitHub has not found out yet".into()])
    );
    world.fake.state().computing = 0;
    conflict_there(&world);
    let report = world.merges().await.unwrap();
    assert_eq!((report.verdict, report.conflicts), (Verdict::Conflicted, vec!["b.txt".into()]));
    assert_eq!(world.fixture.tip("main"), world.fake.tip("main"), "a resolver merges what GitHub has");
}

#[tokio::test]
async fn what_else_stands_in_the_way_is_told() {
    let world = World::new();
    world.checks().await.unwrap();
    let head = world.fixture.tip("feature");
    {
        let mut state = world.fake.state();
        state.pulls[0].draft = true;
        state.pulls[0].state = "blocked";
        state.reviews =
            vec![review(1, "ann", "APPROVED", &head), review(2, "bob", "CHANGES_REQUESTED", &head)];
        state.rules = vec![json!({
            "type": "pull_request", "ruleset_source_type": "Repository", "ruleset_source": "acme/shop", "ruleset_id": 1,
            "parameters": {
                "dismiss_stale_reviews_on_push": false, "require_code_owner_review": false,
                "require_last_push_approval": false, "required_approving_review_count": 2,
                "required_review_thread_resolution": false,
            },
        })];
    }
    let report = world.merges().await.unwrap();
    assert_eq!(report.verdict, Verdict::Mergeable);
    expect![[r#"
        [
            "it is a draft: mark it as ready for review",
            "changes were requested by bob",
            "1 of 2 approving reviews were given",
        ]
    "#]]
    .assert_debug_eq(&report.reasons);
    {
        let mut state = world.fake.state();
        (state.pulls[0].draft, state.pulls[0].state) = (false, "behind");
    }
    assert_eq!(world.merges().await.unwrap().reasons, ["it is behind main: update the branch"]);
}

#[tokio::test]
async fn another_repository_is_as_without_a_forge() {
    let world = World::with(|options| options.repositories.clear());
    assert_eq!(told(&world.checks().await.unwrap()), "");
    assert_eq!(world.merges().await.unwrap().verdict, Verdict::Mergeable);
    let done = world.perform(&world.order(Effect::UpdateBranch)).await;
    assert!(matches!(done, lockstep_types::EffectOutcome::Done(_)), "{done:?}");
    assert_eq!(world.fake.count(""), 0);
}

#[tokio::test]
async fn a_worktree_of_the_clone_is_the_clone() {
    let world = World::new();
    let tree = world.fixture.root().join("tree");
    world.fixture.run(&["worktree", "add", "--quiet", tree.to_str().unwrap(), "feature"]);
    let mut change = world.change();
    change.repository = tree.to_str().unwrap().to_owned();
    assert!(world.checks_of(&change).await.unwrap().pull_request.is_some());
}

/// Commits a file on a branch of GitHub's.
pub(crate) fn commit_there(world: &World, branch: &str, name: &str) -> String {
    let there = world.fixture.root().join("there");
    let hub = world.fixture.root().join("hub/acme/shop.git");
    let _gone = std::fs::remove_dir_all(&there);
    let clone = ["clone", "--quiet", "--branch", branch, hub.to_str().unwrap(), there.to_str().unwrap()];
    world.fixture.run(&clone);
    std::fs::write(there.join(name), "theirs\n").unwrap();
    world.fixture.run_in(&there, &["add", "."]);
    world.fixture.run_in(&there, &["commit", "--quiet", "-m", name]);
    world.fixture.run_in(&there, &["push", "--quiet", "origin", branch]);
    world.fixture.run_in(&there, &["rev-parse", "HEAD"])
}

/// Has `main` of GitHub's add the file that `feature` adds, with other content.
pub(crate) fn conflict_there(world: &World) {
    commit_there(world, "main", "b.txt");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let below = |path: std::path::PathBuf| if path.is_dir() { walk(&path) } else { vec![path] };
    entries.flat_map(|entry| below(entry.path())).collect()
}
