//! The binary as the client of a server: what it writes, how it ends, whose data folder it takes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod backtest;
mod board;
mod client;
mod fake;
mod fake_backtest;
mod fake_board;
mod fake_components;
mod folder;
mod registry;

use fake::FakeService;
use lockstep_server::{AppState, Options, Services, bind, serve};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A data folder with a server in this process.
struct Served {
    folder: TempDir,
    service: Arc<FakeService>,
    _lock: File,
    _runtime: Runtime,
}

impl Served {
    fn new() -> Self {
        let (folder, service) = (tempfile::tempdir().unwrap(), FakeService::new());
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(bind("127.0.0.1:0", false)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let token = "the-token".to_owned();
        write(folder.path(), "token", &token);
        write(folder.path(), "server.json", &format!(r#"{{"url":"{url}","pid":{}}}"#, std::process::id()));
        let lock = held(folder.path(), "serve");
        let state = AppState::new(
            Services::of(&service),
            Options { token, allow_remote: false, ..Options::default() },
        );
        runtime.spawn(serve(listener, state, std::future::pending()));
        Self { folder, service, _lock: lock, _runtime: runtime }
    }

    fn command(&self, line: &str) -> Command {
        lockstep(self.folder.path(), line)
    }

    /// Runs a command line and shows what it wrote and how it ended.
    fn transcript(&self, line: &str) -> String {
        shown(line, &self.command(line).output().unwrap())
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// Takes the folder as this process, for `command`.
fn held(folder: &Path, command: &str) -> File {
    write(folder, "lock", &format!(r#"{{"pid":{},"command":"{command}"}}"#, std::process::id()));
    let lock = File::open(folder.join("lock")).unwrap();
    lock.try_lock().unwrap();
    lock
}

/// The words of a command line, in which quotes keep a word together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut is_quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

fn lockstep(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.args(words(line)).current_dir(folder).stdin(Stdio::null());
    command.env("LOCKSTEP_DATA", folder).env("TZ", "UTC").env("USER", "anna").env_remove("LOCKSTEP_LOG");
    command.env_remove("LOCKSTEP_WORKSPACE");
    command
}

fn shown(line: &str, output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let errors: String = errors.lines().map(|line| format!("! {line}\n")).collect();
    format!("$ lockstep {line}\n{out}{errors}= {}\n", output.status.code().unwrap())
}
