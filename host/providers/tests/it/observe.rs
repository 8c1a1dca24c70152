use crate::fixture::Fixture;
use lockstep_ports::{ChangeSource, Mergeability, Workspace};
use lockstep_types::{Change, Verdict};

#[tokio::test]
async fn a_branch_becomes_a_change() {
    let fixture = Fixture::new();
    let repo = fixture.repo().to_str().unwrap().to_owned();
    let change = fixture.git.resolve(&repo, "feature", None).await.unwrap();
    assert_eq!(change, fixture.change());
    std::fs::create_dir(fixture.path("sub")).unwrap();
    let inside =
        fixture.git.resolve(fixture.path("sub").to_str().unwrap(), "feature", Some("main")).await.unwrap();
    assert_eq!(inside, change);
    assert_eq!(fixture.git.subject(&change).await.as_deref(), Some("add b"));
    // The head branch is not its own base, even where it is checked out.
    fixture.run(&["checkout", "--quiet", "feature"]);
    assert_eq!(fixture.git.resolve(&repo, "feature", None).await.unwrap().base_branch, "main");
}

#[tokio::test]
async fn a_bare_repository_will_do() {
    let fixture = Fixture::new();
    fixture.run(&["clone", "--quiet", "--bare", ".", "../bare.git"]);
    let bare = fixture.root().join("bare.git");
    let change = fixture.git.resolve(bare.to_str().unwrap(), "feature", None).await.unwrap();
    assert_eq!((change.repository.as_str(), change.base_branch.as_str()), (bare.to_str().unwrap(), "main"));
    assert_eq!(Mergeability::read(&fixture.git, &change).await.unwrap().verdict, Verdict::Mergeable);
}

#[tokio::test]
async fn what_is_wrong_with_a_change_is_one_line() {
    let fixture = Fixture::new();
    let repo = fixture.repo().to_str().unwrap().to_owned();
    let error = async |repository: &str, head: &str, base: Option<&str>| {
        let error = fixture.git.resolve(repository, head, base).await.unwrap_err().to_string();
        error.replace(fixture.root().to_str().unwrap(), "ROOT")
    };
    for (repository, head, base, expected) in [
        (
            fixture.root().to_str().unwrap(),
            "feature",
            None,
            "ROOT is not a git repository: give the path of one with --repo",
        ),
        (
            "/nonexistent\nplace",
            "feature",
            None,
            "/nonexistent place is not a git repository: give the path of one with --repo",
        ),
        (&repo, "featrue", None, "ROOT/repo has no branch \"featrue\": did you mean feature?"),
        (&repo, "zzzzzzzzzzzz", None, "ROOT/repo has no branch \"zzzzzzzzzzzz\": it has feature, main"),
        (&repo, "feature", Some("nope-nope"), "ROOT/repo has no branch \"nope-nope\": it has feature, main"),
        (
            &repo,
            "--upload-pack=touch x",
            None,
            "ROOT/repo has no branch \"--upload-pack=touch x\": that is not a branch name",
        ),
        (&repo, "@{-1}", None, "ROOT/repo has no branch \"@{-1}\": that is not a branch name"),
        (
            &repo,
            "main",
            Some("main"),
            "git could not read ROOT/repo: main cannot be merged into itself: name another base branch with --base",
        ),
    ] {
        assert_eq!(error(repository, head, base).await, expected);
    }
    std::fs::write(fixture.path("a.txt"), "changed").unwrap();
    let dirty =
        "branch main is checked out in ROOT/repo with uncommitted changes: commit or stash them first";
    assert_eq!(error(&repo, "feature", None).await, dirty);
}

#[tokio::test]
async fn mergeability_is_that_of_the_tips() {
    let fixture = Fixture::new();
    let look = async |change: &Change| Mergeability::read(&fixture.git, change).await.unwrap();
    let mut change = fixture.change();
    let report = look(&change).await;
    assert_eq!((report.verdict, report.head_commit), (Verdict::Mergeable, change.head_commit.clone()));
    let tip = fixture.commit_on("feature", "a.txt", "one\nTWO\nthree\n", "theirs");
    fixture.commit("a.txt", "one\nzwei\nthree\n", "ours");
    let report = look(&change).await;
    assert_eq!((report.verdict, report.head_commit), (Verdict::Conflicted, Some(tip)));
    assert_eq!(report.conflicts, ["a.txt"]);
    change.head_branch = "gone".into();
    let report = look(&change).await;
    assert_eq!((report.verdict, report.head_commit), (Verdict::Unknown, None));
}

#[tokio::test]
async fn commits_that_are_missing_leave_the_verdict_open() {
    let fixture = Fixture::new();
    let blob = fixture.run(&["rev-parse", "main:a.txt"]);
    fixture.commit_on("feature", "a.txt", "one\nTWO\nthree\n", "theirs");
    fixture.commit("a.txt", "one\ntwo\nthree\nfour\n", "ours");
    let object = fixture.path(".git/objects").join(&blob[..2]).join(&blob[2..]);
    std::fs::remove_file(object).unwrap();
    let report = Mergeability::read(&fixture.git, &fixture.change()).await.unwrap();
    assert_eq!(report.verdict, Verdict::Unknown);
}

#[tokio::test]
async fn changed_files_are_those_since_the_merge_base() {
    let fixture = Fixture::new();
    fixture.commit("only-main.txt", "x\n", "main goes on");
    fixture.run(&["checkout", "--quiet", "feature"]);
    std::fs::write(fixture.path("a.txt"), "one\n2\nthree\nfour\n").unwrap();
    std::fs::write(fixture.path("bin"), b"\0\x01\x02").unwrap();
    std::fs::write(fixture.path("odd \"näme\"\n"), "x\n").unwrap();
    fixture.run(&["add", "--all"]);
    fixture.run(&["commit", "--quiet", "-m", "more"]);
    let files = fixture.git.changed_files(&fixture.change()).await.unwrap();
    let lines: Vec<String> = files
        .iter()
        .map(|f| format!("{:?} {:?} +{} -{}", f.path, f.status, f.lines_added, f.lines_removed))
        .collect();
    let expected = [
        "\"a.txt\" Modified +2 -1",
        "\"b.txt\" Added +1 -0",
        "\"bin\" Added +0 -0",
        "\"odd \\\"näme\\\"\\n\" Added +1 -0",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn files_are_read_at_the_head_commit() {
    let fixture = Fixture::new();
    fixture.run(&["checkout", "--quiet", "feature"]);
    std::fs::create_dir(fixture.path("dir")).unwrap();
    std::fs::write(fixture.path("dir/-f"), "dash").unwrap();
    std::fs::write(fixture.path("big"), vec![b'x'; (1 << 20) + 1]).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", fixture.path("link")).unwrap();
    fixture.run(&["add", "--all"]);
    fixture.run(&["commit", "--quiet", "-m", "more"]);
    let change = fixture.change();
    // What is not committed is not there.
    std::fs::write(fixture.path("b.txt"), "uncommitted").unwrap();
    let read = async |path: &str| fixture.git.read_file(&change, path).await;
    assert_eq!(read("b.txt").await, Ok(Some(b"b\n".to_vec())));
    assert_eq!(read("dir/-f").await, Ok(Some(b"dash".to_vec())));
    for absent in ["nope", "dir", "link", "*", ":(glob)**", "--help"] {
        assert_eq!(read(absent).await, Ok(None), "{absent}");
    }
    for refused in ["../repo/a.txt", "/etc/passwd", "dir/../a.txt", ".git/../../x", "a\0b", "", "big"] {
        assert!(read(refused).await.is_err(), "{refused:?}");
    }
}

#[tokio::test]
async fn a_diff_is_the_files_own_since_the_merge_base() {
    let fixture = Fixture::new();
    fixture.commit("a.txt", "one\ntwo\nthree\nfour\n", "main goes on");
    fixture.run(&["checkout", "--quiet", "feature"]);
    std::fs::write(fixture.path("a.txt"), "one\n2\nthree\n").unwrap();
    std::fs::write(fixture.path("bin"), b"\0\x01\x02").unwrap();
    std::fs::write(fixture.path("big"), "x\n".repeat(1 << 20)).unwrap();
    std::fs::write(fixture.path("odd \"näme\""), "x\n").unwrap();
    std::fs::create_dir(fixture.path("dir")).unwrap();
    std::fs::write(fixture.path("dir/f"), "x\n").unwrap();
    fixture.run(&["add", "--all"]);
    fixture.run(&["commit", "--quiet", "-m", "more"]);
    let change = fixture.change();
    std::fs::write(fixture.path("a.txt"), "uncommitted").unwrap();
    let diff = async |path: &str| fixture.git.diff(&change, path).await;
    let lines = |diff: Result<Option<String>, _>| -> Vec<String> {
        let text = diff.unwrap().unwrap();
        text.lines().filter(|line| !line.starts_with("index ")).map(str::to_owned).collect()
    };
    let expected = ["diff --git a/a.txt b/a.txt", "--- a/a.txt", "+++ b/a.txt", "@@ -1,3 +1,3 @@"];
    let changed = lines(diff("a.txt").await);
    assert_eq!(changed[..4], expected);
    assert_eq!(changed[4..], [" one", "-two", "+2", " three"]);
    assert_eq!(lines(diff("odd \"näme\"").await).last().unwrap(), "+x");
    for none in ["nope", "dir", "bin", "*", ":(glob)**", "--help"] {
        assert_eq!(diff(none).await, Ok(None), "{none}");
    }
    for refused in ["../repo/a.txt", "/etc/passwd", "dir/../a.txt", "a\0b", "", "big"] {
        assert!(diff(refused).await.is_err(), "{refused:?}");
    }
}

#[tokio::test]
async fn a_branch_that_is_not_there_is_made_once_from_the_base() {
    let fixture = Fixture::new();
    let repo = fixture.repo().to_str().unwrap().to_owned();
    let main = fixture.git.resolve(&repo, "feature", Some("main")).await.unwrap();
    let made = fixture.git.resolve_or_create(&repo, "lockstep/shop-1", Some("main")).await.unwrap();
    assert_eq!((made.base_branch.as_str(), made.head_branch.as_str()), ("main", "lockstep/shop-1"));
    assert_ne!(made.head_commit, main.head_commit, "it is the base's commit, not another branch's");
    assert_eq!(fixture.git.resolve_or_create(&repo, "lockstep/shop-1", None).await.unwrap(), made);
    let known = fixture.git.resolve_or_create(&repo, "feature", None).await.unwrap();
    assert_eq!(known, main, "a branch that is there stays as it is");
    for wrong in ["..", "-d"] {
        assert!(fixture.git.resolve_or_create(&repo, wrong, Some("main")).await.is_err(), "{wrong}");
    }
    assert!(fixture.git.resolve_or_create(&repo, "new", Some("nothing")).await.is_err());
}
