//! A program run by a supervisor: the folder both sides know it by, and the host's side.
//!
//! The supervisor is a process of its own in a session of its own, so a program outlives a host that is killed, and
//! its end is known to the next host. The lock of the folder is handed to the supervisor as its standard output: it is
//! held from before the supervisor exists until after it is gone, however either ends, and needs no process id.

use crate::environment::Environment;
use crate::files::{
    blocking, create_private_dir, is_locked, read_json, remove_if_there, try_lock, write_json,
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// What the environment of every supervised program names its folder by. Programs whose supervisor was killed are found
/// by it.
const FOLDER_VARIABLE: &str = "LOCKSTEP_FOLDER";
/// How long a program has between being asked to end and being killed.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// Between two looks at a supervisor that is not this host's child: short for a person, nothing for a machine.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long a supervisor has to stop its program before it is killed itself: its grace, and what it needs to tidy up.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// Times those left behind are looked for: what forks faster than it is found would keep the host busy for good.
const LEFT_BEHIND_ROUNDS: u32 = 100;
/// Processes looked at when those left behind are searched for: the largest table a kernel is usually set to.
const PROCESSES_MAX: usize = 4 << 20;

/// The folder of one supervised program.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

/// What the supervisor is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Program and arguments; the environment is that of the supervisor.
    pub(crate) command: Vec<String>,
    /// Where it runs.
    pub(crate) cwd: PathBuf,
    /// What it reads from its standard input; none: nothing.
    pub(crate) stdin: Option<PathBuf>,
    pub(crate) time_limit_ms: u64,
    /// Whether it ends with the host: the supervisor's standard input is then a pipe that the host holds open.
    pub(crate) tethered: bool,
    /// Variables whose values are secrets: they are taken out of all that is kept of its output.
    #[serde(default)]
    pub(crate) secret_variables: Vec<String>,
    /// A file it may write, which is to hold none either.
    #[serde(default)]
    pub(crate) masked_file: Option<PathBuf>,
}

/// How a supervised program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By a signal that was not ours.
    Signal(i32),
    TimedOut,
    Stopped,
    /// There is no such program.
    NotFound,
    /// It could not be started.
    NotStarted(String),
}

/// The supervisor at work, written by itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) pid: i32,
    /// Start time in the kernel's ticks, which tells it from a later process with the same id.
    pub(crate) started: Option<u64>,
}

impl Folder {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn order(&self) -> PathBuf {
        self.file("order.json")
    }

    pub(crate) fn exit_file(&self) -> PathBuf {
        self.file("exit.json")
    }

    pub(crate) fn running_file(&self) -> PathBuf {
        self.file("supervisor.json")
    }

    /// What the program wrote to both of its outputs.
    pub(crate) fn log(&self) -> PathBuf {
        self.file("output.log")
    }

    /// What it wrote to its standard output.
    pub(crate) fn stdout(&self) -> PathBuf {
        self.file("stdout.log")
    }

    /// The end of what it wrote to its standard error.
    pub(crate) fn stderr(&self) -> PathBuf {
        self.file("stderr.log")
    }

    fn lock_file(&self) -> PathBuf {
        self.file("lock")
    }

    /// Takes the right to start a supervisor here; none if one is at work.
    pub(crate) fn lock(&self) -> io::Result<Option<File>> {
        create_private_dir(&self.0)?;
        try_lock(&self.lock_file())
    }

    /// Whether a supervisor is at work, or about to be.
    pub(crate) fn is_busy(&self) -> io::Result<bool> {
        is_locked(&self.lock_file())
    }

    /// Returns when no supervisor is at work.
    pub(crate) async fn until_idle(&self) -> io::Result<()> {
        while self.is_busy()? {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// How the program ended; none if that is not known.
    pub(crate) fn exit(&self) -> io::Result<Option<Exit>> {
        read_json(&self.exit_file())
    }

    /// Starts a supervisor for `order`. The caller holds the lock, which passes over to it.
    pub(crate) fn start(
        &self,
        supervisor: &[OsString],
        order: &Order,
        environment: &Environment,
        lock: File,
    ) -> io::Result<Child> {
        let Some((program, args)) = supervisor.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no supervisor program is configured"));
        };
        for left in [self.exit_file(), self.running_file(), self.log(), self.stdout(), self.stderr()] {
            remove_if_there(&left)?;
        }
        write_json(&self.order(), order)?;
        let messages = OpenOptions::new().create(true).append(true).open(self.file("supervisor.log"))?;
        Command::new(program)
            .args(args)
            .arg(&self.0)
            .current_dir(&self.0)
            .env_clear()
            .envs(environment)
            .env(FOLDER_VARIABLE, &self.0)
            .stdin(if order.tethered { Stdio::piped() } else { Stdio::null() })
            .stdout(lock)
            .stderr(messages)
            .spawn()
    }

    /// Ends the program with all its processes, its supervisor too, and returns when they are gone.
    pub(crate) async fn stop(&self) -> io::Result<()> {
        let stopping = async {
            // Once more each time: a supervisor just started does not have its name on the door yet.
            while self.is_busy()? {
                self.signal_supervisor(Signal::TERM);
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            io::Result::Ok(())
        };
        if let Ok(stopped) = tokio::time::timeout(STOP_LIMIT, stopping).await {
            stopped?;
        } else {
            self.signal_supervisor(Signal::KILL);
        }
        self.end_left_behind().await
    }

    fn signal_supervisor(&self, signal: Signal) {
        let Ok(Some(running)) = read_json::<Running>(&self.running_file()) else { return };
        let Some(pid) = Pid::from_raw(running.pid) else { return };
        // From here on the descriptor names one process, even if the id is given to another.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        if start_time(pid) == running.started
            && let Err(error) = pidfd_send_signal(&process, signal)
        {
            tracing::warn!(folder = %self.0.display(), %error, "a supervisor could not be signalled");
        }
    }

    /// As `kill_left_behind`, off the threads that drive everything else.
    pub(crate) async fn end_left_behind(&self) -> io::Result<()> {
        let folder = self.clone();
        blocking(move || {
            folder.kill_left_behind();
            Ok(())
        })
        .await
    }

    /// Kills programs of this folder whose supervisor was itself killed: those whose environment names it, and all they
    /// have started. One that took the name out of its environment after it left its supervisor is not found.
    pub(crate) fn kill_left_behind(&self) {
        let mut mark = FOLDER_VARIABLE.as_bytes().to_vec();
        mark.push(b'=');
        mark.extend_from_slice(self.0.as_os_str().as_encoded_bytes());
        let own = rustix::process::getpid();
        for _ in 0..LEFT_BEHIND_ROUNDS {
            let is_marked = |pid: &Pid| {
                let environ =
                    std::fs::read(format!("/proc/{}/environ", pid.as_raw_pid())).unwrap_or_default();
                environ.split(|byte| *byte == 0).any(|variable| variable == mark)
            };
            let marked: Vec<Pid> = processes().filter(|pid| *pid != own && is_marked(pid)).collect();
            if marked.is_empty() {
                return;
            }
            let below = descendants(&marked);
            for pid in marked.into_iter().chain(below) {
                rustix::process::kill_process(pid, Signal::KILL).ok();
            }
        }
    }
}

/// Every process of this machine that `/proc` shows.
fn processes() -> impl Iterator<Item = Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten().take(PROCESSES_MAX);
    entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
}

/// Every process that was started by one of `roots`, by those in turn, and so on; not the roots themselves.
pub(crate) fn descendants(roots: &[Pid]) -> Vec<Pid> {
    let mut children: BTreeMap<i32, Vec<Pid>> = BTreeMap::new();
    for pid in processes() {
        // What is dead already has nobody below it, and is not to be killed again.
        let alive = stat_field(pid, 3).is_some_and(|state| state != "Z" && state != "X");
        if let Some(parent) = stat_field(pid, 4).filter(|_| alive).and_then(|parent| parent.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found: Vec<Pid> = Vec::new();
    let mut next: Vec<Pid> = roots.to_vec();
    while let Some(parent) = next.pop() {
        // Taken out, so that a table that changed while it was read holds no circle.
        let below = children.remove(&parent.as_raw_pid()).unwrap_or_default();
        found.extend(&below);
        next.extend(below);
    }
    found
}

/// When a process was started, in the kernel's ticks since boot.
pub(crate) fn start_time(pid: Pid) -> Option<u64> {
    stat_field(pid, 22)?.parse().ok()
}

/// A field of `/proc/<pid>/stat`, counted from 1 as in its manual. The name in field 2 may hold anything.
fn stat_field(pid: Pid, number: usize) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(number.checked_sub(3)?).map(str::to_owned)
}
