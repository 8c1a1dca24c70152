//! Names that are options, expressions, paths or tricks, given for everything that has a name.

use crate::fixture::{Fixture, sh};
use lockstep_ports::{ChangeSource, Jobs, Mergeability, Workspace};
use lockstep_types::{Access, Change, Effect, EffectOutcome, JobOutcome, MergeMethod, Verdict};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// None of these is a branch.
fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "--upload-pack=touch pwned",
        "-c",
        "-ccore.fsmonitor=touch pwned",
        "--exec=touch pwned",
        "--output=pwned",
        "--git-dir=/tmp",
        "feature\nmain",
        "feature\0",
        "feature\r",
        "..",
        "../../../pwned",
        "refs/heads/../../x",
        "feature..main",
        "@",
        "@{-1}",
        "feature@{1}",
        "feature@{upstream}",
        "HEAD",
        "feature~1",
        "feature^",
        "feature^{/add b}",
        ":/first",
        "main:a.txt",
        "feature main",
        " feature",
        "feature ",
        "feature.lock",
        "a.lock/b",
        "feature.",
        ".feature",
        "a/.b",
        "/feature",
        "feature/",
        "a//b",
        "fea*",
        "fea?ure",
        "[f]eature",
        "a\\b",
        "$(touch pwned)\n",
        "\u{202e}erutaef",
        "fea\u{200b}ture",
        "feature\u{feff}",
        "feature\u{2028}",
        "feature\u{ad}",
        "\u{1b}[2Jfeature",
        "\u{7f}",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    names.extend(["x".repeat(241), "x/".repeat(5000), "é".repeat(200)]);
    names
}

/// A line for a person: no letter in it that a terminal would obey.
fn is_one_line(text: &str) {
    assert!(!text.is_empty() && text.len() < 2000 && !text.contains(char::is_control), "{text:?}");
    assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{2028}', '\u{feff}']), "{text:?}");
}

/// Everything in the repository's folder, files of git's included, and all refs.
fn state(fixture: &Fixture) -> (Vec<String>, String) {
    let mut names: Vec<String> = [fixture.root(), fixture.repo(), fixture.path(".git")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    names.sort();
    (names, fixture.run(&["for-each-ref"]))
}

#[tokio::test]
async fn no_hostile_name_is_a_branch() {
    let fixture = Fixture::new();
    let (before, git) = (state(&fixture), &fixture.git);
    let repo = fixture.repo().to_str().unwrap().to_owned();
    for name in hostile() {
        for (head, base) in
            [(name.as_str(), None), (name.as_str(), Some("main")), ("feature", Some(name.as_str()))]
        {
            let refused = git.resolve(&repo, head, base).await.expect_err(&name).to_string();
            is_one_line(&refused);
            let refused = git.resolve_or_create(&repo, head, base).await.expect_err(&name).to_string();
            is_one_line(&refused);
        }
    }
    assert_eq!(state(&fixture), before);
}

#[tokio::test]
async fn a_change_with_hostile_names_does_nothing() {
    let fixture = Fixture::new();
    let (before, git) = (state(&fixture), &fixture.git);
    for (number, name) in (10..).zip(hostile()) {
        for change in [
            Change { head_branch: name.clone(), ..fixture.change() },
            Change { base_branch: name.clone(), ..fixture.change() },
            Change { head_commit: Some(name.clone()), ..fixture.change() },
        ] {
            match Mergeability::read(git, &change).await {
                Ok(report) => assert_eq!(report.verdict, Verdict::Mergeable, "{change:?}"),
                Err(error) => is_one_line(&format!("{error:?}").escape_debug().to_string()),
            }
            let is_read = git.changed_files(&change).await.is_ok();
            // A change whose head is known by its commit needs no branch of it.
            assert!(!is_read || change.head_branch == name, "{change:?}");
            for effect in [Effect::Merge(MergeMethod::Squash), Effect::UpdateBranch] {
                let order =
                    lockstep_types::EffectOrder { change: change.clone(), ..fixture.effect(effect, number) };
                let outcome = git.perform(&order).await;
                let (EffectOutcome::Failed(line) | EffectOutcome::Refused(line)) = &outcome else {
                    panic!("{change:?}: {outcome:?}")
                };
                assert!(!line.contains('\n'), "{line}");
            }
        }
        let mut job = fixture.job(Access::Write);
        (job.key.number, job.context.change.head_branch) = (number, name.clone());
        let outcome = fixture.jobs().carry_out(&job, Some(&sh("echo ran > ran"))).await;
        assert!(matches!(&outcome, JobOutcome::Failed(_)), "{name:?}: {outcome:?}");
    }
    assert_eq!(state(&fixture).1, before.1);
    assert!(!fixture.path("pwned").exists() && !fixture.root().join("pwned").exists());
    assert!(fixture.worktrees().is_empty());
}

#[tokio::test]
async fn no_hostile_name_is_a_repository() {
    let fixture = Fixture::new();
    let before = state(&fixture);
    for name in [
        "--upload-pack=touch pwned",
        "-c",
        "ext::sh -c 'touch pwned'",
        "https://localhost:1/x",
        "a\nb",
        "a\0b",
        "",
        "file:///etc",
        "\u{202e}x",
        "/proc/self/root/proc/self",
        "/dev/null",
        "~",
        "$HOME",
    ] {
        let refused = fixture.git.resolve(name, "main", None).await.expect_err(name).to_string();
        is_one_line(&refused);
    }
    assert_eq!(state(&fixture), before);
}

/// What a file is called is nobody's option, pattern or path elsewhere, and what it is called is what is told.
#[tokio::test]
async fn files_may_be_called_anything() {
    let fixture = Fixture::new();
    fixture.run(&["checkout", "--quiet", "feature"]);
    let names = [
        "--output=pwned",
        "-",
        ":(top)x",
        ":!x",
        "*",
        "a\nb",
        "a\tb",
        "\"quoted\"",
        "sp ace",
        "\u{202e}x",
        "\u{1b}[2J",
        "é",
        "e\u{301}",
        "x.lock",
    ];
    for name in names {
        std::fs::write(fixture.path(name), format!("I am {name}")).unwrap();
    }
    let overlong = OsStr::from_bytes(b"bad\xff\xc0\xafname");
    std::fs::write(fixture.repo().join(overlong), "raw").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", fixture.path("link")).unwrap();
    std::os::unix::fs::symlink("..", fixture.path("up")).unwrap();
    fixture.run(&["add", "--all"]);
    fixture.run(&["commit", "--quiet", "-m", "names"]);
    fixture.run(&["checkout", "--quiet", "main"]);
    let (git, change) = (&fixture.git, fixture.change());
    let listed: Vec<String> =
        git.changed_files(&change).await.unwrap().into_iter().map(|file| file.path).collect();
    for name in names {
        assert!(listed.iter().any(|path| path == name), "{name:?} is not in {listed:?}");
        let content = git.read_file(&change, name).await.unwrap();
        assert_eq!(content, Some(format!("I am {name}").into_bytes()), "{name:?}");
        let diff = git.diff(&change, name).await.unwrap();
        assert!(diff.is_some_and(|diff| diff.contains("I am ")), "{name:?}");
    }
    for (path, is_error) in [
        ("link", false),
        ("up/repo/a.txt", false),
        ("up", false),
        ("../repo/a.txt", true),
        ("/etc/passwd", true),
        ("a.txt/../b.txt", true),
    ] {
        let read = git.read_file(&change, path).await;
        assert!(if is_error { read.is_err() } else { read.unwrap().is_none() }, "{path}");
    }
    // The worktree of a job has them all, and its commit is made of names no less odd.
    let outcome = fixture
        .jobs()
        .carry_out(&fixture.job(Access::Write), Some(&sh("echo more > --cached; echo x > ':(exclude)y'")))
        .await;
    assert!(matches!(outcome, JobOutcome::Done(_)), "{outcome:?}");
    assert_eq!(fixture.run(&["show", "feature:--cached"]), "more");
    assert!(!Path::new("pwned").exists() && !fixture.path("pwned").exists());
}

/// Branches that git has and nobody should be asked to type: they do not get in the way of others.
#[tokio::test]
async fn odd_branches_beside_are_no_harm() {
    let fixture = Fixture::new();
    let tip = fixture.tip("feature");
    let refs = fixture.path(".git/refs/heads");
    std::fs::write(refs.join(OsStr::from_bytes(b"bad\xff\xfename")), format!("{tip}\n")).unwrap();
    std::fs::write(refs.join("-c"), format!("{tip}\n")).unwrap();
    std::fs::write(refs.join("\u{202e}x"), format!("{tip}\n")).unwrap();
    let repo = fixture.repo().to_str().unwrap().to_owned();
    assert_eq!(fixture.git.resolve(&repo, "feature", Some("main")).await.unwrap().head_commit, Some(tip));
    let refused = fixture.git.resolve(&repo, "featrue", None).await.expect_err("a slip").to_string();
    assert!(refused.contains("did you mean feature?"), "{refused}");
    is_one_line(&fixture.git.resolve(&repo, "nothing-like-it", None).await.expect_err("none").to_string());
}
