//! A repository with a `main` and a `feature` branch, and what is needed to ask the providers about it.

use lockstep_providers::{
    CommandOptions, GitOptions, JobOptions, LocalEffects, LocalGit, LocalJobs, LocalObservations,
};
use lockstep_types::{
    Access, Change, Effect, EffectKey, EffectOrder, EffectOutcome, JobCommand, JobContext, JobKey, JobOrder,
    JsonText, MergeMethod, ProviderCommand, RunId, Timestamp,
};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// 2026-01-05T09:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_767_603_600_000);

/// Longer than any job of a test takes.
const JOB_LIMIT: Duration = Duration::from_mins(2);

pub(crate) struct Fixture {
    dir: TempDir,
    pub(crate) git: LocalGit,
}

impl Fixture {
    /// `main` has `a.txt`; `feature` adds `b.txt`; nothing but `main` is checked out.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("repo")).unwrap();
        let git = LocalGit::new(GitOptions::new(root.join("data"))).unwrap();
        let this = Self { dir, git };
        this.run(&["init", "--quiet", "--initial-branch=main"]);
        this.commit("a.txt", "one\ntwo\nthree\n", "first");
        this.run(&["checkout", "--quiet", "-b", "feature"]);
        this.commit("b.txt", "b\n", "add b");
        this.run(&["checkout", "--quiet", "main"]);
        this
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.root().join("repo")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.repo().join(name)
    }

    /// Runs git as the user does, for its output.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        self.run_in(&self.repo(), args)
    }

    pub(crate) fn run_in(&self, folder: &Path, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Uma", "-c", "user.email=uma@example.org"])
            .args(args)
            .current_dir(folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", "@1700000000 +0000")
            .env("GIT_COMMITTER_DATE", "@1700000000 +0000")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Commits a file on the branch that is checked out.
    pub(crate) fn commit(&self, name: &str, content: &str, message: &str) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.run(&["add", name]);
        self.run(&["commit", "--quiet", "-m", message]);
        self.tip("HEAD")
    }

    /// Commits a file on a branch, then checks out `main` again.
    pub(crate) fn commit_on(&self, branch: &str, name: &str, content: &str, message: &str) -> String {
        self.run(&["checkout", "--quiet", branch]);
        let commit = self.commit(name, content, message);
        self.run(&["checkout", "--quiet", "main"]);
        commit
    }

    /// Leaves no branch checked out.
    pub(crate) fn detach(&self) {
        self.run(&["checkout", "--quiet", "--detach"]);
    }

    pub(crate) fn tip(&self, name: &str) -> String {
        self.run(&["rev-parse", name])
    }

    pub(crate) fn message(&self, commit: &str) -> String {
        self.run(&["log", "-1", "--format=%B", commit])
    }

    pub(crate) fn change(&self) -> Change {
        Change {
            repository: self.repo().to_str().unwrap().to_owned(),
            base_branch: "main".into(),
            head_branch: "feature".into(),
            head_commit: Some(self.tip("feature")),
            pull_request: None,
        }
    }

    pub(crate) fn effect(&self, effect: Effect, number: u32) -> EffectOrder {
        EffectOrder {
            key: EffectKey { run: run_id(), step: "merge".into(), number },
            effect,
            change: self.change(),
            title: "Add b".into(),
            requested_at: NOW,
        }
    }

    pub(crate) fn merge(&self, method: MergeMethod) -> EffectOrder {
        self.effect(Effect::Merge(method), 1)
    }

    pub(crate) fn jobs(&self) -> LocalJobs {
        LocalJobs::new(self.git.clone(), job_options()).unwrap()
    }

    pub(crate) fn effects(&self) -> LocalEffects {
        LocalEffects::new(self.git.clone(), CommandOptions::for_effects(supervisor()))
    }

    pub(crate) fn observations(&self) -> LocalObservations {
        LocalObservations::new(&self.git, CommandOptions::for_observations(supervisor())).unwrap()
    }

    pub(crate) fn job(&self, access: Access) -> JobOrder {
        let key = JobKey { run: run_id(), step: "code".into(), number: 1 };
        let context = JobContext {
            run: key.run.to_string(),
            item: "item-1".into(),
            title: "Write c".into(),
            description: "A file c.".into(),
            step: key.step.clone(),
            kind: "agent".into(),
            attempt: 1,
            change: self.change(),
            outputs: Vec::new(),
            decisions: Vec::new(),
            resolved: None,
            rework: None,
            facts: Vec::new(),
            documents: Vec::new(),
            environment: None,
            initiator: "ann".into(),
            input: JsonText::new(r#"{"prompt":"write c"}"#).unwrap(),
        };
        JobOrder { key, kind: "agent".into(), access, context, time_limit_ms: None, dispatched_at: NOW }
    }

    /// A pipe that a program of a test blocks on until the test has it go on.
    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.root().join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    /// Names of the host's worktrees that git knows.
    pub(crate) fn worktrees(&self) -> Vec<String> {
        let listed = self.run(&["worktree", "list", "--porcelain"]);
        let own = self.root().join("data");
        listed
            .lines()
            .filter_map(|line| line.strip_prefix("worktree "))
            .filter(|path| Path::new(path).starts_with(&own))
            .map(|path| Path::new(path).file_name().unwrap().to_str().unwrap().to_owned())
            .collect()
    }
}

pub(crate) fn run_id() -> RunId {
    "run-1".parse().unwrap()
}

pub(crate) fn supervisor() -> Vec<OsString> {
    vec![env!("CARGO_BIN_EXE_lockstep-job-supervisor").into()]
}

/// Jobs outlive a host that is killed, and so they would a test that is.
pub(crate) fn job_options() -> JobOptions {
    JobOptions { time_limit: JOB_LIMIT, ..JobOptions::new(supervisor()) }
}

pub(crate) fn sh(script: &str) -> JobCommand {
    JobCommand { command: vec!["sh".into(), "-c".into(), script.into()], ..JobCommand::default() }
}

pub(crate) fn provider(script: &str) -> ProviderCommand {
    ProviderCommand {
        command: vec!["sh".into(), "-c".into(), script.into()],
        time_limit_s: None,
        env: [].into(),
        pass_env: Vec::new(),
    }
}

/// The commit in the report of an effect that was performed.
pub(crate) fn merged_commit(outcome: &EffectOutcome) -> String {
    let EffectOutcome::Done(done) = outcome else { panic!("not performed: {outcome:?}") };
    done.value()["commit"].as_str().unwrap().to_owned()
}

/// Waits, off the runtime, until a program has opened and closed the other end of a pipe.
pub(crate) async fn read_fifo(path: &Path) -> String {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || std::fs::read_to_string(path).unwrap()).await.unwrap()
}

/// Has a program that reads a pipe go on.
pub(crate) async fn write_fifo(path: &Path, text: &str) {
    let (path, text) = (path.to_owned(), text.to_owned());
    tokio::task::spawn_blocking(move || std::fs::write(path, text).unwrap()).await.unwrap();
}
