//! Actions on an item that no run is parked for: one step, driven to its end at once (SPEC RV-12, RV-18).

use crate::agents::Call;
use crate::world::{Refusal, World};
use crate::{SimulationError, items, mapping};
use lockstep_board::ItemRecord;
use lockstep_engine::{Command, Finished, Recorded, Turn};
use lockstep_types::board::ItemId;
use lockstep_types::{
    Admission, Errand, Event, FailureClass, Input, JobOrder, JobOutcome, JsonText, Notice, NoticeId,
    NoticeState, Pipeline, Rejected, RunStatus, StepAction, StepDef,
};
use std::collections::BTreeMap;
use std::sync::Arc;

impl World<'_> {
    pub(crate) async fn errand(
        &mut self,
        block: &ItemId,
        kind: &str,
        action: StepAction,
    ) -> Result<(), Refusal> {
        let item = self.board.item(block)?.clone();
        let policy = items::policy_of(self.scenario, &self.board, &item, None);
        let mut spec = self.spec(&item, one_step(kind, policy), "errand")?;
        spec.context.errand = Some(Errand { action, item_status: item.status });
        // Cards of the current run are open too: the errand does not show them again.
        let of_run = self.run_of(block.as_str()).map(|at| self.runs[at].run().notices().to_vec());
        let open = |notice: &Notice| notice.state == NoticeState::Open;
        let open = of_run.unwrap_or_default().into_iter().filter(open);
        let known: Vec<Notice> = item.notices.iter().cloned().chain(open).collect();
        let numbered = (1..).zip(known);
        spec.context.notices =
            numbered.map(|(at, notice)| Notice { id: NoticeId(at), is_loose: true, ..notice }).collect();
        let before = spec.context.notices.len();
        let mut recorded = self.errand_turn(block, None, &Input::Start(Arc::new(spec))).await?;
        while recorded.run.status() == RunStatus::Running {
            let input = match self.next_of_errand(&recorded) {
                Ok(input) => input,
                Err(refusal) => {
                    // What was kept before the model failed stays.
                    self.take_over(block, &recorded, before).await?;
                    return Err(refusal);
                }
            };
            recorded = self.errand_turn(block, Some(&recorded), &input).await?;
        }
        self.take_over(block, &recorded, before).await?;
        match recorded.run.summary().failure {
            None => Ok(()),
            Some(failure) => Err(match failure.class {
                FailureClass::ReviewRejected | FailureClass::Agent => {
                    Rejected::Invalid(failure.message).into()
                }
                _ => Rejected::Conflict(failure.message).into(),
            }),
        }
    }

    /// What the errand waits for: a model, or time.
    fn next_of_errand(&mut self, recorded: &Recorded) -> Result<Input, Refusal> {
        let order = recorded.run.outstanding().into_iter().find_map(|command| match command {
            Command::Dispatch(order) => Some(JobOrder::clone(order)),
            Command::Invoke(_) | Command::Perform(_) => None,
        });
        let Some(order) = order else {
            return match recorded.run.next_wakeup() {
                Some(due) => {
                    self.now = self.now.max(due);
                    Ok(Input::Tick)
                }
                None => Err(SimulationError::Stuck("an errand waits for nobody".to_owned()).into()),
            };
        };
        let Some(call) = self.outside.call_model(&order.kind) else {
            let outcome = JobOutcome::NotConfigured(order.kind.clone());
            return Ok(Input::JobSettled { key: order.key, outcome });
        };
        self.trace.dispatch(&order.kind, call.n, None, false);
        match call.throws() {
            Some(why) => Err(Refusal::Failed(why.to_owned())),
            None => Ok(Input::JobSettled { key: order.key, outcome: Call::inline(&call) }),
        }
    }

    async fn errand_turn(
        &mut self,
        block: &ItemId,
        recorded: Option<&Recorded>,
        input: &Input,
    ) -> Result<Recorded, Refusal> {
        self.count_call()?;
        let mut turn = Turn::begin(recorded, self.now, input, Admission::default())?;
        while let Some(call) = turn.next_call() {
            let invocation = self.executor.invoke(call.digest, &call.grant, call.input, &self.outside).await;
            turn.called(call.step, invocation)?;
        }
        let stuck = || SimulationError::Stuck("an errand does not go on".to_owned());
        let finished: Finished = turn.finish().ok_or_else(stuck)?;
        for event in &finished.record.events {
            self.follow_documents(block, event);
        }
        self.tell(block, &finished);
        Ok(finished.recorded)
    }

    /// What the errand left goes to the current run of the item, or to the item itself (DEVIATIONS reading 7c).
    async fn take_over(&mut self, block: &ItemId, recorded: &Recorded, before: usize) -> Result<(), Refusal> {
        let documents = recorded.run.documents().to_vec();
        let new = recorded.run.notices().iter().skip(before);
        let notices: Vec<Notice> = new.filter(|notice| notice.state == NoticeState::Open).cloned().collect();
        if let Some(at) = self.run_of(block.as_str()) {
            return self.input(at, &Input::ItemChanged { documents, notices }).await;
        }
        for notice in &notices {
            self.shown_loose(block, &notice.kind);
        }
        let mut loose = self.board.item(block)?.notices.clone();
        loose.extend(notices);
        let record = ItemRecord { documents: Some(documents), notices: Some(loose), ..ItemRecord::default() };
        Ok(self.record(block, record)?)
    }

    /// Writes down what becomes of reviews.
    pub(crate) fn follow_documents(&mut self, block: &ItemId, event: &Event) {
        let Event::Invoked { invocation, .. } = event else {
            return;
        };
        let lockstep_types::Outcome::Transition(transition) = &invocation.outcome else {
            return;
        };
        let known = &invocation.input.run.documents;
        let mut last: BTreeMap<&str, _> =
            known.iter().map(|document| (document.name.as_str(), identity(&document.value))).collect();
        for document in &transition.documents {
            let now = identity(&document.value);
            let is_review = ["requirements", "clarity"].contains(&document.name.as_str());
            if is_review && last.get(document.name.as_str()) != Some(&now) {
                self.trace.review(block.as_str(), &document.name, &document.value.value());
            }
            last.insert(&document.name, now);
        }
    }
}

/// What makes two states of a review row differ in a trace.
fn identity(row: &JsonText) -> String {
    let row = row.value();
    format!("{} {} {}", row["id"], row["status"], row["iteration"])
}

fn one_step(kind: &str, policy: lockstep_types::Policy) -> Pipeline {
    Pipeline {
        name: kind.to_owned(),
        version: String::new(),
        base: None,
        policy,
        pin: lockstep_types::Pinning::Run,
        checks: BTreeMap::new(),
        jobs: BTreeMap::new(),
        effects: BTreeMap::new(),
        observations: BTreeMap::new(),
        steps: vec![StepDef {
            name: mapping::step_name(0),
            kind: kind.to_owned(),
            role: kind.to_owned(),
            needs: Vec::new(),
            approval: false,
            gating: None,
            config: JsonText::of(&serde_json::json!({})),
        }],
    }
}
