//! What follows from an event for the item it belongs to.
//!
//! Two things hold for all of it. An event that was taken up is marked in the run's own journal, so that the same one again, by
//! whatever way it comes, changes nothing. And whatever sends a run back does so within a budget; then a person gets one card.

mod command;

use crate::event::{ForgeEvent, Happened};
use crate::known::{Known, KnownRun, KnownStep, Mark, MarkKind};
use command::Command;
use lockstep_ports::ReviewVerdict;
use lockstep_types::{FailureClass, ItemStatus, RunStatus, StepStatus};

/// The kind of step that waits for checks.
const CI_GATE: &str = "ci-gate";
/// The kind of step that waits until the change merges cleanly.
const CONFLICTS_GATE: &str = "conflicts-gate";
/// The kind of step that produces the change.
const PRODUCER: &str = "agent";
/// The kind of the card a person gets when nothing more is tried.
const CARD: &str = "forge-needs-you";

/// What the operator set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The label that starts a run.
    pub label: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Start a run of the pull request's item, which is made if there is none.
    Start {
        /// Name of the pipeline; none: the configured one.
        pipeline: Option<String>,
    },
    /// Let the run look again.
    Wake,
    /// Send the run back to a step.
    Restart {
        /// Name of the step.
        step: String,
        /// As whom.
        mark: Mark,
    },
    /// Have a step do its work again.
    Rework {
        /// Name of the step.
        step: String,
        /// What is to be different.
        feedback: String,
        /// As whom.
        mark: Mark,
    },
    /// Begin again what was bound to the old head.
    Renew {
        /// Names of the steps; what comes after them begins again too.
        steps: Vec<String>,
        /// The new head.
        head: String,
        /// As whom.
        mark: Mark,
    },
    /// Show a person a card, once.
    Card {
        /// Its kind.
        kind: String,
        /// Its title.
        title: String,
        /// Its text.
        body: String,
    },
    /// End the run.
    Stop {
        /// Why.
        reason: String,
    },
    /// The change was merged by somebody else: the item is done.
    Merged,
    /// Let a failed run go on.
    Retry,
    /// Approve what a step produced.
    Approve,
    /// Nothing yet: look at it again later.
    Later(String),
    /// Nothing, and why.
    Nothing(String),
}

/// What follows from an event. `from` names what told of it: the delivery.
#[must_use]
pub fn react(event: &ForgeEvent, known: Option<&Known>, from: &str, options: &Options) -> Reaction {
    match &event.happened {
        Happened::Labelled { on, labels } => {
            if !labels.iter().any(|label| label.eq_ignore_ascii_case(&options.label)) {
                return nothing(format!("the label that starts a run is {:?}", options.label));
            }
            if on.head_branch.is_none() {
                return nothing("its branch is in a fork, which nothing here works on");
            }
            if !on.is_open {
                return nothing("the pull request is closed");
            }
            start(known, None)
        }
        Happened::Commented { author, may_write, text, .. } => commented(known, author, *may_write, text),
        happened => {
            let Some(known) = known else { return nothing("no item carries this change") };
            let Some(run) = &known.run else { return nothing(format!("{} has no run", known.item)) };
            on_run(event, happened, known, run, from)
        }
    }
}

fn on_run(event: &ForgeEvent, happened: &Happened, known: &Known, run: &KnownRun, from: &str) -> Reaction {
    let case = Case { known, run, from };
    if known.status == ItemStatus::Done {
        return nothing(format!("{} is done", known.item));
    }
    match happened {
        Happened::CheckSettled { head, name, failed, .. } => case.check(head, name, *failed),
        Happened::Reviewed { review, author, may_write, verdict, text, .. } => match verdict {
            ReviewVerdict::ChangesRequested if !may_write => nothing(cannot_write(author)),
            ReviewVerdict::ChangesRequested => case.requested(*review, author, text),
            _ => case.wake("nothing waits for a review"),
        },
        Happened::Synchronised { .. } | Happened::Pushed { head: Some(_), .. } => case.moved(),
        Happened::Pushed { head: None, .. } => {
            nothing("the branch was deleted; the run tells when it misses it")
        }
        Happened::Closed { merged: true, .. } if run.has_effect => later(),
        Happened::Closed { merged: true, .. } => Reaction::Merged,
        Happened::Closed { on, .. } if run.is_live() => {
            Reaction::Stop { reason: format!("pull request #{} was closed by {}", on.number, event.sender) }
        }
        Happened::Closed { .. } => nothing("no run is under way"),
        Happened::QueueRejected { head, reason, conflicts, .. } => {
            case.rejected(head.as_deref(), reason, *conflicts)
        }
        Happened::Labelled { .. } | Happened::Commented { .. } => nothing("it commands nothing"),
    }
}

fn start(known: Option<&Known>, pipeline: Option<String>) -> Reaction {
    match known {
        Some(Known { item, run: Some(run), .. }) if run.is_live() => {
            nothing(format!("{item} has the live run {}", run.id))
        }
        Some(Known { item, status: ItemStatus::Done, .. }) => nothing(format!("{item} is done")),
        _ => Reaction::Start { pipeline },
    }
}

fn commented(known: Option<&Known>, author: &str, may_write: bool, text: &str) -> Reaction {
    let command = match Command::read(text) {
        Ok(Some(command)) => command,
        Ok(None) => return nothing("it is no command"),
        Err(why) => return nothing(why),
    };
    if !may_write {
        return nothing(cannot_write(author));
    }
    let run = known.and_then(|known| known.run.as_ref());
    match (command, run) {
        (Command::Start(pipeline), _) => start(known, pipeline),
        (Command::Stop, Some(run)) if run.is_live() => {
            Reaction::Stop { reason: format!("{author} said so on the pull request") }
        }
        (Command::Retry, Some(run)) if run.status == RunStatus::Failed => Reaction::Retry,
        (Command::Approve, Some(run)) if run.steps.iter().any(|step| step.asks_approval) => Reaction::Approve,
        (Command::Stop, _) => nothing("no run is under way"),
        (Command::Retry, _) => nothing("no run has failed"),
        (Command::Approve, _) => nothing("nothing waits for an approval"),
    }
}

/// An event about a run whose item is not done.
struct Case<'a> {
    known: &'a Known,
    run: &'a KnownRun,
    from: &'a str,
}

impl Case<'_> {
    fn check(&self, head: &str, name: &str, failed: bool) -> Reaction {
        let run = self.run;
        if run.head.as_deref().is_some_and(|known| known != head) {
            return nothing("it is of another commit than the one the run stands for");
        }
        if !failed {
            return self.wake("a check passed, and no run waits");
        }
        let gate = self.last_of(CI_GATE);
        // Its own budget repairs (SPEC CI-9).
        if run.is_live() && gate.is_none_or(|gate| gate.status != StepStatus::Done) {
            return Reaction::Wake;
        }
        self.send_back(MarkKind::Check, head, gate, &format!("the check {name:?} failed"))
    }

    fn rejected(&self, head: Option<&str>, reason: &str, conflicts: bool) -> Reaction {
        let run = self.run;
        if let (Some(head), Some(known)) = (head, &run.head)
            && head != known
        {
            return nothing("it is of another commit than the one the run stands for");
        }
        let kinds = if conflicts { [CONFLICTS_GATE, CI_GATE] } else { [CI_GATE, CONFLICTS_GATE] };
        let gate = kinds.into_iter().find_map(|kind| self.last_of(kind));
        if run.is_live() && gate.is_some_and(|gate| gate.status != StepStatus::Done) {
            return Reaction::Wake;
        }
        let head = head.or(run.head.as_deref()).unwrap_or_default().to_owned();
        let what = match reason {
            "" => "the merge queue rejected it".to_owned(),
            reason => format!("the merge queue rejected it ({reason})"),
        };
        self.send_back(MarkKind::Queue, &head, gate, &what)
    }

    /// Back to a gate, within the budget.
    fn send_back(&self, kind: MarkKind, head: &str, gate: Option<&KnownStep>, what: &str) -> Reaction {
        let (run, item) = (self.run, &self.known.item);
        if run.has_effect {
            return later();
        }
        if run.marks.iter().any(|mark| mark.kind == kind && mark.from == self.from) {
            return nothing("it was taken up before");
        }
        if let Some(why) = self.stays_ended(gate) {
            return nothing(why);
        }
        let lineage = run.lineage();
        let taken = lineage.iter().filter(|mark| mark.kind == kind).count();
        let again = lineage.iter().any(|mark| mark.kind == kind && mark.head == head);
        if again && run.is_live() {
            return nothing("the run was sent back for this commit already");
        }
        let Some(gate) = gate else {
            return self.card(head, format!("{item}: {what}, and its pipeline has no gate to repair it"));
        };
        if again {
            return self
                .card(head, format!("{item}: {what} again, though the run was sent back for this commit"));
        }
        if taken as u64 >= u64::from(run.budgets.repairs) {
            return self.card(head, format!("{item}: {what}, and {taken} repairs were tried"));
        }
        Reaction::Restart { step: gate.name.clone(), mark: self.mark(kind, head) }
    }

    /// Why an ended run is not sent back to a gate; none: it is.
    fn stays_ended(&self, gate: Option<&KnownStep>) -> Option<String> {
        let run = self.run;
        match run.status {
            RunStatus::Failed => {
                let at_gate = gate.is_some_and(|gate| {
                    let begun = |step: &&KnownStep| step.status == StepStatus::Working;
                    run.steps.iter().find(begun).is_some_and(|step| step.name == gate.name)
                });
                let spent = matches!(run.failure, Some(FailureClass::GateExhausted | FailureClass::Timeout));
                (!at_gate || !spent)
                    .then(|| "the run failed elsewhere: retry it when that is repaired".to_owned())
            }
            RunStatus::Done if self.known.status != ItemStatus::PrReady => {
                Some(format!("{} does not await a merge", self.known.item))
            }
            _ => None,
        }
    }

    fn requested(&self, review: u64, author: &str, text: &str) -> Reaction {
        let (run, item) = (self.run, &self.known.item);
        // The same review comes by a delivery and is found again later.
        let from = format!("review {review}");
        if run.marks.iter().any(|mark| mark.kind == MarkKind::Review && mark.from == from) {
            return nothing("it was taken up before");
        }
        if run.has_effect {
            return later();
        }
        if run.failure == Some(FailureClass::Cancelled) {
            return nothing("a person stopped the run");
        }
        let head = run.head.clone().unwrap_or_default();
        let Some(producer) = self.last_of(PRODUCER) else {
            let title =
                format!("{item}: {author} requested changes, and its pipeline has no step to make them");
            return self.card(&from, title);
        };
        let lineage = run.lineage().iter().filter(|mark| mark.kind == MarkKind::Review);
        let rounds: std::collections::BTreeSet<&str> = lineage.map(|mark| mark.head.as_str()).collect();
        // What several reviewers say of one commit is one round.
        if !rounds.contains(head.as_str()) && rounds.len() as u64 >= u64::from(run.budgets.reviews) {
            let title = format!("{item}: {author} requested changes, and {} rounds were made", rounds.len());
            return self.card(&from, title);
        }
        let said = match text.trim() {
            "" => "changes were requested; see the comments of the review".to_owned(),
            text => text.to_owned(),
        };
        let feedback = match &producer.review {
            Some(before) => format!("{before}\n\n{author}: {said}"),
            None => format!("{author}: {said}"),
        };
        let mark = Mark { kind: MarkKind::Review, head, from };
        Reaction::Rework { step: producer.name.clone(), feedback, mark }
    }

    /// The head of the change moved, or a push told so late.
    fn moved(&self) -> Reaction {
        let run = self.run;
        let Some(tip) = &run.tip else { return nothing("the branch is not here") };
        if run.head.as_ref() == Some(tip) {
            return nothing("it is the commit the run stands for");
        }
        if run.has_effect {
            return later();
        }
        if run.has_writer && !run.tip_is_news {
            return nothing("a job of the run made it");
        }
        if run.failure == Some(FailureClass::Cancelled) {
            return nothing("a person stopped the run");
        }
        let is_done_producer = |step: &KnownStep| step.kind == PRODUCER && step.status == StepStatus::Done;
        let kept = run.steps.iter().rposition(is_done_producer).map_or(0, |at| at + 1);
        let begun = |(at, step): &(usize, &KnownStep)| match step.status {
            StepStatus::Pending => false,
            StepStatus::Done => *at >= kept,
            StepStatus::Working | StepStatus::WaitingDecision => true,
        };
        let steps = run.steps.iter().enumerate().filter(begun).map(|(_, step)| step.name.clone()).collect();
        Reaction::Renew { steps, head: tip.clone(), mark: self.mark(MarkKind::Push, tip) }
    }

    fn wake(&self, otherwise: &str) -> Reaction {
        if self.run.is_live() { Reaction::Wake } else { nothing(otherwise) }
    }

    fn mark(&self, kind: MarkKind, head: &str) -> Mark {
        Mark { kind, head: head.to_owned(), from: self.from.to_owned() }
    }

    /// One card for what is named `about`, whatever became of it.
    fn card(&self, about: &str, title: String) -> Reaction {
        let body = format!("See to it by hand, then retry or restart the run. It is about {about}.");
        let is_known = |(kind, text): &(String, String)| kind == CARD && *text == body;
        if self.run.cards.iter().any(is_known) {
            return nothing("a person was told already");
        }
        Reaction::Card { kind: CARD.to_owned(), title, body }
    }

    fn last_of(&self, kind: &str) -> Option<&KnownStep> {
        self.run.steps.iter().rev().find(|step| step.kind == kind)
    }
}

fn cannot_write(author: &str) -> String {
    format!("{author} may not write to the repository")
}

fn later() -> Reaction {
    Reaction::Later("an effect of the run is under way, and may be what this tells of".to_owned())
}

fn nothing(why: impl Into<String>) -> Reaction {
    Reaction::Nothing(why.into())
}

#[cfg(test)]
mod tests;
