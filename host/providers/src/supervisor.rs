//! The supervisor's side of a supervised program: a small process that outlives the host.

use crate::files::{read_json, write_json};
use crate::launch::{Exit, Folder, GRACE, Order, Running, descendants, start_time};
use crate::mask::{Held, Mask};
use rustix::process::{Pid, Signal, WaitOptions};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Bytes of output kept for people: the end of a build log. The file holds at most twice this.
pub(crate) const LOG_KEPT: u64 = 2 << 20;
/// Bytes of standard output kept, which are the result of a program that writes no other.
pub(crate) const STDOUT_KEPT: u64 = 256 << 10;
/// Bytes of standard error kept by themselves: the last line says why a program failed.
const STDERR_KEPT: u64 = 4 << 10;
/// Bytes read from a program at once.
const CHUNK: usize = 16 << 10;
/// Times the processes left behind are killed, 10 ms apart: half a minute, in which even what forks without end runs
/// out of parents, as all that is found is killed at once.
const REAP_ROUNDS: u32 = 3000;
const REAP_INTERVAL: Duration = Duration::from_millis(10);
/// Between two looks at whether the folder is still there. Once it is gone nobody can learn of the program or stop it.
const FOLDER_LOOKED_AT: Duration = Duration::from_secs(1);
/// A machine that shuts down tells programs and supervisors at once: so soon after its program, the supervisor is told.
const SHUTDOWN_WINDOW: Duration = Duration::from_millis(300);
/// How long output already written may take to arrive once every writer is dead.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Runs the program ordered in `folder` to its end and records how it ended. The host starts its own executable again
/// for this, with the folder as last argument and the folder's lock as standard output. Must be called from a process
/// that does nothing else: it moves to its own session, and every process it leads to is killed at the end.
///
/// Returns the exit status for the process: 0 if the end was recorded.
#[must_use]
pub fn supervise(folder: &Path) -> i32 {
    let folder = Folder::new(folder);
    // A thread of its own, so that the caller may be inside a runtime.
    let work = std::thread::spawn(move || match supervise_folder(&folder) {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(folder = %folder.path().display(), %error, "a program could not be supervised");
            1
        }
    });
    work.join().unwrap_or(1)
}

fn supervise_folder(folder: &Folder) -> io::Result<()> {
    // Fails only if this process already leads a group: then it has no terminal of the host's to lose either.
    rustix::process::setsid().ok();
    // Grandchildren whose parents end become children of this process, so that none is lost.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(run_order(folder));
    // Its thread may still wait for a tether that nobody cuts.
    runtime.shutdown_background();
    write_json(&folder.exit_file(), &exit?)
}

async fn run_order(folder: &Folder) -> io::Result<Exit> {
    let mut terminate = signal(SignalKind::terminate())?;
    // From now on these have no effect; what ends a program is its time limit, a stop, or the tether.
    let (_hangup, _interrupt) = (signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?);
    let own = rustix::process::getpid();
    write_json(&folder.running_file(), &Running { pid: own.as_raw_pid(), started: start_time(own) })?;
    let Some(order) = read_json::<Order>(&folder.order())? else {
        return Ok(Exit::NotStarted("its order is missing".into()));
    };
    let mut child = match start(&order) {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound && order.cwd.is_dir() => {
            return Ok(Exit::NotFound);
        }
        Err(error) => return Ok(Exit::NotStarted(error.to_string())),
    };
    let mask = Arc::new(Mask::new(order.secret_variables.iter().filter_map(|name| std::env::var(name).ok())));
    let logs = Logs {
        log: TailLog::new(folder.log(), LOG_KEPT),
        stdout: TailLog::new(folder.stdout(), STDOUT_KEPT),
        stderr: TailLog::new(folder.stderr(), STDERR_KEPT),
        mask: Arc::clone(&mask),
    };
    let pumps = tokio::spawn(pump(child.stdout.take(), child.stderr.take(), logs));
    let (limit, tether) = (Duration::from_millis(order.time_limit_ms), tether(order.tethered));
    let (ended, forced) = tokio::select! {
        status = child.wait() => (Some(status?), None),
        _ = terminate.recv() => (None, Some(Exit::Stopped)),
        () = tether => (None, Some(Exit::Stopped)),
        () = folder_gone(folder) => (None, Some(Exit::Stopped)),
        () = tokio::time::sleep(limit) => (None, Some(Exit::TimedOut)),
    };
    let mut forced = forced;
    if ended.is_none() {
        end_group(&mut child).await;
    } else if ended.and_then(|status| status.signal()) == Some(Signal::TERM.as_raw())
        && tokio::time::timeout(SHUTDOWN_WINDOW, terminate.recv()).await.is_ok()
    {
        forced = Some(Exit::Stopped);
    }
    reap_all().await;
    tokio::time::timeout(DRAIN_LIMIT, pumps).await.ok();
    if let Some(file) = &order.masked_file {
        mask.file(file)?;
    }
    Ok(match (forced, ended) {
        (Some(forced), _) => forced,
        (None, Some(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Status(code),
            (None, signal) => Exit::Signal(signal.unwrap_or_default()),
        },
        (None, None) => Exit::Stopped,
    })
}

fn start(order: &Order) -> io::Result<Child> {
    let Some((program, args)) = order.command.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "its command is empty"));
    };
    let stdin = match &order.stdin {
        Some(path) => Stdio::from(File::open(path)?),
        None => Stdio::null(),
    };
    Command::new(program)
        .args(args)
        .current_dir(&order.cwd)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// Returns when the host that holds the other end is gone; never if there is no tether.
async fn tether(tethered: bool) {
    if !tethered {
        return std::future::pending().await;
    }
    let (cut, is_cut) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut nothing = [0; 64];
        while matches!(io::stdin().read(&mut nothing), Ok(1..)) {}
        drop(cut);
    });
    is_cut.await.ok();
}

/// Returns when the folder was removed: a host that was given up, or a test that ended.
async fn folder_gone(folder: &Folder) {
    while folder.order().exists() {
        tokio::time::sleep(FOLDER_LOOKED_AT).await;
    }
}

/// Asks the program's group to end, then kills it.
async fn end_group(child: &mut Child) {
    signal_group(child, Signal::TERM);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        signal_group(child, Signal::KILL);
        child.wait().await.ok();
    }
}

/// `child` has not been waited for, so its id is its own and that of its group.
fn signal_group(child: &Child, signal: Signal) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        rustix::process::kill_process_group(group, signal).ok();
    }
}

/// Kills whatever the program left behind, until there is nothing left: whoever loses its parent becomes a child of this
/// process, whatever session, group or environment it gave itself.
async fn reap_all() {
    let own = rustix::process::getpid();
    for _ in 0..REAP_ROUNDS {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
        for pid in descendants(&[own]) {
            rustix::process::kill_process(pid, Signal::KILL).ok();
        }
        tokio::time::sleep(REAP_INTERVAL).await;
    }
    tracing::error!("processes of a program could not be killed");
}

/// Where the output of a program is kept: both streams together, and each by itself. A log that cannot be written is no
/// reason to hold the program up.
struct Logs {
    log: TailLog,
    stdout: TailLog,
    stderr: TailLog,
    mask: Arc<Mask>,
}

impl Logs {
    fn out(&mut self, bytes: &[u8]) {
        self.log.append(bytes);
        self.stdout.append(bytes);
    }

    fn err(&mut self, bytes: &[u8]) {
        self.log.append(bytes);
        self.stderr.append(bytes);
    }
}

/// Writes both outputs to their logs as they come, without secrets.
async fn pump(out: Option<impl AsyncRead + Unpin>, err: Option<impl AsyncRead + Unpin>, mut logs: Logs) {
    let (Some(mut out), Some(mut err)) = (out, err) else { return };
    let (mut from_out, mut from_err) = (vec![0; CHUNK], vec![0; CHUNK]);
    let (mut out_open, mut err_open) = (true, true);
    let (mut out_held, mut err_held) = (Held::default(), Held::default());
    let mask = Arc::clone(&logs.mask);
    while out_open || err_open {
        tokio::select! {
            read = out.read(&mut from_out), if out_open => match read {
                Ok(length @ 1..) => logs.out(&mask.next(&mut out_held, &from_out[..length])),
                _ => out_open = false,
            },
            read = err.read(&mut from_err), if err_open => match read {
                Ok(length @ 1..) => logs.err(&mask.next(&mut err_held, &from_err[..length])),
                _ => err_open = false,
            },
        }
    }
    logs.out(&mask.end(&mut out_held));
    logs.err(&mask.end(&mut err_held));
}

/// A file that keeps at least the last `kept` bytes appended to it and never holds more than twice that.
pub(crate) struct TailLog {
    path: PathBuf,
    kept: u64,
    file: Option<File>,
    length: u64,
}

impl TailLog {
    /// Goes on with what is there.
    pub(crate) fn new(path: PathBuf, kept: u64) -> Self {
        let file = open_log(&path).ok();
        let length = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |about| about.len());
        Self { path, kept, file, length }
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if self.length + bytes.len() as u64 > 2 * self.kept {
            match self.shorten() {
                Ok(length) => self.length = length,
                // Without a shorter log none is kept, for it would grow without end.
                Err(_) => self.file = None,
            }
        }
        let Some(file) = &mut self.file else { return };
        match file.write_all(bytes) {
            Ok(()) => self.length += bytes.len() as u64,
            Err(_) => self.file = None,
        }
    }

    fn shorten(&mut self) -> io::Result<u64> {
        let kept = usize::try_from(self.kept).unwrap_or(usize::MAX);
        let end = crate::files::read_end(&self.path, kept)?.unwrap_or_default();
        let fresh = self.path.with_extension("new");
        std::fs::write(&fresh, &end)?;
        std::fs::rename(&fresh, &self.path)?;
        self.file = Some(open_log(&self.path)?);
        Ok(end.len() as u64)
    }
}

fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::TailLog;

    #[test]
    fn a_log_keeps_its_end_and_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        let mut log = TailLog::new(path.clone(), 100);
        for number in 0..100 {
            log.append(format!("line {number:03}\n").as_bytes());
            assert!(std::fs::metadata(&path).unwrap().len() <= 200);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("line 098\nline 099\n"), "{text}");
        assert!(text.len() >= 100);
    }
}
