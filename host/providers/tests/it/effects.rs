use crate::fixture::{Fixture, NOW, merged_commit};
use lockstep_types::{Effect, EffectOutcome, JsonText, MergeMethod};
use std::path::Path;

async fn refused(fixture: &Fixture, method: MergeMethod) -> String {
    match fixture.git.perform(&fixture.merge(method)).await {
        EffectOutcome::Refused(text) => text.replace(fixture.root().to_str().unwrap(), "ROOT"),
        other => panic!("{method:?}: {other:?}"),
    }
}

#[tokio::test]
async fn every_method_merges_once() {
    for method in [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase, MergeMethod::FastForward] {
        let fixture = Fixture::new();
        if method != MergeMethod::FastForward {
            fixture.commit("c.txt", "c\n", "main goes on");
        }
        let (base, head) = (fixture.tip("main"), fixture.tip("feature"));
        let order = fixture.merge(method);
        let outcome = fixture.git.perform(&order).await;
        let commit = merged_commit(&outcome);
        assert_eq!(fixture.tip("main"), commit, "{method:?}");
        let parents = fixture.run(&["log", "-1", "--format=%P", &commit]);
        match method {
            MergeMethod::Merge => assert_eq!(parents, format!("{base} {head}")),
            MergeMethod::Squash | MergeMethod::Rebase => assert_eq!(parents, base),
            MergeMethod::FastForward => assert_eq!(commit, head),
        }
        // The worktree that had the branch checked out has followed it.
        assert_eq!(fixture.run(&["status", "--porcelain"]), "", "{method:?}");
        assert_eq!(std::fs::read_to_string(fixture.path("b.txt")).unwrap(), "b\n");
        assert_eq!(fixture.git.perform(&order).await, outcome, "{method:?}");
        assert_eq!(fixture.tip("main"), commit, "{method:?}");
        // Not even when both branches have gone on.
        fixture.commit("later.txt", "x\n", "later");
        let later = fixture.commit_on("feature", "b.txt", "b2\n", "more");
        let tip = fixture.tip("main");
        assert_eq!(fixture.git.perform(&order).await, outcome, "{method:?}");
        assert_eq!((fixture.tip("main"), fixture.tip("feature")), (tip, later), "{method:?}");
    }
}

#[tokio::test]
async fn commits_say_who_when_and_for_what() {
    let fixture = Fixture::new();
    let commit = merged_commit(&fixture.git.perform(&fixture.merge(MergeMethod::Merge)).await);
    let expected = "Merge branch 'feature' into main\n\nAdd b\n\nLockstep-Effect: run-1/merge/effect-1";
    assert_eq!(fixture.message(&commit), expected);
    let about = fixture.run(&["log", "-1", "--format=%an <%ae> %at %cn %ct", &commit]);
    let seconds = NOW.0 / 1000;
    assert_eq!(about, format!("Lockstep <lockstep@localhost> {seconds} Lockstep {seconds}"));

    let fixture = Fixture::new();
    fixture.commit("c.txt", "c\n", "main goes on");
    fixture.commit_on("feature", "d.txt", "d\n", "add d\n\nSigned-off-by: Uma");
    let commit = merged_commit(&fixture.git.perform(&fixture.merge(MergeMethod::Rebase)).await);
    let trailers = "add d\n\nSigned-off-by: Uma\nLockstep-Effect: run-1/merge/effect-1";
    assert_eq!(fixture.message(&commit), trailers);
    assert_eq!(fixture.message(&format!("{commit}^")), "add b");
    let about = fixture.run(&["log", "-1", "--format=%an %at %cn", &commit]);
    assert_eq!(about, "Uma 1700000000 Lockstep");
}

#[tokio::test]
async fn a_merge_that_cannot_be_is_refused_in_one_line() {
    let fixture = Fixture::new();
    fixture.commit_on("feature", "a.txt", "one\nTWO\nthree\n", "theirs");
    let base = fixture.commit("a.txt", "one\nzwei\nthree\n", "ours");
    for method in [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase] {
        let expected = "main and feature conflict in a.txt: resolve that on feature";
        assert_eq!(refused(&fixture, method).await, expected);
    }
    let text = refused(&fixture, MergeMethod::FastForward).await;
    assert_eq!(
        text,
        "main has commits that feature lacks, so it cannot be fast-forwarded: update the branch first"
    );
    assert_eq!(fixture.tip("main"), base);
}

#[tokio::test]
async fn what_was_not_tested_is_not_merged() {
    let fixture = Fixture::new();
    let mut order = fixture.merge(MergeMethod::Merge);
    let base = fixture.tip("main");
    let tested = order.change.head_commit.clone().unwrap();
    let tip = fixture.commit_on("feature", "b.txt", "b2\n", "more");
    let EffectOutcome::Refused(text) = fixture.git.perform(&order).await else { panic!() };
    let expected =
        format!("feature moved from {} to {} after it was tested: retry", &tested[..10], &tip[..10]);
    assert!(text.starts_with(&expected), "{text}");
    order.change.head_commit = None;
    assert!(matches!(fixture.git.perform(&order).await, EffectOutcome::Refused(_)));
    order.change.head_commit = Some("--all".into());
    assert!(matches!(fixture.git.perform(&order).await, EffectOutcome::Failed(_)));
    assert_eq!(fixture.tip("main"), base);
}

#[tokio::test]
async fn a_worktree_with_changes_is_not_touched() {
    let fixture = Fixture::new();
    let base = fixture.tip("main");
    std::fs::write(fixture.path("a.txt"), "mine").unwrap();
    let expected =
        "main is checked out in ROOT/repo and it has uncommitted changes: commit or stash them, then retry";
    assert_eq!(refused(&fixture, MergeMethod::Merge).await, expected);
    fixture.run(&["checkout", "--quiet", "a.txt"]);
    // A file that git does not know is in the way.
    std::fs::write(fixture.path("b.txt"), "mine").unwrap();
    let text = refused(&fixture, MergeMethod::Merge).await;
    assert!(text.contains("'b.txt' would be overwritten"), "{text}");
    assert_eq!(
        (fixture.tip("main"), std::fs::read_to_string(fixture.path("b.txt")).unwrap()),
        (base, "mine".into())
    );
    std::fs::remove_file(fixture.path("b.txt")).unwrap();
    // One that is not in the way stays.
    std::fs::write(fixture.path("notes"), "mine").unwrap();
    merged_commit(&fixture.git.perform(&fixture.merge(MergeMethod::Merge)).await);
    assert_eq!(fixture.run(&["status", "--porcelain"]), "?? notes");
}

#[tokio::test]
async fn every_worktree_of_the_branch_follows() {
    let fixture = Fixture::new();
    fixture.detach();
    let other = fixture.root().join("other");
    fixture.run(&["worktree", "add", "--quiet", other.to_str().unwrap(), "main"]);
    merged_commit(&fixture.git.perform(&fixture.merge(MergeMethod::Squash)).await);
    assert_eq!(fixture.run_in(&other, &["status", "--porcelain"]), "");
    assert!(other.join("b.txt").exists() && !fixture.path("b.txt").exists());
}

/// Leaves things as a host does that ends between moving the branch and bringing the worktree up to it.
fn crash_before_the_worktree_follows(fixture: &Fixture, order: &lockstep_types::EffectOrder, new: &str) {
    let old = fixture.tip("main");
    let key = serde_json::to_value(&order.key).unwrap();
    let intent = serde_json::json!({ "key": key, "target": "main", "old": old, "new": new });
    let name = format!("{}.json", lockstep_types::Digest::of(order.key.to_string().as_bytes()));
    std::fs::write(fixture.root().join("data/effects").join(name), intent.to_string()).unwrap();
    fixture.run(&["update-ref", "refs/heads/main", new]);
    assert_ne!(fixture.run(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_crash_after_the_branch_moved_is_healed() {
    let fixture = Fixture::new();
    let order = fixture.merge(MergeMethod::FastForward);
    let head = fixture.tip("feature");
    crash_before_the_worktree_follows(&fixture, &order, &head);
    assert_eq!(merged_commit(&fixture.git.perform(&order).await), head);
    assert_eq!((fixture.run(&["status", "--porcelain"]), fixture.tip("main")), (String::new(), head));
    assert_eq!(std::fs::read_dir(fixture.root().join("data/effects")).unwrap().count(), 0);
}

#[tokio::test]
async fn healing_does_not_overwrite_what_was_changed_since() {
    let fixture = Fixture::new();
    let order = fixture.merge(MergeMethod::FastForward);
    let head = fixture.tip("feature");
    crash_before_the_worktree_follows(&fixture, &order, &head);
    std::fs::write(fixture.path("b.txt"), "mine").unwrap();
    let EffectOutcome::Done(done) = fixture.git.perform(&order).await else { panic!() };
    assert!(done.value()["notes"][0].as_str().unwrap().contains("still has the files of before"), "{done:?}");
    assert_eq!(std::fs::read_to_string(fixture.path("b.txt")).unwrap(), "mine");
}

#[tokio::test]
async fn the_trailer_is_found_without_the_data_folder() {
    let fixture = Fixture::new();
    let order = fixture.merge(MergeMethod::Squash);
    let outcome = fixture.git.perform(&order).await;
    let tip = fixture.commit("later.txt", "x\n", "later");
    let fresh = lockstep_providers::GitOptions::new(fixture.root().join("data2"));
    let again = lockstep_providers::LocalGit::new(fresh).unwrap().perform(&order).await;
    assert_eq!((again, fixture.tip("main")), (outcome, tip));
}

#[tokio::test]
async fn two_merges_at_once_both_land() {
    let fixture = Fixture::new();
    fixture.run(&["checkout", "--quiet", "-b", "second"]);
    fixture.commit("s.txt", "s\n", "add s");
    fixture.run(&["checkout", "--quiet", "main"]);
    let first = fixture.merge(MergeMethod::Merge);
    let mut second = fixture.effect(Effect::Merge(MergeMethod::Squash), 2);
    second.change.head_branch = "second".into();
    second.change.head_commit = Some(fixture.tip("second"));
    let (first, second) = tokio::join!(fixture.git.perform(&first), fixture.git.perform(&second));
    assert_ne!(merged_commit(&first), merged_commit(&second));
    assert_eq!(fixture.run(&["ls-tree", "--name-only", "main"]), "a.txt\nb.txt\ns.txt");
    assert_eq!(fixture.run(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn a_rebase_keeps_what_its_merges_hold_or_is_refused() {
    let fixture = Fixture::new();
    fixture.commit("c.txt", "c\n", "main goes on");
    fixture.run(&["checkout", "--quiet", "feature"]);
    fixture.run(&["merge", "--quiet", "--no-edit", "main"]);
    fixture.run(&["checkout", "--quiet", "main"]);
    let base = fixture.tip("main");
    let commit = merged_commit(&fixture.git.perform(&fixture.merge(MergeMethod::Rebase)).await);
    assert_eq!(fixture.tip(&format!("{commit}^")), base);

    fixture.run(&["checkout", "--quiet", "feature"]);
    fixture.commit("e.txt", "e\n", "add e");
    fixture.run(&["merge", "--quiet", "--no-commit", "-s", "ours", "main"]);
    std::fs::write(fixture.path("evil.txt"), "only in the merge\n").unwrap();
    fixture.run(&["add", "evil.txt"]);
    fixture.run(&["commit", "--quiet", "-m", "evil merge"]);
    fixture.run(&["checkout", "--quiet", "main"]);
    let mut order = fixture.effect(Effect::Merge(MergeMethod::Rebase), 2);
    order.change.head_commit = Some(fixture.tip("feature"));
    let EffectOutcome::Refused(text) = fixture.git.perform(&order).await else { panic!() };
    assert!(text.contains("a rebase would lose"), "{text}");
}

#[tokio::test]
async fn a_branch_is_updated_from_its_base_once() {
    let fixture = Fixture::new();
    fixture.commit("c.txt", "c\n", "main goes on");
    fixture.run(&["checkout", "--quiet", "feature"]);
    let order = fixture.effect(Effect::UpdateBranch, 1);
    let outcome = fixture.git.perform(&order).await;
    let commit = merged_commit(&outcome);
    assert_eq!((fixture.tip("feature"), fixture.path("c.txt").exists()), (commit.clone(), true));
    assert_eq!(fixture.git.perform(&order).await, outcome);
    assert_eq!(fixture.tip("feature"), commit);
    // A branch that is up to date stays as it is.
    let order = fixture.effect(Effect::UpdateBranch, 2);
    assert_eq!(merged_commit(&fixture.git.perform(&order).await), commit);
    std::fs::write(fixture.path("a.txt"), "mine").unwrap();
    fixture.run(&["update-ref", "refs/heads/main", &fixture.tip("main~1")]);
    assert_eq!(merged_commit(&fixture.git.perform(&order).await), commit);
}

#[tokio::test]
async fn other_effects_and_other_repositories() {
    let fixture = Fixture::new();
    let order = fixture.effect(Effect::OpenTicket(JsonText::null()), 1);
    assert!(matches!(fixture.git.perform(&order).await, EffectOutcome::NotConfigured(_)));
    let mut order = fixture.merge(MergeMethod::Merge);
    order.change.repository = Path::new("/nonexistent").display().to_string();
    let EffectOutcome::Failed(text) = fixture.git.perform(&order).await else { panic!() };
    assert_eq!(text, "/nonexistent is not a git repository");
}
