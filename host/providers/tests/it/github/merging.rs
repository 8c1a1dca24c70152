//! Merges and updates.

use super::World;
use super::asked::{commit_there, conflict_there};
use super::fake::Fault;
use super::wire::reply;
use crate::fixture::merged_commit;
use lockstep_types::{Effect, EffectOutcome, MergeMethod};
use serde_json::json;

fn refused(outcome: EffectOutcome) -> String {
    match outcome {
        EffectOutcome::Refused(why) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn each_method_lands_the_commit_that_was_tested() {
    for (method, word, parents) in [
        (MergeMethod::Merge, "merge", 2),
        (MergeMethod::Squash, "squash", 1),
        (MergeMethod::Rebase, "rebase", 1),
        (MergeMethod::FastForward, "fast-forward", 1),
    ] {
        let world = World::new();
        // Nobody looked at the checks before: the merge itself pushes and opens a pull request.
        let outcome = world.merge(method).await;
        let commit = merged_commit(&outcome);
        let EffectOutcome::Done(done) = &outcome else { unreachable!() };
        let url = "https://github.test/acme/shop/pull/1";
        assert_eq!(
            done.value(),
            json!({ "commit": commit, "base": "main", "method": word, "pull_request": url })
        );
        assert_eq!(world.fake.tip("main"), commit);
        assert_eq!(world.fixture.tip("main"), commit, "the clone follows");
        assert!(world.fixture.path("b.txt").exists(), "with the files that are checked out");
        let listed = world.fake.git(&["rev-list", "--parents", "-1", &commit]);
        assert_eq!(listed.split(' ').count() - 1, parents, "{word}");
        assert_eq!(world.fake.state().pulls[0].title, "Add b");
    }
}

#[tokio::test]
async fn done_twice_it_is_done_once() {
    let world = World::new();
    let order = world.order(Effect::Merge(MergeMethod::Squash));
    let first = world.perform(&order).await;
    let world = world.restarted();
    assert_eq!(world.perform(&order).await, first);
    assert_eq!(world.fake.count("PUT /api/"), 1);
    // A forge that removes merged branches does not get them back.
    world.fake.git(&["update-ref", "-d", "refs/heads/feature"]);
    assert_eq!(world.perform(&order).await, first);
    assert_eq!(world.fake.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    assert_eq!(world.checks().await.unwrap().pull_request.unwrap().number, Some(1));
    assert_eq!(world.fake.state().pulls.len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_looked_for() {
    let lost =
        [Vec::new(), reply(502, &[], b"<html>"), b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec()];
    for bytes in lost {
        let world = World::new();
        for line in ["PUT /api/", "POST /api/", "POST /git/"] {
            world.fake.fault(line, Fault::Lost(bytes.clone()));
        }
        let commit = merged_commit(&world.merge(MergeMethod::Merge).await);
        assert_eq!(commit, world.fake.tip("main"));
        assert_eq!(world.fake.count("PUT /api/"), 1);
        assert_eq!(world.fake.state().pulls.len(), 1);
    }
}

#[tokio::test]
async fn what_was_not_tested_is_not_merged() {
    let world = World::new();
    world.checks().await.unwrap();
    let order = world.order(Effect::Merge(MergeMethod::Merge));
    let theirs = commit_there(&world, "feature", "theirs");
    let why = refused(world.perform(&order).await);
    assert!(why.contains("moved from") && why.contains(&theirs[..10]), "{why}");
    let mut unknown = order.clone();
    unknown.change.head_commit = None;
    assert!(refused(world.perform(&unknown).await).starts_with("nothing was tested on feature"));
    assert_eq!(world.fake.count("PUT /api/"), 0);
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let rule = |kind: &str| json!({ "type": kind, "ruleset_source_type": "Repository", "ruleset_source": "a/b", "ruleset_id": 1 });
    let world = World::new();
    world.checks().await.unwrap();
    let blocked = "At least 1 approving review is required by reviewers with write access.";
    world.fake.state().refusal = Some((405, blocked));
    world.fake.state().pulls[0].state = "blocked";
    let why = refused(world.merge(MergeMethod::Merge).await);
    assert!(why.contains(blocked) && why.contains("the protection of main wants"), "{why}");
    world.fake.state().rules = vec![rule("merge_queue")];
    let why = refused(world.merge(MergeMethod::Merge).await);
    assert!(why.starts_with("main takes changes through its merge queue alone"), "{why}");
    world.fake.state().rules.clear();
    for (status, said) in [(405, "Squash merges are not allowed on this repository."), (422, "Invalid")] {
        world.fake.state().refusal = Some((status, said));
        let why = refused(world.merge(MergeMethod::Squash).await);
        assert!(why.contains(said), "{why}");
    }
    world.fake.state().refusal = Some((403, "Resource not accessible by integration"));
    let why = refused(world.merge(MergeMethod::Merge).await);
    assert!(
        why.contains("not accessible") && why.ends_with("give the token of config.toml that permission"),
        "{why}"
    );
    world.fake.state().refusal = None;
    conflict_there(&world);
    let why = refused(world.merge(MergeMethod::Merge).await);
    assert!(why.ends_with("conflicts with main: resolve that on feature"), "{why}");
    assert!(refused(world.merge(MergeMethod::FastForward).await).contains("cannot be fast-forwarded"));
}

#[tokio::test]
async fn a_merge_that_may_go_later_is_tried_again() {
    let world = World::new();
    world.checks().await.unwrap();
    world.fake.state().computing = 3;
    let modified = r#"{"message":"Base branch was modified. Review and try the merge again."}"#;
    world.fake.fault_times(2, "PUT /api/", 405, &[], modified);
    merged_commit(&world.merge(MergeMethod::Merge).await);
    assert!(world.fake.count("PUT /api/") > 2);
}

#[tokio::test]
async fn an_update_takes_the_base_branch_in_once() {
    let world = World::new();
    let order = world.order(Effect::UpdateBranch);
    let base = commit_there(&world, "main", "m.txt");
    // The first answer is lost; the update was made.
    world.fake.fault("PUT /api/", Fault::Lost(Vec::new()));
    let outcome = world.perform(&order).await;
    let commit = merged_commit(&outcome);
    assert_eq!((world.fake.tip("feature"), world.fixture.tip("feature")), (commit.clone(), commit.clone()));
    let parents = format!("{commit} {} {base}", order.change.head_commit.as_ref().unwrap());
    assert_eq!(world.fake.git(&["rev-list", "--parents", "-1", &commit]), parents);
    assert_eq!(merged_commit(&world.perform(&order).await), commit);
    assert_eq!(world.fake.count("PUT /api/"), 1);
}

#[tokio::test]
async fn an_update_that_conflicts_or_comes_too_late_is_refused() {
    let world = World::new();
    let order = world.order(Effect::UpdateBranch);
    conflict_there(&world);
    let why = refused(world.perform(&order).await);
    assert!(why.ends_with("is not updated: merge conflict between base and head"), "{why}");
    commit_there(&world, "feature", "theirs");
    let why = refused(world.perform(&order).await);
    assert!(why.contains("moved from"), "{why}");
}
