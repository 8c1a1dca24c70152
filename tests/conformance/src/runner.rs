//! The actions of a script (FORMAT.md section 1.6).

use crate::board::{Board, RunEntry};
use crate::drive::{Advanced, Calls};
use crate::mapping;
use crate::outside::Outside;
use crate::scenario::Action;
use crate::trace::{Trace, final_state, run_word};
use crate::{Components, RunError, Scenario};
use lockstep_engine::Turn;
use lockstep_types::{
    Answer, Change, Comment, Failure, FailureClass, Input, NoticeState, QuestionId, Rejected, RunSpec,
    Timestamp,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// 2026-01-05T09:00:00Z.
const CLOCK_START: Timestamp = Timestamp(1_767_603_600_000);

/// Calls of the engine in one scenario: `maxCalls` of FORMAT.md section 1.4. More means that it turns for ever.
const CALLS_MAX: u32 = 5000;

/// Who does everything in a scenario.
const PERSON: &str = "someone";

/// Why an action was not carried out.
pub(crate) enum Refusal {
    /// The action was refused; part of the trace.
    Rejected(Rejected),
    /// The scenario cannot go on.
    Stop(RunError),
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl From<RunError> for Refusal {
    fn from(error: RunError) -> Self {
        Self::Stop(error)
    }
}

/// A scenario under way.
pub(crate) struct World<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) components: &'a Components,
    pub(crate) board: Board,
    pub(crate) outside: Outside,
    pub(crate) trace: Trace,
    pub(crate) now: Timestamp,
    /// Calls of the engine that may still be made.
    pub(crate) calls_left: u32,
}

/// Runs a scenario and gives its reduced trace.
///
/// # Errors
/// `Unsupported` if it needs what is not built, `Broken` if scenario or components are unusable.
pub async fn run(scenario: &Scenario, components: &Components) -> Result<Value, RunError> {
    scenario.check_supported()?;
    let mut world = World {
        scenario,
        components,
        board: Board::new(scenario.board()),
        outside: Outside::new(scenario),
        trace: Trace::default(),
        now: CLOCK_START,
        calls_left: CALLS_MAX,
    };
    for (at, action) in scenario.script.iter().enumerate() {
        world.trace.begin(at);
        match world.act(action).await {
            Ok(()) => {}
            Err(Refusal::Stop(error)) => return Err(error),
            Err(Refusal::Rejected(rejected)) => {
                let class = match rejected {
                    Rejected::NotFound(_) => "not-found",
                    Rejected::Conflict(_) => "conflict",
                    Rejected::Invalid(_) => "validation",
                };
                world.trace.rejected(&action.name, class);
            }
        }
        world.look();
    }
    Ok(world.into_trace())
}

impl World<'_> {
    async fn act(&mut self, action: &Action) -> Result<(), Refusal> {
        match action.name.as_str() {
            "start" => self.start(action).await,
            "drive" => self.drive(action).await,
            "advance" => self.advance_once(action).await,
            "poll_job" => self.poll_job_once(action).await,
            "poll_gate" => self.poll_gate_once(action).await,
            "clock" => {
                self.now = self.now.plus_ms(action.args.get("ms").and_then(Value::as_u64).unwrap_or(0));
                Ok(())
            }
            "fail" => self.fail(action).await,
            "stop" => self.stop(action).await,
            "retry" => self.retry(action).await,
            "restart" => self.restart(action).await,
            "cancel" => self.cancel(action.block()).await,
            "decide" | "approve" | "request_changes" | "reject" => {
                let at = self.addressed(action)?;
                self.answer(at, action).await
            }
            "companion_exceeded" => self.companion_exceeded(action).await,
            other => Err(RunError::Unsupported(format!("action {other}")).into()),
        }
    }

    pub(crate) fn addressed(&self, action: &Action) -> Result<usize, Refusal> {
        let found = self.board.addressed(action.text("run"), action.block());
        found.ok_or_else(|| Rejected::NotFound("there is no such run".to_owned()).into())
    }

    /// Everything is refused before anything changes (D-11).
    async fn start(&mut self, action: &Action) -> Result<(), Refusal> {
        let block = action.block();
        let not_found =
            |what: &str| Refusal::Rejected(Rejected::NotFound(format!("there is no such {what}")));
        if !self.board.blocks.contains_key(block) {
            return Err(not_found("block"));
        }
        let wanted = action.text("pipeline");
        let mut pipelines = self.scenario.pipelines.iter();
        let def = pipelines
            .find(|def| wanted.is_none_or(|id| def.id == id))
            .ok_or_else(|| not_found("pipeline"))?;
        if action.args.contains_key("activateFails") {
            return Err(RunError::Unsupported("credentials".to_owned()).into());
        }
        let chosen = self.board.blocks[block].def.merge_preset_id.clone();
        let pipeline = mapping::pipeline(self.scenario, def, chosen.as_deref())?;
        let spec = self.spec(block, pipeline, "exec_0")?;
        Turn::begin(None, self.now, &Input::Start(Box::new(spec.clone())))?;
        let old = self.board.runs.iter().position(|entry| entry.block == block);
        if let Some(at) = old {
            let replaces = action.args.get("replace") == Some(&Value::Bool(true));
            if replaces {
                let input = Input::Stop { reason: "replaced".to_owned(), by: PERSON.to_owned() };
                self.turn(at, &input, Calls::Following).await?;
            } else if self.board.runs[at].run().status().is_live() {
                let text = format!("block {block} has a live run: stop it first");
                return Err(Rejected::Conflict(text).into());
            }
            self.close_notices(at);
            self.board.runs.remove(at);
        }
        let id = self.board.next_execution();
        let spec = RunSpec { id: run_id(&id)?, ..spec };
        let turn = Turn::begin(None, self.now, &Input::Start(Box::new(spec)))?;
        let Some(finished) = turn.finish() else {
            return Err(RunError::Broken("a started run has no events".to_owned()).into());
        };
        self.board.runs.push(RunEntry {
            id,
            block: block.to_owned(),
            recorded: finished.recorded,
            seen: String::new(),
            approvals: BTreeMap::new(),
            decisions: BTreeMap::new(),
            notices: BTreeMap::new(),
            job: None,
        });
        Ok(())
    }

    fn spec(&self, block: &str, pipeline: lockstep_types::Pipeline, id: &str) -> Result<RunSpec, RunError> {
        let board = &self.board.blocks[block];
        let change = Change {
            repository: "acme/shop".to_owned(),
            base_branch: "main".to_owned(),
            head_branch: format!("work/{block}"),
            head_commit: None,
            pull_request: board.pull_request.clone(),
        };
        Ok(RunSpec {
            id: run_id(id)?,
            item: block.to_owned(),
            title: board.def.title.clone().unwrap_or_else(|| block.to_owned()),
            description: board.def.description.clone(),
            initiator: PERSON.to_owned(),
            pipeline: Arc::new(pipeline),
            pins: self.components.pins().clone(),
            change,
            created_at: self.now,
        })
    }

    async fn advance_once(&mut self, action: &Action) -> Result<(), Refusal> {
        if action.args.contains_key("swallow") {
            return Err(RunError::Unsupported("advance with swallow".to_owned()).into());
        }
        let at = self.addressed(action)?;
        let _: Advanced = self.advance(at).await?;
        Ok(())
    }

    async fn fail(&mut self, action: &Action) -> Result<(), Refusal> {
        let at = self.addressed(action)?;
        let kind = action.text("kind").unwrap_or("unknown").to_owned();
        let class = serde_json::from_value::<FailureClass>(json!(kind.replace('_', "-")));
        let class = class.map_err(|_| RunError::Unsupported(format!("failure kind {kind}")))?;
        let failure = Failure::new(class, action.text("message").unwrap_or_default());
        self.turn(at, &Input::Fail { failure }, Calls::Following).await
    }

    async fn stop(&mut self, action: &Action) -> Result<(), Refusal> {
        if action.args.contains_key("kind") {
            return Err(RunError::Unsupported("stop with a kind".to_owned()).into());
        }
        let at = self.addressed(action)?;
        let reason = action.text("reason").unwrap_or_default().to_owned();
        self.turn(at, &Input::Stop { reason, by: PERSON.to_owned() }, Calls::Following).await
    }

    async fn retry(&mut self, action: &Action) -> Result<(), Refusal> {
        let at = self.addressed(action)?;
        let input = Input::Retry { head_commit: None, by: PERSON.to_owned() };
        self.turn(at, &input, Calls::Following).await?;
        self.board.runs[at].id = self.board.next_execution();
        Ok(())
    }

    async fn restart(&mut self, action: &Action) -> Result<(), Refusal> {
        let at = self.addressed(action)?;
        let step = action.args.get("step").map(mapping::step_name).unwrap_or_default();
        let input = Input::Restart { step, head_commit: None, by: PERSON.to_owned() };
        self.turn(at, &input, Calls::Following).await?;
        self.board.runs[at].id = self.board.next_execution();
        Ok(())
    }

    /// SPEC SC-4: the run is dropped and the block is as if it had never begun.
    async fn cancel(&mut self, block: &str) -> Result<(), Refusal> {
        if !self.board.blocks.contains_key(block) {
            return Err(Rejected::NotFound(format!("there is no block {block}")).into());
        }
        if let Some(at) = self.board.runs.iter().position(|entry| entry.block == block) {
            let input = Input::Stop { reason: String::new(), by: PERSON.to_owned() };
            self.turn(at, &input, Calls::Following).await?;
            self.close_notices(at);
            self.board.runs.remove(at);
            self.trace.run_status(block, "none", None);
        }
        self.set_block(block, "planned");
        Ok(())
    }

    /// Answers the question an action is about, and lets the step go on as far as its answer and its effects take it.
    async fn answer(&mut self, at: usize, action: &Action) -> Result<(), Refusal> {
        let entry = &self.board.runs[at];
        let text = |name: &str| action.text(name).unwrap_or_default().to_owned();
        let approval = || entry.approval(action.text("approval"));
        let choose =
            |choice: &str| Answer::Choose { choice: choice.to_owned(), text: None, comments: Vec::new() };
        let (question, answer): (QuestionId, Answer) = match action.name.as_str() {
            "decide" => {
                let question = entry.decision(action.text("decision"));
                (question, choose(action.text("choice").unwrap_or("A")))
            }
            "companion_exceeded" => (approval(), choose(&text("choice"))),
            "approve" => {
                (approval(), Answer::Approve { proposal: action.text("proposal").map(str::to_owned) })
            }
            "reject" => (approval(), Answer::Reject { reason: text("reason") }),
            _ => {
                let comments = comments(action.args.get("comments"));
                (approval(), Answer::RequestChanges { feedback: text("feedback"), comments })
            }
        };
        let token = action.text("token").map(str::to_owned);
        let input = Input::Answered { question, answer, token, by: PERSON.to_owned() };
        self.turn(at, &input, Calls::Following).await?;
        self.perform_effects(at).await
    }

    async fn companion_exceeded(&mut self, action: &Action) -> Result<(), Refusal> {
        let at = self.addressed(action)?;
        self.answer(at, action).await?;
        let failure = self.board.runs[at].run().summary().failure;
        if failure.is_some_and(|failure| failure.class == FailureClass::Cancelled) {
            // CO-14: stop-reset cancels the run as SC-4 says.
            let block = self.board.runs[at].block.clone();
            self.cancel(&block).await?;
        }
        Ok(())
    }

    /// D-7 reading d: with a run its cards go.
    fn close_notices(&mut self, at: usize) {
        if self.scenario.wiring.notifications == Some(false) {
            return;
        }
        let entry = &self.board.runs[at];
        let open = entry.run().notices().iter().filter(|notice| notice.state == NoticeState::Open);
        let (block, kinds): (_, Vec<String>) =
            (entry.block.clone(), open.map(|notice| notice.kind.clone()).collect());
        for kind in kinds {
            self.trace.cleared(&block, &kind, "dismissed");
        }
    }

    fn set_block(&mut self, block: &str, to: &str) {
        if let Some(known) = self.board.blocks.get_mut(block).filter(|known| known.status != to) {
            to.clone_into(&mut known.status);
            self.trace.block_status(block, to);
        }
    }

    /// Notes what has become of runs and blocks since the last look: after each call of the engine and each action.
    pub(crate) fn look(&mut self) {
        for at in 0..self.board.runs.len() {
            let entry = &mut self.board.runs[at];
            let (block, item) = (entry.block.clone(), entry.item_word());
            let now = entry.status_text();
            if entry.seen != now {
                entry.seen = now;
                let summary = entry.run().summary();
                let class = summary.failure.map(|failure| failure.class);
                self.trace.run_status(&block, run_word(summary.status), class);
            }
            let pull_request = entry.run().change().pull_request.clone();
            if let Some(known) = self.board.blocks.get_mut(&block) {
                known.pull_request = pull_request;
            }
            self.set_block(&block, item);
        }
    }

    fn into_trace(mut self) -> Value {
        self.board.runs.sort_by(|a, b| a.block.cmp(&b.block));
        let runs: Vec<Value> = self.board.runs.iter().map(RunEntry::final_run).collect();
        let mut open = Vec::new();
        for entry in self.board.runs.iter().filter(|_| self.scenario.wiring.notifications != Some(false)) {
            let notices = entry.run().notices().iter();
            for notice in notices.filter(|notice| notice.state == NoticeState::Open) {
                let on_default = entry.block == crate::trace::DEFAULT_BLOCK;
                let at = if on_default { String::new() } else { format!("@{}", entry.block) };
                open.push(format!("{}{at}", notice.kind));
            }
        }
        let blocks: BTreeMap<String, String> =
            self.board.blocks.iter().map(|(id, block)| (id.clone(), block.status.clone())).collect();
        let (effects, contexts) = self.trace.into_parts();
        json!({
            "format": 1,
            "scenario": self.scenario.name,
            "component": self.scenario.component,
            "engine": self.scenario.engine,
            "effects": effects,
            "contexts": contexts,
            "final": final_state(runs, &blocks, open),
        })
    }
}

fn run_id(id: &str) -> Result<lockstep_types::RunId, RunError> {
    id.parse().map_err(|error| RunError::Broken(format!("{error}")))
}

fn comments(list: Option<&Value>) -> Vec<Comment> {
    let items = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let comment = |item: &Value| Comment {
        body: text(&item["body"]).unwrap_or_default(),
        quote: text(&item["quotedSource"]),
        lines: None,
        anchor: text(&item["id"]),
    };
    items.iter().map(comment).collect()
}
