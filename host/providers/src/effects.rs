//! Effects: those of git, and those that a command of the pipeline performs.

use crate::command::{CommandOptions, Reply, Request};
use crate::files::{blocking, read_json, remove_tree_if_there, write_durably, write_json};
use crate::git::LocalGit;
use crate::jobs::numbered_name;
use crate::launch::{Exit, Folder};
use async_trait::async_trait;
use lockstep_ports::Effects;
use lockstep_types::{
    Effect, EffectKey, EffectOrder, EffectOutcome, Environment, JsonText, ProviderCommand, RunId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Times a command is begun whose supervisor is lost each time, before its effect counts as what takes the machine down.
const STARTS_MAX: u32 = 3;

/// Performs effects: merges by git, the others by the commands of the pipeline. Implements `Effects`; cheap to clone.
///
/// A command and how it ended are kept by the key of its effect, and it outlives a host that is killed: the next one takes
/// its outcome, and runs nothing. Only if its supervisor is lost as well, so that nobody knows how far it came, is it run
/// again; by `LOCKSTEP_EFFECT_KEY` it can then tell that it was there before.
#[derive(Clone, Debug)]
pub struct LocalEffects {
    git: LocalGit,
    options: Arc<CommandOptions>,
    places: Arc<Semaphore>,
}

/// Folders of effects that are looked through after a start.
const EFFECTS_MAX: usize = 1_000_000;

/// What is remembered of an effect that was begun.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    key: EffectKey,
    /// Times a supervisor was started.
    starts: u32,
}

impl LocalEffects {
    /// Effects in the repositories of `git`, kept in its data folder.
    #[must_use]
    pub fn new(git: LocalGit, options: CommandOptions) -> Self {
        let places = Arc::new(Semaphore::new(options.parallel.max(1)));
        Self { git, options: Arc::new(options), places }
    }

    fn effects_dir(&self) -> PathBuf {
        self.git.data_dir().join("effects")
    }

    fn folder(&self, key: &EffectKey) -> Folder {
        let name = numbered_name(&key.step, key.number);
        Folder::new(self.effects_dir().join(key.run.as_str()).join(name))
    }

    /// Ends a command with all its processes. That it was stopped is written down first, so that it is not begun anew.
    async fn end(&self, key: &EffectKey) -> std::io::Result<()> {
        let folder = self.folder(key);
        if !folder.path().is_dir() || folder.file("outcome.json").exists() {
            return Ok(());
        }
        let stopped = folder.file("stopped");
        blocking(move || write_durably(&stopped, b"")).await?;
        folder.stop().await
    }

    /// Takes an effect from wherever it stands to its outcome.
    async fn to_outcome(&self, request: &Request<'_>, order: &EffectOrder) -> std::io::Result<EffectOutcome> {
        let key = &order.key;
        let folder = self.folder(key);
        let (outcome_file, record_file) = (folder.file("outcome.json"), folder.file("effect.json"));
        if let Some(outcome) = read_json(&outcome_file)? {
            return Ok(outcome);
        }
        let _place = self.places.acquire().await.map_err(std::io::Error::other)?;
        loop {
            folder.until_idle().await?;
            // Whoever holds the lock is alone with this effect, so what is read under it stays true.
            let Some(lock) = folder.lock()? else { continue };
            if let Some(outcome) = read_json(&outcome_file)? {
                return Ok(outcome);
            }
            // A supervisor that was asked to end went down with its machine: its command begins anew.
            if let Some(exit) = folder.exit()?.filter(|exit| *exit != Exit::Stopped) {
                let outcome = outcome_of(request, &order.effect, request.reply(&folder, &exit));
                let kept = outcome.clone();
                blocking(move || write_json(&outcome_file, &kept)).await?;
                return Ok(outcome);
            }
            let starts = read_json::<Record>(&record_file)?.map_or(0, |record| record.starts);
            if starts > 0 {
                folder.end_left_behind().await?;
            }
            if folder.file("stopped").exists() {
                return Ok(EffectOutcome::Failed(format!("{}: its command was stopped", request.name)));
            }
            if starts >= STARTS_MAX {
                let text = format!(
                    "{}: the supervisor of its command was lost {STARTS_MAX} times; look whether it took place",
                    request.name
                );
                return Ok(EffectOutcome::Failed(text));
            }
            let (record, kept_in) = (Record { key: key.clone(), starts: starts + 1 }, record_file.clone());
            blocking(move || write_json(&kept_in, &record)).await?;
            let mut child = request.start(&folder, &self.options.supervisor, lock)?;
            child.wait().await?;
        }
    }
}

#[async_trait]
impl Effects for LocalEffects {
    async fn perform(&self, order: &EffectOrder, command: Option<&ProviderCommand>) -> EffectOutcome {
        let (name, body) = match &order.effect {
            Effect::Merge(_) | Effect::UpdateBranch => return self.git.perform(order).await,
            Effect::Provision { input, .. } => (order.effect.name(), input),
            Effect::OpenTicket(body) | Effect::Teardown(body) | Effect::AnnotateIncident(body) => {
                (order.effect.name(), body)
            }
        };
        let Some(command) = command else {
            let table = format!("[effects.{name}]");
            return EffectOutcome::NotConfigured(format!(
                "no command performs {name}: add {table} with command = [\"program\", \"argument\"] to the pipeline"
            ));
        };
        let request = Request {
            table: "effects",
            name,
            command,
            run: &order.key.run,
            change: &order.change,
            body: body.as_str(),
            variables: vec![
                ("LOCKSTEP_EFFECT", name.to_owned()),
                ("LOCKSTEP_EFFECT_KEY", order.key.to_string()),
                ("LOCKSTEP_STEP", order.key.step.clone()),
            ],
            time_limit: self.options.limit_of(command),
            tethered: false,
        };
        if let Some(line) = request.obstacle() {
            return EffectOutcome::Failed(line);
        }
        match self.to_outcome(&request, order).await {
            Ok(outcome) => outcome,
            Err(error) => EffectOutcome::Failed(format!("{name}: the data folder cannot be used: {error}")),
        }
    }

    async fn stop(&self, key: &EffectKey) {
        if let Err(error) = self.end(key).await {
            tracing::warn!(%key, %error, "the command of an effect could not be stopped");
        }
    }

    async fn sweep(&self, wanted: &BTreeSet<EffectKey>) {
        let runs = std::fs::read_dir(self.effects_dir()).into_iter().flatten().flatten();
        let folders = runs.filter_map(|run| std::fs::read_dir(run.path()).ok()).flatten().flatten();
        for folder in folders.take(EFFECTS_MAX).map(|entry| Folder::new(entry.path())) {
            if folder.file("outcome.json").exists() {
                continue;
            }
            if let Ok(Some(record)) = read_json::<Record>(&folder.file("effect.json"))
                && !wanted.contains(&record.key)
            {
                self.stop(&record.key).await;
            }
        }
    }

    async fn forget(&self, run: &RunId) {
        let folder = self.effects_dir().join(run.as_str());
        for left in std::fs::read_dir(&folder).into_iter().flatten().flatten().take(EFFECTS_MAX) {
            let left = Folder::new(left.path());
            if matches!(left.is_busy(), Ok(true))
                && let Err(error) = left.stop().await
            {
                tracing::warn!(%run, %error, "the command of an effect could not be stopped");
            }
        }
        if let Err(error) = blocking(move || remove_tree_if_there(&folder)).await {
            tracing::warn!(%run, %error, "the effects of a run could not be removed");
        }
    }
}

/// What a reply means for an effect. An environment is told of in a form that steps and the host can read.
fn outcome_of(request: &Request<'_>, effect: &Effect, reply: Reply) -> EffectOutcome {
    let text = match reply {
        Reply::Refused(line) => return EffectOutcome::Refused(line),
        Reply::Failed(line) => return EffectOutcome::Failed(line),
        Reply::Answer(text) if text.is_empty() => "{}".to_owned(),
        Reply::Answer(text) => text,
    };
    if matches!(effect, Effect::Provision { .. }) {
        let what = "an environment";
        // The fields in an array, in order, would do for serde.
        if !text.starts_with('{') {
            return EffectOutcome::Failed(request.misshapen(what, "it is not a JSON object"));
        }
        match serde_json::from_str::<Environment>(&text) {
            Ok(environment) if environment.id.trim().is_empty() => {
                return EffectOutcome::Failed(request.misshapen(what, "its `id` is empty"));
            }
            Ok(_) => {}
            Err(error) => return EffectOutcome::Failed(request.misshapen(what, &error.to_string())),
        }
    }
    match JsonText::new(&text) {
        Ok(told) => EffectOutcome::Done(told),
        Err(error) => EffectOutcome::Failed(request.misshapen("JSON that can be kept", &error.to_string())),
    }
}
