//! The binary under test.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The binary beside the test's own.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own path");
    let profile = test.ancestors().nth(2).expect("it lies in target/PROFILE/deps");
    let binary = profile.join("lockstep");
    assert!(binary.exists(), "{} is missing: run `cargo build --package lockstep`", binary.display());
    binary
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A data folder and the binary that works on it.
pub(crate) struct Host {
    pub(crate) data: PathBuf,
}

impl Host {
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("--data").arg(&self.data).args(args).stdin(Stdio::null()).env("NO_COLOR", "1");
        // Compiled once for all tests and all times: an interpreter takes the better part of a minute.
        command.env("LOCKSTEP_CACHE", root().join("target/compiled"));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().expect("the binary starts").into()
    }

    /// Runs a command that must succeed and reads the JSON it prints.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let ran = self.command(args).arg("--json").output().map(Ran::from).expect("the binary starts");
        assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", ran.out))
    }
}
