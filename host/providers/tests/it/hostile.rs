//! Repositories that try to have the host run something, or write somewhere else.

use crate::fixture::{Fixture, merged_commit, sh};
use lockstep_ports::{ChangeSource, Jobs, Mergeability, Workspace};
use lockstep_types::{Access, Effect, JobOutcome, MergeMethod, Verdict};
use std::os::unix::fs::PermissionsExt as _;

/// A repository whose configuration, attributes and hooks name a program that leaves a marker.
fn armed() -> Fixture {
    let fixture = Fixture::new();
    let marker = fixture.root().join("marker");
    let evil = fixture.root().join("evil");
    std::fs::write(&evil, format!("#!/bin/sh\necho \"$0 $*\" >> {}\ncat\n", marker.display())).unwrap();
    std::fs::set_permissions(&evil, std::fs::Permissions::from_mode(0o755)).unwrap();
    fixture.run(&["checkout", "--quiet", "feature"]);
    std::fs::write(fixture.path(".gitattributes"), "* filter=evil diff=evil merge=evil\n").unwrap();
    fixture.commit("a.txt", "one\ntwo\nthree\nfeature\n", "theirs");
    fixture.run(&["add", ".gitattributes"]);
    fixture.run(&["commit", "--quiet", "-m", "attributes"]);
    fixture.run(&["checkout", "--quiet", "main"]);
    fixture.commit("a.txt", "main\none\ntwo\nthree\n", "ours");
    std::fs::write(fixture.path(".git/info/attributes"), "* filter=evil diff=evil merge=evil\n").unwrap();

    let evil = evil.to_str().unwrap();
    let hooks = fixture.path(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in ["post-checkout", "post-index-change", "reference-transaction", "pre-commit", "post-merge"] {
        std::os::unix::fs::symlink(evil, hooks.join(hook)).unwrap();
    }
    let mut config = std::fs::read_to_string(fixture.path(".git/config")).unwrap();
    config += &format!(
        "[core]\n fsmonitor = {evil}\n hooksPath = {hooks}\n sshCommand = {evil}\n pager = {evil}\n editor = {evil}\n\
         [filter \"evil\"]\n clean = {evil}\n smudge = {evil}\n required = true\n\
         [filter \"e=v.il\"]\n process = {evil}\n\
         [merge \"evil\"]\n driver = {evil} %A\n[merge]\n default = evil\n\
         [diff]\n external = {evil}\n[diff \"evil\"]\n command = {evil}\n textconv = {evil}\n\
         [commit]\n gpgSign = true\n[gpg]\n program = {evil}\n[log]\n showSignature = true\n\
         [remote \"origin\"]\n url = ext::{evil}\n promisor = true\n[alias]\n log = !{evil}\n",
        hooks = hooks.display(),
    );
    std::fs::write(fixture.path(".git/config"), config).unwrap();
    fixture
}

#[tokio::test]
async fn nothing_a_repository_names_is_run() {
    let fixture = armed();
    let repo = fixture.repo().to_str().unwrap().to_owned();
    let git = &fixture.git;
    let change = git.resolve(&repo, "feature", None).await.unwrap();
    git.subject(&change).await.unwrap();
    assert_eq!(Mergeability::read(git, &change).await.unwrap().verdict, Verdict::Mergeable);
    assert_eq!(git.changed_files(&change).await.unwrap().len(), 3);
    git.read_file(&change, "a.txt").await.unwrap().unwrap();
    git.diff(&change, "a.txt").await.unwrap();
    let mut job = fixture.job(Access::Write);
    job.context.change = change.clone();
    let outcome = fixture.jobs().carry_out(&job, Some(&sh("echo c > c.txt; echo more >> a.txt"))).await;
    let JobOutcome::Done(result) = outcome else { panic!("{outcome:?}") };
    let mut order = fixture.merge(MergeMethod::Rebase);
    order.change.head_commit = result.head_commit;
    merged_commit(&git.perform(&order).await);
    let mut order = fixture.effect(Effect::UpdateBranch, 2);
    order.change.head_commit = Some(git.resolve(&repo, "feature", None).await.unwrap().head_commit.unwrap());
    git.perform(&order).await;
    assert_eq!(std::fs::read_to_string(fixture.root().join("marker")).unwrap_or_default(), "");
    // The merge was one of texts, and what was written is what was stored.
    let merged = std::fs::read_to_string(fixture.path("a.txt")).unwrap();
    assert_eq!(merged, "main\none\ntwo\nthree\nfeature\nmore\n");
}

#[tokio::test]
async fn a_worktree_elsewhere_is_not_believed() {
    let fixture = Fixture::new();
    let victim = fixture.root().join("victim");
    std::fs::create_dir(&victim).unwrap();
    std::fs::write(victim.join("a.txt"), "precious").unwrap();
    fixture.run(&["config", "core.worktree", victim.to_str().unwrap()]);
    let outcome = fixture.git.perform(&fixture.merge(MergeMethod::Merge)).await;
    merged_commit(&outcome);
    let left: Vec<_> = std::fs::read_dir(&victim).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["a.txt"]);
    assert!(fixture.path("b.txt").exists());
}

#[tokio::test]
async fn a_job_that_points_its_worktree_elsewhere_harms_nothing() {
    let fixture = Fixture::new();
    let order = fixture.job(Access::ReadOnly);
    let git_dir = fixture.path(".git");
    let script = format!("rm .git; ln -s {0} .git; ln -s {0} result; ln -s {0}/config x", git_dir.display());
    let outcome = fixture.jobs().carry_out(&order, Some(&sh(&script))).await;
    assert!(matches!(outcome, JobOutcome::Done(_)), "{outcome:?}");
    assert_eq!(fixture.run(&["log", "--format=%s", "feature"]), "add b\nfirst");
    assert!(fixture.worktrees().is_empty());
}

/// A repository with a submodule, and a job that fills it: what is inside has a configuration of the job's own.
#[tokio::test]
async fn nothing_a_submodule_names_is_run() {
    let fixture = Fixture::new();
    let (inner, marker, evil) =
        (fixture.root().join("inner"), fixture.root().join("marker"), fixture.root().join("evil"));
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(&evil, format!("#!/bin/sh\necho \"$0 $*\" >> {}\ncat\n", marker.display())).unwrap();
    std::fs::set_permissions(&evil, std::fs::Permissions::from_mode(0o755)).unwrap();
    fixture.run_in(&inner, &["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(inner.join("f"), "f").unwrap();
    std::fs::write(inner.join(".gitattributes"), "* filter=evil\n").unwrap();
    fixture.run_in(&inner, &["add", "."]);
    fixture.run_in(&inner, &["commit", "--quiet", "-m", "inner"]);
    fixture.run(&["checkout", "--quiet", "feature"]);
    let link = format!("160000,{},sub", fixture.run_in(&inner, &["rev-parse", "HEAD"]));
    let modules = format!(
        "[submodule \"sub\"]\n path = sub\n url = ext::{0}\n update = !{0}\n ignore = none\n\
         [submodule \"../../x\"]\n path = -x\n url = --upload-pack={0}\n",
        evil.display()
    );
    std::fs::write(fixture.path(".gitmodules"), modules).unwrap();
    fixture.run(&["update-index", "--add", "--cacheinfo", &link]);
    fixture.run(&["add", ".gitmodules"]);
    fixture.run(&["commit", "--quiet", "-m", "submodule"]);
    fixture.run(&["checkout", "--quiet", "main"]);
    let script = format!(
        "git clone --quiet {0} sub && cd sub && git config core.fsmonitor {1} && git config filter.evil.clean {1} && \
         git config core.hooksPath {2} && cd .. && git init --quiet own && cd own && git config core.fsmonitor {1} && \
         echo y > y && git add y && git -c user.name=A -c user.email=a@b commit --quiet -m own && cd .. && echo c > c.txt; \
         rm -f {3}",
        inner.display(),
        evil.display(),
        fixture.root().display(),
        marker.display()
    );
    let outcome = fixture.jobs().carry_out(&fixture.job(Access::Write), Some(&sh(&script))).await;
    assert!(matches!(outcome, JobOutcome::Done(_)), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(&marker).unwrap_or_default(), "");
    let listed = fixture.run(&["ls-tree", "-r", "--name-only", "feature"]);
    assert_eq!(listed, ".gitmodules\na.txt\nb.txt\nc.txt\nown\nsub");
    let mut order = fixture.merge(MergeMethod::Merge);
    order.change.head_commit = Some(fixture.tip("feature"));
    merged_commit(&fixture.git.perform(&order).await);
    assert_eq!(std::fs::read_to_string(&marker).unwrap_or_default(), "");
}

/// A worktree may have a configuration of its own, which is not that of the repository.
#[tokio::test]
async fn nothing_the_configuration_of_a_worktree_names_is_run() {
    let fixture = Fixture::new();
    let (marker, evil) = (fixture.root().join("marker"), fixture.root().join("evil"));
    std::fs::write(&evil, format!("#!/bin/sh\necho \"$0 $*\" >> {}\ncat\n", marker.display())).unwrap();
    std::fs::set_permissions(&evil, std::fs::Permissions::from_mode(0o755)).unwrap();
    let script = format!(
        "git config extensions.worktreeConfig true && git config --worktree filter.evil.clean {0} && \
         git config --worktree filter.evil.required true && git config --worktree core.fsmonitor {0} && \
         echo '* filter=evil' > .gitattributes; echo c > c.txt; rm -f {1}",
        evil.display(),
        marker.display()
    );
    let outcome = fixture.jobs().carry_out(&fixture.job(Access::Write), Some(&sh(&script))).await;
    assert!(matches!(outcome, JobOutcome::Done(_)), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(&marker).unwrap_or_default(), "");
    assert_eq!(fixture.run(&["show", "feature:c.txt"]), "c");
}

/// Files of a change that look like a repository are none, unless the operator names them.
#[tokio::test]
async fn a_repository_among_the_files_is_not_found() {
    let fixture = Fixture::new();
    fixture.run(&["init", "--quiet", "--bare", "evil"]);
    let below = fixture.path("evil/hooks");
    let found = fixture.git.resolve(below.to_str().unwrap(), "main", None).await;
    let refused = found.expect_err("it lies among the files").to_string();
    assert!(refused.contains("bare"), "{refused}");
    // A repository without a worktree that is named is one.
    let bare = fixture.root().join("bare.git");
    fixture.run(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    fixture.git.resolve(bare.to_str().unwrap(), "feature", Some("main")).await.unwrap();
    // A `.git` that points elsewhere is believed where the operator says so, as git does, and nowhere else.
    let pointing = fixture.root().join("pointing");
    std::fs::create_dir(&pointing).unwrap();
    std::fs::write(pointing.join(".git"), "gitdir: /nowhere\n").unwrap();
    assert!(fixture.git.resolve(pointing.to_str().unwrap(), "main", None).await.is_err());
}
