//! Finds whoever has the data folder: a server to speak to, or nobody, and then this process opens it.

use crate::context::Context;
use crate::data::{Holder, Lock, Locking};
use crate::exit::Refused;
use crate::remote::RemoteService;
use crate::wiring::{self, Drive, Local, Retention};
use lockstep_access::{Guarded, Identity};
use lockstep_ports::{AccessService, BacktestService, BoardService, ComponentService, RunService};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to wait for a folder that is taken: a server needs a moment to start, a short command to end.
const TAKEN_WAIT: Duration = Duration::from_secs(3);

/// How often to look whether it still is.
const TAKEN_LOOK: Duration = Duration::from_millis(50);

/// The host a command works with.
pub(crate) enum Host {
    /// In this process.
    Here { local: Local, guarded: Guarded, lock: Lock },
    /// Behind a server.
    Served { service: Arc<RemoteService>, url: String },
}

impl Host {
    /// The host of the folder, for `command`. A server is preferred; `drive` counts only if there is none.
    pub(crate) async fn open(context: &Context, command: &str, drive: Drive) -> anyhow::Result<Self> {
        let give_up = Instant::now() + TAKEN_WAIT;
        loop {
            let holder = match context.folder.try_lock(command)? {
                Locking::Ours(lock) => {
                    return Self::here(context, drive, false, lock).await;
                }
                Locking::Held(holder) => holder,
            };
            let server = context.folder.server_of(&holder);
            if let (Some(server), Some(token)) = (server, context.folder.token()) {
                let service = RemoteService::new(&server.url, &token)?;
                if service.is_alive().await {
                    return Ok(Self::Served { service: Arc::new(service), url: server.url });
                }
            }
            if is_watching(&holder) || Instant::now() >= give_up {
                return in_use(context, &holder);
            }
            tokio::time::sleep(TAKEN_LOOK).await;
        }
    }

    /// The host in this process alone, for a command that is the server.
    pub(crate) async fn open_here(context: &Context, command: &str) -> anyhow::Result<Self> {
        let give_up = Instant::now() + TAKEN_WAIT;
        loop {
            match context.folder.try_lock(command)? {
                Locking::Ours(lock) => {
                    return Self::here(context, Drive::Runs, true, lock).await;
                }
                Locking::Held(holder) => {
                    let stays = is_watching(&holder) || (holder.command == "serve" && holder.is_there());
                    if stays || Instant::now() >= give_up {
                        return in_use(context, &holder);
                    }
                }
            }
            tokio::time::sleep(TAKEN_LOOK).await;
        }
    }

    /// The host in this process, asked by whoever is at the terminal.
    async fn here(context: &Context, drive: Drive, is_server: bool, lock: Lock) -> anyhow::Result<Self> {
        let local = wiring::open_local(context.folder.path(), drive, is_server).await?;
        let guarded = Guarded::by(local.offered(), local.access(), Identity::at_terminal(&context.by));
        Ok(Self::Here { local, guarded, lock })
    }

    /// The host in this process, for a server that guards it itself.
    pub(crate) fn local(&self) -> Option<&Local> {
        match self {
            Self::Here { local, .. } => Some(local),
            Self::Served { .. } => None,
        }
    }

    pub(crate) fn access(&self) -> Arc<dyn AccessService> {
        match self {
            Self::Here { guarded, .. } => guarded.access(),
            Self::Served { service, .. } => Arc::<RemoteService>::clone(service),
        }
    }

    pub(crate) fn service(&self) -> Arc<dyn RunService> {
        match self {
            Self::Here { guarded, .. } => guarded.offered().runs,
            Self::Served { service, .. } => Arc::<RemoteService>::clone(service),
        }
    }

    pub(crate) fn board(&self) -> Arc<dyn BoardService> {
        match self {
            Self::Here { guarded, .. } => guarded.offered().board,
            Self::Served { service, .. } => Arc::<RemoteService>::clone(service),
        }
    }

    pub(crate) fn components(&self) -> Arc<dyn ComponentService> {
        match self {
            Self::Here { guarded, .. } => guarded.offered().components,
            Self::Served { service, .. } => Arc::<RemoteService>::clone(service),
        }
    }

    pub(crate) fn backtests(&self) -> Arc<dyn BacktestService> {
        match self {
            Self::Here { guarded, .. } => guarded.offered().backtests,
            Self::Served { service, .. } => Arc::<RemoteService>::clone(service),
        }
    }

    /// Removes runs that need not be kept any more, for as long as the host is up.
    pub(crate) fn retain(&self, retention: Retention) {
        if let Self::Here { local, .. } = self {
            local.retain(retention);
        }
    }

    /// The server's address, if there is one.
    pub(crate) fn server(&self) -> Option<&str> {
        match self {
            Self::Here { .. } => None,
            Self::Served { url, .. } => Some(url),
        }
    }

    pub(crate) async fn close(self) {
        if let Self::Here { local, guarded, lock } = self {
            drop(guarded);
            local.close().await;
            drop(lock);
        }
    }
}

/// The data folder for `command` alone, without opening what is in it.
pub(crate) async fn lock(context: &Context, command: &str) -> anyhow::Result<Lock> {
    let give_up = Instant::now() + TAKEN_WAIT;
    loop {
        match context.folder.try_lock(command)? {
            Locking::Ours(lock) => return Ok(lock),
            Locking::Held(holder)
                if holder.command == "serve" || is_watching(&holder) || Instant::now() >= give_up =>
            {
                return in_use(context, &holder);
            }
            Locking::Held(_) => tokio::time::sleep(TAKEN_LOOK).await,
        }
    }
}

/// Whether the folder is taken until a run ends, which is not worth waiting for.
fn is_watching(holder: &Holder) -> bool {
    matches!(holder.command.as_str(), "run" | "runs watch") && holder.is_there()
}

fn in_use<T>(context: &Context, holder: &Holder) -> anyhow::Result<T> {
    let folder = context.folder.path().display();
    let process = match holder {
        Holder { pid: Some(pid), command } => format!("process (pid {pid}, `{command}`)"),
        Holder { pid: None, .. } => "process".to_owned(),
    };
    let reason = format!(
        "the data folder {folder} is in use by another lockstep {process}: wait for it, stop it, or use another --data"
    );
    Refused::because(reason)
}
