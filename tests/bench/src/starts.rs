//! Bringing a host up: the real binary over stored runs, and runs in flight that go on.

use crate::host::{Host, Storage};
use crate::machine::resident_mb;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A start that takes longer is broken.
const READY_MAX: Duration = Duration::from_secs(120);
/// Starts of which the best counts: what else the machine does only makes them slower.
const STARTS: u32 = 3;

/// How long the binary takes until it answers, and what it then has in memory.
pub(crate) struct Starts {
    /// The first one, which also adds the standard components.
    pub(crate) first: Duration,
    pub(crate) again: Duration,
    /// After a server that was killed, not ended.
    pub(crate) after_kill: Duration,
    pub(crate) resident_mb: f64,
}

pub(crate) fn measure(lockstep: &Path, folder: &Path) -> Result<Starts> {
    let (first, mut server) = start(lockstep, folder)?;
    let (mut again, mut after_kill) = (READY_MAX, READY_MAX);
    let mut resident = f64::MAX;
    for _ in 0..STARTS {
        Command::new("kill").arg(server.id().to_string()).status()?;
        server.wait()?;
        let (ready, next) = start(lockstep, folder)?;
        resident = resident.min(resident_mb(&next.id().to_string())?);
        again = again.min(ready);
        server = next;
        server.kill()?;
        server.wait()?;
        let (ready, next) = start(lockstep, folder)?;
        after_kill = after_kill.min(ready);
        server = next;
    }
    server.kill()?;
    server.wait()?;
    Ok(Starts { first, again, after_kill, resident_mb: resident })
}

fn start(lockstep: &Path, folder: &Path) -> Result<(Duration, Child)> {
    let up = folder.join("server.json");
    drop(fs::remove_file(&up));
    let begin = Instant::now();
    let mut serve = Command::new(lockstep);
    serve.arg("--data").arg(folder).args(["serve", "--listen", "127.0.0.1:0"]);
    serve.stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = serve.spawn().with_context(|| format!("start {}", lockstep.display()))?;
    while !up.exists() {
        if begin.elapsed() > READY_MAX || server.try_wait()?.is_some() {
            drop(server.kill());
            server.wait()?;
            bail!("the server did not become ready over {}", folder.display());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok((begin.elapsed(), server))
}

/// Brings so many runs to where each waits for a job, ends the host, and times how long the next one takes until every
/// job is asked for again.
pub(crate) async fn recovery(folder: &Path, probe: &[u8], cache: &Path, runs: usize) -> Result<Duration> {
    let host = Arc::new(Host::open(Storage::Disk(folder), probe, cache).await?);
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..runs {
        let host = Arc::clone(&host);
        starting.spawn(async move { host.hold().await });
    }
    while let Some(held) = starting.join_next().await {
        held??;
    }
    Arc::into_inner(host).context("every run was started")?.close().await;
    let begin = Instant::now();
    let host = Host::bring_up(Storage::Disk(folder), cache).await?;
    while host.jobs.under_way().len() < runs {
        ensure!(begin.elapsed() < READY_MAX, "not all runs were recovered");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let recovered = begin.elapsed();
    host.close().await;
    Ok(recovered)
}
