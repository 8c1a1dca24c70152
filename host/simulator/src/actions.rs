//! The actions of a script (FORMAT.md section 1.6): which there are, and who carries them out.

use crate::world::{Refusal, World};
use crate::{Action, SimulationError};
use lockstep_types::board::ItemId;
use lockstep_types::{Input, ItemStatus, Rejected};
use serde_json::Value;

/// Every action with the arguments it takes; all of them are optional but those the action cannot do without.
const ACTIONS: &[(&str, &[&str])] = &[
    ("start", &["block", "pipeline", "user", "activateFails", "replace"]),
    ("drive", &["block", "run"]),
    ("advance", &["block", "run", "swallow"]),
    ("poll_job", &["block", "run"]),
    ("poll_gate", &["block", "run"]),
    ("gate_exhausted", &["block", "run"]),
    ("fail", &["block", "run", "message", "kind", "detail"]),
    ("decide", &["block", "run", "decision", "choice", "token"]),
    ("approve", &["block", "run", "approval", "proposal", "token"]),
    ("request_changes", &["block", "run", "approval", "feedback", "comments", "token"]),
    ("reject", &["block", "run", "approval", "reason", "token"]),
    ("companion_exceeded", &["block", "run", "approval", "choice"]),
    ("retry", &["block", "run", "user"]),
    ("restart", &["block", "run", "step", "user"]),
    ("stop", &["block", "run", "reason", "kind"]),
    ("cancel", &["block"]),
    ("teardown", &["block"]),
    ("merge_pr", &["block", "user"]),
    ("resume_paused", &[]),
    ("run_review", &["block", "kind"]),
    ("incorporate", &["block", "kind", "feedback"]),
    ("re_review", &["block", "kind"]),
    ("proceed", &["block", "kind", "force"]),
    ("review_exceeded", &["block", "kind", "choice"]),
    ("review_reply", &["block", "kind", "item", "reply"]),
    ("review_status", &["block", "kind", "item", "status"]),
    ("review_settle_all", &["block", "kind", "reply"]),
    ("ht_confirm", &["block"]),
    ("ht_fix", &["block", "findings"]),
    ("ht_pull_main", &["block"]),
    ("ht_recreate", &["block"]),
    ("ht_destroy", &["block"]),
    ("notification", &["id", "type", "action"]),
    ("escalate", &["thresholdMs"]),
    ("settings", &["patch"]),
    ("clock", &["ms"]),
    ("spend", &["cost"]),
    ("spend_status", &[]),
    ("block_update", &["block", "patch"]),
    ("pipeline_put", &["pipeline"]),
    ("set_status", &["block", "status"]),
    ("create_pipeline", &["input"]),
    ("update_pipeline", &["id", "input"]),
    ("schedule_create", &["input"]),
    ("schedule_update", &["id", "patch"]),
    ("schedule_remove", &["id"]),
    ("run_due", &[]),
    ("run_now", &["id"]),
    ("schedule_runs", &["id"]),
];

/// Says what is wrong with a line of a script.
pub(crate) fn check(at: usize, action: &Action) -> Result<(), SimulationError> {
    let name = action.name.as_str();
    let Some((_, arguments)) = ACTIONS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
        return Err(SimulationError::Scenario(format!(
            "script[{at}]: there is no action {name:?}: use one of {}",
            known.join(", ")
        )));
    };
    if let Some(argument) = action.args.keys().find(|given| !arguments.contains(&given.as_str())) {
        let known = if arguments.is_empty() { "none".to_owned() } else { arguments.join(", ") };
        return Err(SimulationError::Scenario(format!(
            "script[{at}]: {name} takes no argument {argument:?}: it takes {known}"
        )));
    }
    Ok(())
}

impl World<'_> {
    pub(crate) async fn act(&mut self, action: &Action) -> Result<(), Refusal> {
        match action.name.as_str() {
            "start" => self.start(action).await,
            "drive" => self.drive(action).await,
            "advance" => self.advance_once(action).await,
            "poll_job" => self.poll_job_once(action).await,
            "poll_gate" => self.poll_gate_once(action).await,
            "gate_exhausted" => self.gate_exhausted(action).await,
            "fail" => self.fail(action).await,
            "stop" => self.stop(action).await,
            "retry" => self.retry(action).await,
            "restart" => self.restart(action).await,
            "cancel" => self.cancel(action.block()).await,
            "teardown" => self.teardown(action.text("block").unwrap_or("svc")).await,
            "merge_pr" => self.merge_by_hand(action).await,
            "resume_paused" => self.resume_paused().await,
            "decide" | "approve" | "request_changes" | "reject" => {
                let at = self.addressed(action)?;
                self.answer(at, action).await
            }
            "companion_exceeded" => self.companion_exceeded(action).await,
            "notification" => self.settle_card(action).await,
            "escalate" => self.escalate(action).await,
            "create_pipeline" => self.create_pipeline(action),
            "update_pipeline" => self.update_pipeline(action),
            "schedule_create" | "schedule_update" | "schedule_remove" | "schedule_runs" | "run_due"
            | "run_now" => self.schedule(action).await,
            name if name.starts_with("ht_") => self.human_test(action).await,
            "settings" | "clock" | "spend" | "spend_status" | "block_update" | "pipeline_put"
            | "set_status" => self.change_behind(action).await,
            _ => self.review(action).await,
        }
    }

    /// What changes stored data behind the engine.
    async fn change_behind(&mut self, action: &Action) -> Result<(), Refusal> {
        let arg = |name: &str| action.args.get(name).cloned().unwrap_or(Value::Null);
        match action.name.as_str() {
            "clock" => self.now = self.now.plus_ms(arg("ms").as_u64().unwrap_or(0)),
            "spend" => {
                let cost = crate::items::cost(action.args.get("cost"))?;
                let changes = self.board.add_cost(cost, Default::default(), self.now);
                self.change(&changes);
            }
            "settings" if self.scenario.wiring.settings == Some(false) => {}
            "settings" => {
                let patch = read("patch", arg("patch"))?;
                let next = crate::mapping::settings(self.board.settings().clone(), &patch)?;
                self.change(&[lockstep_types::board::Change::Put(lockstep_types::board::Row::Settings(
                    next,
                ))]);
            }
            "pipeline_put" => {
                let given: crate::scenario::ScenarioPipeline = read("pipeline", arg("pipeline"))?;
                self.put_pipeline(&given)?;
            }
            "set_status" => {
                let item = self.item_id(action.block())?;
                let status: ItemStatus = read("status", dashed(arg("status")))?;
                self.set_status(&item, status)?;
            }
            "block_update" => self.update_block(action.block(), &arg("patch"))?,
            // `spend_status` only reads.
            _ => {}
        }
        Ok(())
    }

    fn update_block(&mut self, block: &str, patch: &Value) -> Result<(), Refusal> {
        let id = self.item_id(block)?;
        let mut item = self.board.item(&id)?.clone();
        for (name, value) in patch.as_object().into_iter().flatten() {
            let text = value.as_str().map(str::to_owned);
            match name.as_str() {
                "title" => item.title = text.unwrap_or_default(),
                "description" => item.description = text.unwrap_or_default(),
                "status" => item.status = read("status", dashed(value.clone()))?,
                "moduleName" => item.module_name = text,
                "mergePresetId" => item.preset = text.as_deref().map(crate::mapping::id).transpose()?,
                "taskType" => item.task_type = read("taskType", dashed(value.clone()))?,
                "dependsOn" if !self.scenario.knows_dependencies() => {}
                "dependsOn" => {
                    let on: Vec<String> = read("dependsOn", value.clone())?;
                    item.depends_on =
                        on.iter().map(|on| crate::mapping::id(on)).collect::<Result<Vec<ItemId>, _>>()?;
                }
                "pullRequest" => item.pull_request = read("pullRequest", value.clone())?,
                other => {
                    let text = format!("block_update cannot change {other:?} in a simulation");
                    return Err(Rejected::Invalid(text).into());
                }
            }
        }
        let before = self.board.item(&id)?.status;
        self.change(&[lockstep_types::board::Change::Put(lockstep_types::board::Row::Item(item.clone()))]);
        if before != item.status {
            self.trace.block_status(id.as_str(), crate::trace::item_word(item.status));
        }
        Ok(())
    }

    /// `resume_paused`: every paused run goes on (SPEC SP-5).
    async fn resume_paused(&mut self) -> Result<(), Refusal> {
        for at in 0..self.runs.len() {
            if self.runs[at].run().status() == lockstep_types::RunStatus::Paused {
                self.input(at, &Input::Resume { by: crate::world::PERSON.to_owned() }).await?;
            }
        }
        Ok(())
    }
}

fn dashed(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('_', "-")),
        other => other,
    }
}

fn read<T: serde::de::DeserializeOwned>(what: &str, value: Value) -> Result<T, SimulationError> {
    serde_json::from_value(value).map_err(|error| SimulationError::Scenario(format!("{what}: {error}")))
}
