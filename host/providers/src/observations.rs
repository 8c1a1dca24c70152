//! Looks at releases and environments, by the commands of the pipeline.

mod answer;

use crate::command::{CommandOptions, Reply, Request};
use crate::files::{blocking, create_private_dir, remove_tree_if_there};
use crate::git::{LocalGit, SetupError};
use crate::launch::Folder;
use answer::read_environment;
pub(crate) use answer::{WrittenSignal, read_evidence, read_health, reported};
use async_trait::async_trait;
use lockstep_ports::{ObservationOrder, Observations};
use lockstep_types::{EnvironmentReport, Evidence, HealthReport, ObserveFailure, ProviderCommand, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// Folders of looks a host was killed over that are removed at a start.
const LEFT_MAX: usize = 10_000;

/// Looks at releases and environments by the commands of the pipeline. Implements `Observations`; cheap to clone. Commands
/// end with the host; nothing is kept of them.
#[derive(Clone, Debug)]
pub struct LocalObservations {
    folder: PathBuf,
    options: Arc<CommandOptions>,
    places: Arc<Semaphore>,
    number: Arc<AtomicU64>,
}

impl LocalObservations {
    /// Observations that use the data folder of `git` while they run. What a host left there that was killed is removed.
    ///
    /// # Errors
    /// If the data folder cannot be written.
    pub fn new(git: &LocalGit, options: CommandOptions) -> Result<Self, SetupError> {
        let folder = git.data_dir().join("observations");
        create_private_dir(&folder)
            .map_err(|source| SetupError { path: folder.display().to_string(), source })?;
        for left in std::fs::read_dir(&folder).into_iter().flatten().flatten().take(LEFT_MAX) {
            let left = Folder::new(left.path());
            if matches!(left.is_busy(), Ok(false)) {
                left.kill_left_behind();
                remove_tree_if_there(left.path()).ok();
            }
        }
        let places = Arc::new(Semaphore::new(options.parallel.max(1)));
        Ok(Self { folder, options: Arc::new(options), places, number: Arc::default() })
    }

    /// Asks the command `name`, and has `read` make something of its answer.
    async fn ask<T>(
        &self,
        order: ObservationOrder<'_>,
        name: &'static str,
        body: serde_json::Value,
        read: impl FnOnce(&str) -> Result<T, Misread>,
    ) -> Result<T, ObserveFailure> {
        let command = order.commands.get(name).ok_or(ObserveFailure::NotConfigured)?;
        let body = body.to_string();
        let request = self.request(order, name, command, &body);
        if let Some(line) = request.obstacle() {
            return Err(ObserveFailure::Failed(line));
        }
        let reply = self.reply(&request).await.map_err(|error| {
            ObserveFailure::Failed(format!("{name}: the data folder cannot be used: {error}"))
        })?;
        match reply {
            Reply::Answer(text) => read(&text)
                .map_err(|Misread { what, why }| ObserveFailure::Failed(request.misshapen(what, &why))),
            Reply::Refused(line) | Reply::Failed(line) => Err(ObserveFailure::Failed(line)),
        }
    }

    fn request<'a>(
        &self,
        order: ObservationOrder<'a>,
        name: &'static str,
        command: &'a ProviderCommand,
        body: &'a str,
    ) -> Request<'a> {
        Request {
            table: "observations",
            name,
            command,
            run: order.run,
            change: order.change,
            body,
            variables: vec![("LOCKSTEP_OBSERVATION", name.to_owned())],
            time_limit: self.options.limit_of(command),
            tethered: true,
        }
    }

    async fn reply(&self, request: &Request<'_>) -> std::io::Result<Reply> {
        let _place = self.places.acquire().await.map_err(std::io::Error::other)?;
        let folder = self.free_folder()?;
        let Some(lock) = folder.lock()? else {
            return Err(std::io::Error::other("somebody else uses it"));
        };
        let mut child = request.start(&folder, &self.options.supervisor, lock)?;
        // Cut if nobody waits for the answer any more, which ends the command.
        let tether = child.stdin.take();
        child.wait().await?;
        drop(tether);
        let reply = match folder.exit()? {
            Some(exit) => request.reply(&folder, &exit),
            None => Reply::Failed(format!("{}: the supervisor of its command was killed", request.name)),
        };
        let path = folder.path().to_owned();
        if let Err(error) = blocking(move || remove_tree_if_there(&path)).await {
            tracing::warn!(folder = %folder.path().display(), %error, "what was observed could not be removed");
        }
        Ok(reply)
    }

    /// A folder nobody uses. One that a host was killed over may still be busy.
    fn free_folder(&self) -> std::io::Result<Folder> {
        loop {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            let path = self.folder.join(number.to_string());
            if !path.exists() {
                create_private_dir(&path)?;
                return Ok(Folder::new(path));
            }
        }
    }
}

/// An answer that is not what was asked for.
pub(crate) struct Misread {
    pub(crate) what: &'static str,
    pub(crate) why: String,
}

#[async_trait]
impl Observations for LocalObservations {
    async fn release_health(
        &self,
        order: ObservationOrder<'_>,
        watch_since: Timestamp,
    ) -> Result<HealthReport, ObserveFailure> {
        let body = serde_json::json!({ "watch_since": watch_since });
        self.ask(order, "release-health", body, |text| read_health(text, watch_since)).await
    }

    async fn evidence(
        &self,
        order: ObservationOrder<'_>,
        watch_since: Timestamp,
    ) -> Result<Evidence, ObserveFailure> {
        let body = serde_json::json!({ "watch_since": watch_since });
        self.ask(order, "evidence", body, |text| read_evidence(text, watch_since)).await
    }

    async fn environment(
        &self,
        order: ObservationOrder<'_>,
        id: &str,
    ) -> Result<Option<EnvironmentReport>, ObserveFailure> {
        let body = serde_json::json!({ "id": id });
        self.ask(order, "environment", body, read_environment).await
    }
}
