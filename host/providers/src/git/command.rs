//! Runs the `git` program so that nothing in a repository makes the host run another program.
//!
//! Covered: hooks, the file system monitor, filters and merge drivers named by attributes, external diff and text
//! conversion, signing and signature programs, pagers and editors, credential and askpass helpers, ssh commands, every
//! transport (also the lazy fetch of a partial clone), automatic maintenance, submodule recursion, replace refs and
//! the configuration of system and user. Not covered: what checks and jobs themselves do, which run as the operator.

use super::error::GitError;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

/// Bytes taken from git's output: the paths of a tree with 100 000 files fit.
const OUTPUT_MAX: usize = 16 << 20;
/// Bytes of git's messages that are kept; one line of them is shown.
const MESSAGES_MAX: usize = 16 << 10;
/// Ordinary commands take milliseconds; this is for a repository of a kernel's size on a slow disk.
const TIME_LIMIT: Duration = Duration::from_mins(2);
/// Commands that write a whole worktree.
pub(super) const CHECKOUT_TIME_LIMIT: Duration = Duration::from_mins(15);
/// Git programs at once: many runs may look at the same moment, and each program holds a repository's pack index.
const PROCESSES_MAX: usize = 16;

/// Name and address on commits the host makes.
pub(super) const IDENTITY: (&str, &str) = ("Lockstep", "lockstep@localhost");

/// Settings that win over those of any repository.
const SETTINGS: &[(&str, &str)] = &[
    ("commit.gpgSign", "false"),
    ("core.askPass", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.editor", "false"),
    ("core.fsmonitor", "false"),
    // A ref that was moved must not come back after a power failure: the run has gone on.
    ("core.fsync", "committed,reference"),
    ("core.hooksPath", "/dev/null"),
    ("core.pager", "cat"),
    ("core.quotePath", "false"),
    ("core.sshCommand", "false"),
    ("credential.helper", ""),
    ("diff.external", ""),
    ("gc.auto", "0"),
    ("i18n.commitEncoding", "UTF-8"),
    ("i18n.logOutputEncoding", "UTF-8"),
    ("log.showSignature", "false"),
    ("maintenance.auto", "false"),
    ("protocol.allow", "never"),
    ("protocol.ext.allow", "never"),
    ("safe.bareRepository", "explicit"),
    ("submodule.recurse", "false"),
    // A folder of ours has to stay readable by an older git.
    ("worktree.useRelativePaths", "false"),
];

/// The git program with the environment it is given.
#[derive(Debug)]
pub(super) struct Git {
    program: PathBuf,
    /// An empty folder of ours: git's home and, where none is meant, its worktree.
    home: PathBuf,
    places: Semaphore,
}

/// One call of git, built up and then run.
#[derive(Debug)]
pub(super) struct Call<'a> {
    git: &'a Git,
    args: Vec<OsString>,
    folder: PathBuf,
    environment: Vec<(OsString, OsString)>,
    settings: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
    time_limit: Duration,
}

/// What a call gave.
#[derive(Debug)]
pub(super) struct Output {
    name: String,
    /// Exit status; none if it was ended by a signal.
    pub(super) code: Option<i32>,
    pub(super) stdout: Vec<u8>,
    pub(super) messages: String,
}

impl Git {
    pub(super) fn new(program: PathBuf, home: PathBuf) -> Self {
        Self { program, home, places: Semaphore::new(PROCESSES_MAX) }
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// A call with these arguments, run in the empty folder and in no repository.
    pub(super) fn call<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Call<'_> {
        Call {
            git: self,
            args: args.into_iter().map(|arg| arg.as_ref().to_owned()).collect(),
            folder: self.home.clone(),
            environment: Vec::new(),
            settings: SETTINGS.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            stdin: Vec::new(),
            time_limit: TIME_LIMIT,
        }
    }
}

impl Call<'_> {
    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(super) fn folder(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    pub(super) fn settings(mut self, settings: &[(OsString, OsString)]) -> Self {
        self.settings.extend_from_slice(settings);
        self
    }

    pub(super) fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = bytes;
        self
    }

    pub(super) fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Runs it; any exit status is an answer.
    pub(super) async fn run(self) -> Result<Output, GitError> {
        let name = self.args.first().map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
        if self.args.iter().chain(self.environment.iter().map(|(_, value)| value)).any(|text| has_nul(text)) {
            return Err(GitError::Argument { name });
        }
        let Ok(_place) = self.git.places.acquire().await else {
            return Err(GitError::TooLong { name, seconds: 0 });
        };
        let mut child = self
            .command()
            .spawn()
            .map_err(|source| GitError::Start { program: self.git.program.display().to_string(), source })?;
        let group = child.id();
        match tokio::time::timeout(self.time_limit, converse(&mut child, &name, self.stdin)).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => {
                end(group, &mut child).await;
                Err(error)
            }
            Err(_) => {
                end(group, &mut child).await;
                Err(GitError::TooLong { name, seconds: self.time_limit.as_secs() })
            }
        }
    }

    /// Runs it; any exit status but 0 is an error.
    pub(super) async fn checked(self) -> Result<Output, GitError> {
        let output = self.run().await?;
        if output.code == Some(0) { Ok(output) } else { Err(output.failed()) }
    }

    /// Runs it for one line of text.
    pub(super) async fn text(self) -> Result<String, GitError> {
        let output = self.checked().await?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
    }

    /// Runs it for a yes (exit status 0) or no (1).
    pub(super) async fn holds(self) -> Result<bool, GitError> {
        let output = self.run().await?;
        match output.code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(output.failed()),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.git.program);
        command
            .arg("--no-pager")
            .args(&self.args)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.git.home)
            .env("LC_ALL", "C")
            .envs([("GIT_AUTHOR_NAME", IDENTITY.0), ("GIT_AUTHOR_EMAIL", IDENTITY.1)])
            .envs([("GIT_COMMITTER_NAME", IDENTITY.0), ("GIT_COMMITTER_EMAIL", IDENTITY.1)])
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
            .envs([("GIT_ATTR_NOSYSTEM", "1"), ("GIT_NO_REPLACE_OBJECTS", "1")])
            .envs([("GIT_TERMINAL_PROMPT", "0"), ("GIT_EDITOR", "false"), ("GIT_ASKPASS", "false")])
            // An empty list allows no transport at all, whatever a repository's remotes say.
            .envs([("GIT_ALLOW_PROTOCOL", ""), ("GIT_NO_LAZY_FETCH", "1")])
            .envs([("GIT_OPTIONAL_LOCKS", "0"), ("GIT_LITERAL_PATHSPECS", "1")])
            .env("GIT_CONFIG_COUNT", self.settings.len().to_string());
        for (at, (name, value)) in self.settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{at}"), name).env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

impl Output {
    /// This output as an error: what git said.
    pub(super) fn failed(&self) -> GitError {
        GitError::Failed { name: self.name.clone(), reason: crate::text::one_line(&self.messages) }
    }

    /// The fields of an output separated by NUL.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let end = self.stdout.len() - usize::from(self.stdout.last() == Some(&0));
        let whole = &self.stdout[..end];
        whole.split(|byte| *byte == 0).take(if whole.is_empty() { 0 } else { usize::MAX })
    }
}

fn has_nul(text: &OsStr) -> bool {
    text.as_encoded_bytes().contains(&0)
}

/// Writes the input, reads both outputs and waits for the end, all at once so that no pipe fills up.
async fn converse(child: &mut Child, name: &str, stdin: Vec<u8>) -> Result<Output, GitError> {
    let broken = |source| GitError::Pipe { name: name.to_owned(), source };
    let (input, output, messages) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let writing = async {
        if let Some(mut input) = input {
            // A git that needs no more of its input closes it early; its exit status says whether that was right.
            input.write_all(&stdin).await.ok();
        }
    };
    let ((), stdout, messages) = tokio::join!(writing, read_all(output), read_start(messages));
    let Some(stdout) = stdout.map_err(broken)? else {
        return Err(GitError::TooMuch { name: name.to_owned(), bytes: OUTPUT_MAX });
    };
    let messages = String::from_utf8_lossy(&messages.map_err(broken)?).into_owned();
    let status = child.wait().await.map_err(broken)?;
    Ok(Output { name: name.to_owned(), code: status.code(), stdout, messages })
}

/// All of an output; none if it is too long, which ends the reading so that git gets no further.
async fn read_all(from: Option<impl AsyncRead + Unpin>) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(OUTPUT_MAX as u64 + 1).read_to_end(&mut bytes).await?;
    }
    Ok((bytes.len() <= OUTPUT_MAX).then_some(bytes))
}

/// The start of an output; the rest is read and dropped so that git does not wait for us.
async fn read_start(from: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        (&mut from).take(MESSAGES_MAX as u64).read_to_end(&mut bytes).await?;
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    }
    Ok(bytes)
}

/// Ends a call with whatever it started.
async fn end(group: Option<u32>, child: &mut Child) {
    let group = group.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let (Some(group), Ok(None)) = (group, child.try_wait()) {
        // Not yet waited for, so the id still belongs to it.
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
    child.kill().await.ok();
}
