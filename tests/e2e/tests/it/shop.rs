//! The repository of `examples/`, and what happened to it as git tells it.

use crate::host::{Host, root};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A fresh repository with its branches, and a data folder beside it.
pub(crate) struct Shop {
    folder: TempDir,
    pub(crate) host: Host,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let host = Host { data: folder.path().join("data") };
        let shop = Self { folder, host };
        copy(&root().join("examples/shop"), &shop.repo());
        shop.git(&["init", "--quiet", "--initial-branch=main"]);
        shop.commit("a small shop");
        for branch in ["discount", "receipt"] {
            let patch = root().join(format!("examples/branches/{branch}.patch"));
            shop.git(&["switch", "--quiet", "--create", branch, "main"]);
            shop.git(&["apply", &patch.to_string_lossy()]);
            shop.commit(branch);
        }
        shop.git(&["switch", "--quiet", "main"]);
        shop
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.folder.path().join("shop")
    }

    pub(crate) fn pipeline(&self) -> PathBuf {
        self.repo().join(".lockstep/pipeline.toml")
    }

    /// A pipeline file of the test's own, beside the repository.
    pub(crate) fn write_pipeline(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("pipeline.toml");
        std::fs::write(&path, text).expect("the pipeline file can be written");
        path
    }

    pub(crate) fn run_args<'a>(&self, pipeline: &'a str, repo: &'a str, branch: &'a str) -> Vec<&'a str> {
        vec!["run", "--pipeline", pipeline, "--repo", repo, "--branch", branch]
    }

    pub(crate) fn commit(&self, subject: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--no-gpg-sign", "--message", subject]);
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.repo()).args(["-c", "user.name=t", "-c", "user.email=t@localhost"]).args(args);
        let output = git.output().expect("git starts");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Commits of a branch whose message has a line that begins so.
    pub(crate) fn trailers(&self, branch: &str, trailer: &str) -> Vec<String> {
        let log = self.git(&["log", "--format=%B", branch]);
        log.lines().filter(|line| line.starts_with(trailer)).map(str::to_owned).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder can be made");
    for entry in std::fs::read_dir(from).expect("the example is there").flatten() {
        if entry.file_name() == "target" {
            continue;
        }
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("the file can be copied");
        }
    }
}
