//! What must hold of a journal, whenever the host is down and when all has ended.

use crate::outside::lock;
use crate::people::{Act, Ledger};
use crate::truth;
use crate::world::{World, shown};
use lockstep_engine::{Phase, Recorded, Run, Step, timeline};
use lockstep_ports::{FEED_PAGE_MAX, Journal, RunAction, ServiceError};
use lockstep_types::board::Month;
use lockstep_types::{
    Answer, Digest, Document, EffectKey, EffectOutcome, Event, ItemStatus, JobKey, JobOutcome, NoticeId,
    NoticeState, QuestionId, RunId, RunRow, RunStatus, StepIx, Timestamp, TurnRecord, Usage, Waiting,
};
use std::collections::{BTreeMap, BTreeSet};

/// Lines of a timeline told with what does not hold.
const LINES_TOLD: usize = 40;

/// What the journal of a run says, as far as people and the outside were told of it.
#[derive(Default)]
pub(crate) struct Seen {
    seq: u64,
    head: Option<Digest>,
    /// Jobs asked for; with the outcome once it was taken.
    jobs: BTreeMap<JobKey, Option<JobOutcome>>,
    effects: BTreeMap<EffectKey, Option<EffectOutcome>>,
    /// The key each step waits for.
    job: BTreeMap<StepIx, JobKey>,
    effect: BTreeMap<StepIx, EffectKey>,
    /// Who paused, resumed, retried or restarted it, and what ended it.
    pub(crate) by: BTreeSet<String>,
    ends: Vec<String>,
    answers: Vec<(QuestionId, Answer, Option<String>, String)>,
    /// What its jobs used, if it is of a board, and when that was taken.
    pub(crate) spent: Vec<(Month, Usage)>,
    /// Its documents and cards, as they are now.
    pub(crate) documents: Vec<Document>,
    pub(crate) cards: BTreeMap<NoticeId, NoticeState>,
    pub(crate) was_over_budget: bool,
    pub(crate) is_started_by_merge: bool,
    /// Whether a person closed a card since somebody was last asked: then nothing has to tell of the question.
    is_closed_by_hand: bool,
}

pub(crate) async fn check(world: &mut World) -> Result<(), String> {
    if let Some(wrong) = lock(&world.executor.wrong).clone() {
        return Err(wrong);
    }
    let rows = world.rows().await?;
    let mut live_items = BTreeSet::new();
    let mut records_total = 0;
    for row in &rows {
        let id = &row.summary.id;
        let summary = &row.summary;
        if summary.status.is_live() && !summary.is_errand && !live_items.insert(&summary.item) {
            return Err(format!("{} has two live runs, one of them {id}", row.summary.item));
        }
        records_total += row.seq;
        let known = world.seen.remove(id).unwrap_or_default();
        let seen = if known.head == Some(row.head) {
            known
        } else {
            let records = world.journal.records(id, 1).await.map_err(shown)?;
            read(row, &records, known).map_err(|what| format!("{id}: {what}"))?
        };
        world.seen.insert(id.clone(), seen);
    }
    feed_is_whole(world, records_total).await?;
    outside_agrees(world)?;
    people_were_told_the_truth(world).await?;
    truth::board_is_true(world, &rows).await
}

/// Reads a journal whole: it folds to the stored run, and goes on from what was there before.
fn read(row: &RunRow, records: &[Vec<u8>], known: Seen) -> Result<Seen, String> {
    let recorded = Recorded::replay(&row.summary.id, records.iter().map(Vec::as_slice)).map_err(shown)?;
    if recorded.row() != *row {
        return Err("the journal does not fold to the stored row".to_owned());
    }
    let old = usize::try_from(known.seq).map_err(shown)?;
    let last_old = old.checked_sub(1).and_then(|last| records.get(last)).map(|bytes| Digest::of(bytes));
    if last_old != known.head {
        return Err(format!("record {old} is gone or was written again"));
    }
    let mut seen = Seen { seq: row.seq, head: Some(row.head), ..known };
    let mut run: Option<Run> = None;
    for (at, bytes) in records.iter().enumerate() {
        let record: TurnRecord = serde_json::from_slice(bytes).map_err(shown)?;
        if at >= old {
            seen.is_closed_by_hand |= matches!(record.events[..], [Event::NoticeClosed { .. }]);
        }
        for event in &record.events {
            let before = match &mut run {
                Some(run) => run,
                None => run.insert(Run::create(event).map_err(shown)?),
            };
            if at >= old {
                seen.take(before, event, record.at)?;
            }
            if !matches!(event, Event::Created(_)) {
                before.apply(record.at, event).map_err(shown)?;
            }
        }
    }
    holds(&recorded.run, seen.is_closed_by_hand)
        .map_err(|what| format!("{what}{}", told(&recorded.run, records)))?;
    seen.documents = recorded.run.documents().to_vec();
    seen.cards = recorded.run.notices().iter().map(|notice| (notice.id, notice.state)).collect();
    Ok(seen)
}

/// The last lines of a run's timeline.
fn told(run: &Run, records: &[Vec<u8>]) -> String {
    let records = records.iter().filter_map(|bytes| serde_json::from_slice::<TurnRecord>(bytes).ok());
    let lines: Vec<String> = records
        .flat_map(|record| timeline(run.spec(), &record))
        .map(|entry| {
            format!("\n  {:>4} {} {}: {}", entry.seq, entry.step.unwrap_or_default(), entry.what, entry.text)
        })
        .collect();
    lines[lines.len().saturating_sub(LINES_TOLD)..].concat()
}

impl Seen {
    /// Takes an event of a run as it stood before that.
    fn take(&mut self, run: &Run, event: &Event, at: Timestamp) -> Result<(), String> {
        match event {
            Event::Invoked { step, invocation } => {
                let pinned = run.pin(*step).map(|pin| pin.digest);
                if pinned != Some(invocation.digest) {
                    return Err(format!("step {step} was called on another component than it is pinned to"));
                }
            }
            Event::JobDispatched { step, order } => self.dispatched(*step, order.key.clone())?,
            Event::JobRedispatched { step, .. } => {
                let key = self.job.remove(step).ok_or("a job nobody waits for was dispatched again")?;
                self.dispatched(*step, JobKey { number: key.number + 1, ..key })?;
            }
            Event::JobSettled { step, outcome } => {
                let key = self.job.remove(step).ok_or("a job result was taken twice")?;
                let of_board = run.spec().context.workspace.is_some();
                if let (Some((_, usage)), true) = (outcome.spent(), of_board) {
                    self.spent.push((at.into(), usage));
                }
                self.jobs.insert(key, Some(outcome.clone()));
            }
            Event::EffectRequested { step, order } => {
                self.effect.insert(*step, order.key.clone());
                if self.effects.insert(order.key.clone(), None).is_some() {
                    return Err(format!("effect {} was asked for twice", order.key));
                }
            }
            Event::EffectSettled { step, outcome } => {
                let key = self.effect.remove(step).ok_or("an effect was taken twice")?;
                self.effects.insert(key, Some(outcome.clone()));
            }
            Event::StepStarted { step, .. } => self.forget(&[*step]),
            Event::StepsReset { steps } => self.forget(steps),
            Event::StepsCleared { steps, by, .. } => {
                self.forget(steps);
                self.by.insert(by.clone());
            }
            Event::Created(spec) => self.is_started_by_merge = spec.initiator == "lockstep",
            Event::RunPaused { by, over_budget, .. } => {
                self.was_over_budget |= *over_budget;
                self.by.insert(by.clone());
            }
            Event::RunResumed { by } => drop(self.by.insert(by.clone())),
            Event::Asked { .. } => self.is_closed_by_hand = false,
            Event::MergedByHand { by } => drop(self.by.insert(by.clone())),
            Event::Repinned(repinned) => drop(self.by.insert(repinned.by.clone())),
            Event::RunFailed { failure, .. } => {
                self.job.clear();
                self.effect.clear();
                self.ends.push(failure.message.clone());
            }
            Event::RunCompleted => self.ends.push(String::new()),
            Event::Answered { question, answer, token, by, .. } => {
                self.answers.push((*question, answer.clone(), token.clone(), by.clone()));
            }
            _ => {}
        }
        Ok(())
    }

    fn dispatched(&mut self, step: StepIx, key: JobKey) -> Result<(), String> {
        if self.jobs.insert(key.clone(), None).is_some() {
            return Err(format!("job {key} was dispatched twice"));
        }
        self.job.insert(step, key);
        Ok(())
    }

    fn forget(&mut self, steps: &[StepIx]) {
        for step in steps {
            self.job.remove(step);
            self.effect.remove(step);
        }
    }

    fn ended_by(&self, by: &str) -> bool {
        let prefix = format!("stopped by {by}:");
        self.ends.iter().any(|end| end.starts_with(&prefix))
    }

    fn names(&self, by: &str) -> bool {
        self.by.contains(by) || self.ended_by(by) || self.answers.iter().any(|(.., who)| who == by)
    }
}

/// What must hold of a run, whatever led to it.
fn holds(run: &Run, is_closed_by_hand: bool) -> Result<(), String> {
    let ensure = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    let parked: Vec<&str> = run
        .steps()
        .iter()
        .zip(&run.spec().pipeline.steps)
        .filter(|(step, _)| matches!(step.phase, Phase::Question { .. }))
        .map(|(_, def)| def.name.as_str())
        .collect();
    let open = |of: &str| {
        let is_about = |step: Option<&str>| step == Some(of);
        run.notices().iter().any(|notice| {
            notice.state == NoticeState::Open
                && (notice.kind == "decision_required" || is_about(notice.step.as_deref()))
        })
    };
    ensure(is_closed_by_hand || parked.iter().all(|step| open(step)), "a parked step has no open notice")?;
    match run.status() {
        RunStatus::Running => {
            let goes_on = !run.outstanding().is_empty() || run.next_wakeup().is_some();
            ensure(goes_on, "a running run waits for nothing")?;
        }
        RunStatus::Blocked => {
            let waits = !parked.is_empty() && run.outstanding().is_empty();
            ensure(waits, "a run is blocked without a question")?;
        }
        RunStatus::Paused => {}
        RunStatus::Done | RunStatus::Failed => {
            ensure(run.outstanding().is_empty(), "a run that has ended asks for something")?;
            ensure(run.next_wakeup().is_none(), "a run that has ended waits for a time")?;
            ensure(parked.is_empty(), "a run that has ended waits for a person")?;
            let done = run.status() == RunStatus::Failed || run.steps().iter().all(Step::is_behind);
            ensure(done, "a run is done before its steps")?;
        }
    }
    // The cards of an errand are the item's, and so is its status.
    let is_errand = run.spec().context.errand.is_some();
    ensure(is_errand || cards_are_true(run), "an open card tells of what is over")?;
    ensure(is_errand || item_status_is_true(run), "the status of the item has no reason")
}

/// Whether the cards of the machinery tell of something that is so.
fn cards_are_true(run: &Run) -> bool {
    let mut open = run.notices().iter().filter(|notice| notice.state == NoticeState::Open);
    open.all(|notice| match notice.kind.as_str() {
        "decision_required" => run.status().is_live(),
        "component_stopped" => run.held_for().is_some(),
        "run_failed" => run.status() == RunStatus::Failed,
        "pipeline_complete" => run.status() == RunStatus::Done,
        _ => true,
    })
}

/// Whether the item stands where its run does.
fn item_status_is_true(run: &Run) -> bool {
    let item = run.item_status();
    match run.status() {
        RunStatus::Running => item != ItemStatus::Blocked,
        RunStatus::Blocked | RunStatus::Failed => matches!(item, ItemStatus::Blocked | ItemStatus::Done),
        RunStatus::Paused => true,
        RunStatus::Done => matches!(item, ItemStatus::Done | ItemStatus::PrReady),
    }
}

async fn feed_is_whole(world: &World, records: u64) -> Result<(), String> {
    let mut next: BTreeMap<RunId, u64> = BTreeMap::new();
    let mut position = 0;
    loop {
        let page = world.journal.feed(position, FEED_PAGE_MAX).await.map_err(shown)?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            position += 1;
            let seq = next.entry(entry.run).or_default();
            *seq += 1;
            if entry.position != position || entry.seq != *seq {
                return Err(format!("the feed has a gap at {position}"));
            }
        }
    }
    if position == records { Ok(()) } else { Err("the feed does not tell of every record".to_owned()) }
}

/// Nothing was sent before it was durable, and what was taken is what the outside said.
fn outside_agrees(world: &World) -> Result<(), String> {
    for key in world.jobs.begun().into_keys() {
        let asked = world.seen.get(&key.run).and_then(|seen| seen.jobs.get(&key));
        match asked {
            None => return Err(format!("job {key} was dispatched before that was durable")),
            Some(Some(taken)) if Some(taken) != world.jobs.outcome(&key).as_ref() => {
                return Err(format!("job {key} ended otherwise than the journal says"));
            }
            Some(_) => {}
        }
    }
    let performed = world.effects.fake.performed();
    let keys: BTreeSet<&EffectKey> = performed.iter().map(|order| &order.key).collect();
    if keys.len() != performed.len() {
        return Err("an effect was performed twice".to_owned());
    }
    for key in world.effects.fake.arrivals().keys() {
        // A merge by hand is asked for by a person, and only its end is the run's.
        if key.step.starts_with("merge-by-hand-") && world.seen.contains_key(&key.run) {
            continue;
        }
        let asked = world.seen.get(&key.run).and_then(|seen| seen.effects.get(key));
        match asked {
            None => return Err(format!("effect {key} was performed before it was durable")),
            Some(Some(taken)) if Some(taken) != world.effects.outcome(key).as_ref() => {
                return Err(format!("effect {key} ended otherwise than the journal says"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

async fn people_were_told_the_truth(world: &World) -> Result<(), String> {
    let tokens: Vec<(String, RunId)> = {
        let ledger: &Ledger = &lock(&world.ledger);
        for act in &ledger.acts {
            act_is_true(world, act)?;
        }
        let started = |start: &crate::people::Start| {
            let summary = start.told.as_ref().ok()?;
            Some((start.token.clone(), summary.id.clone()))
        };
        ledger.starts.iter().filter_map(started).collect()
    };
    for (token, run) in tokens {
        if world.journal.started_under(&token).await.map_err(shown)?.as_ref() != Some(&run) {
            return Err(format!("{run} was started under {token}, and the journal does not know"));
        }
        if !world.seen.contains_key(&run) {
            return Err(format!("{run} was started, and is gone"));
        }
    }
    Ok(())
}

fn act_is_true(world: &World, act: &Act) -> Result<(), String> {
    let Act { run, action, by, told } = act;
    let seen = world.seen.get(run).ok_or_else(|| format!("{run} is gone"))?;
    let is_there = match (told, action) {
        (Err(error), _) => {
            if seen.names(by) {
                return Err(format!("{by} was told {error:?} of {action:?}, and it was done to {run}"));
            }
            return known(error).then_some(()).ok_or_else(|| format!("{by} was told {error:?}"));
        }
        (Ok(_), RunAction::Act { .. } | RunAction::TearDown) => true,
        (Ok(_), RunAction::Retry | RunAction::Restart { .. } | RunAction::Repin { .. }) => {
            seen.by.contains(by)
        }
        (Ok(summary), RunAction::Pause) => summary.status == RunStatus::Paused,
        // It may come at once to a component that is stopped, or find no budget.
        (Ok(summary), RunAction::Resume) => {
            let is_held = |wait: &Waiting| wait.on == "component" || wait.on == "budget";
            summary.status != RunStatus::Paused || summary.waiting.iter().any(is_held)
        }
        // One who stops what has ended is told that it has.
        (Ok(summary), RunAction::Stop { .. }) => seen.ended_by(by) || !summary.status.is_live(),
        (Ok(_), RunAction::Answer { question, answer, token }) => {
            seen.answers.iter().any(|(asked, given, known, who)| {
                let alike = std::mem::discriminant(given) == std::mem::discriminant(answer);
                Some(*asked) == *question && (who == by || (token == known && given == answer) || alike)
            })
        }
    };
    if is_there {
        Ok(())
    } else {
        Err(format!("{by} was told that {action:?} of {run} was done, and it was not"))
    }
}

/// Whether this is an error people may see here: a refusal, or that the disk is full or the host went down.
fn known(error: &ServiceError) -> bool {
    !matches!(error, ServiceError::Internal(_))
}
