//! Cards for humans: de-duplication and when they close (SPEC section 21, DEVIATIONS D-7, D-13).

use crate::decide::Decider;
use crate::run::Phase;
use lockstep_types::{
    Event, FailureClass, NewNotice, Notice, NoticeId, NoticeState, QuestionKind, Rejected, Severity, StepIx,
};

/// The card every parking raises.
pub(crate) const DECISION_REQUIRED: &str = "decision_required";
/// The card of a run that failed for a reason of the machinery (D-13).
pub(crate) const RUN_FAILED: &str = "run_failed";
/// The card of a run that ended with nobody having decided about its change (SPEC EN-15).
pub(crate) const PIPELINE_COMPLETE: &str = "pipeline_complete";
/// The card of a run that is held because a component it needs must not be called.
pub(crate) const COMPONENT_STOPPED: &str = "component_stopped";
/// Cards that ask for something after the end of a run that was done (D-7 reading d).
const OUTLIVE_THE_RUN: [&str; 3] = ["merge_review", PIPELINE_COMPLETE, "release_regression"];

impl Decider {
    /// Raises a card, or refreshes the open one of its kind, which keeps its id, time and severity (SPEC NT-2).
    pub(crate) fn raise(&mut self, step: Option<StepIx>, new: &NewNotice) {
        let step = step.map(|ix| self.run.def(ix).name.clone());
        let open =
            self.run.notices.iter().find(|known| known.kind == new.kind && known.state == NoticeState::Open);
        let next = NoticeId(u32::try_from(self.run.notices.len()).unwrap_or(u32::MAX).saturating_add(1));
        let notice = Notice {
            id: open.map_or(next, |known| known.id),
            kind: new.kind.clone(),
            step,
            severity: open.map_or(new.severity, |known| known.severity),
            title: new.title.clone(),
            body: new.body.clone(),
            state: NoticeState::Open,
            raised_at: open.map_or(self.now, |known| known.raised_at),
            is_loose: self.run.is_errand(),
        };
        self.emit(Event::NoticeRaised(notice));
    }

    /// Closes the open cards that `which` picks.
    pub(crate) fn dismiss(&mut self, which: impl Fn(&str) -> bool) {
        let open =
            |notice: &&Notice| notice.state == NoticeState::Open && !notice.is_loose && which(&notice.kind);
        let ids: Vec<NoticeId> = self.run.notices.iter().filter(open).map(|notice| notice.id).collect();
        for id in ids {
            self.emit(Event::NoticeClosed { id, state: NoticeState::Dismissed });
        }
    }

    /// Cards that a person's action on their step has settled.
    pub(crate) fn settle_notices(&mut self, kinds: &[String]) {
        let settled = |notice: &&Notice| notice.state == NoticeState::Open && kinds.contains(&notice.kind);
        let ids: Vec<NoticeId> = self.run.notices.iter().filter(settled).map(|notice| notice.id).collect();
        for id in ids {
            self.emit(Event::NoticeClosed { id, state: NoticeState::Acted });
        }
    }

    /// A person dealt with a card; one that is no longer open stays as it ended (SPEC NT-6).
    pub(crate) fn notice_settled(&mut self, id: NoticeId, state: NoticeState) -> Result<(), Rejected> {
        if self.open_notice(id)? && state != NoticeState::Open {
            self.emit(Event::NoticeClosed { id, state });
        }
        Ok(())
    }

    /// A card waited too long (SPEC NT-3).
    pub(crate) fn escalate(&mut self, id: NoticeId) -> Result<(), Rejected> {
        let is_urgent = |notice: &Notice| notice.id == id && notice.severity == Severity::Urgent;
        if self.open_notice(id)? && !self.run.notices.iter().any(is_urgent) {
            self.emit(Event::NoticeEscalated { id });
        }
        Ok(())
    }

    fn open_notice(&self, id: NoticeId) -> Result<bool, Rejected> {
        let notice = self.run.notices.iter().find(|notice| notice.id == id);
        let unknown = || {
            Rejected::NotFound(format!("run {} has no notice {id}: see `lockstep notices`", self.run.spec.id))
        };
        Ok(notice.ok_or_else(unknown)?.state == NoticeState::Open)
    }

    pub(crate) fn dismiss_at_completion(&mut self) {
        self.dismiss(|kind| !OUTLIVE_THE_RUN.contains(&kind));
    }

    /// Sees to it that every parked step has an open card: its own specific one, or the general one (D-7 reading a).
    pub(crate) fn card_for_parked_steps(&mut self) {
        if self.run.is_errand() {
            return;
        }
        let open = |kind: &str| {
            self.run.notices.iter().any(|notice| notice.state == NoticeState::Open && notice.kind == kind)
        };
        if open(DECISION_REQUIRED) {
            return;
        }
        let parked = self.run.steps.iter().enumerate().find_map(|(ix, step)| match &step.phase {
            Phase::Question { question, .. } if !self.has_specific_card(ix, question.kind) => {
                Some((ix, question.prompt.clone()))
            }
            _ => None,
        });
        if let Some((ix, prompt)) = parked {
            let title = format!("{} waits for an answer", self.run.def(ix).name);
            let kind = DECISION_REQUIRED.to_owned();
            self.raise(Some(ix), &NewNotice { kind, severity: Severity::Normal, title, body: prompt });
        }
    }

    fn has_specific_card(&self, ix: StepIx, kind: QuestionKind) -> bool {
        let name = &self.run.def(ix).name;
        matches!(kind, QuestionKind::Review | QuestionKind::HumanTest)
            && self
                .run
                .notices
                .iter()
                .any(|notice| notice.state == NoticeState::Open && notice.step.as_ref() == Some(name))
    }
}

/// Whether a failure of this class raises `run_failed` (D-13). A class with a card of its own kind, or one that a person
/// brought about, does not; the faults of a component do, since nobody else tells of them.
pub(crate) fn failure_raises_card(class: FailureClass) -> bool {
    !matches!(
        class,
        FailureClass::Agent
            | FailureClass::GateExhausted
            | FailureClass::Rejected
            | FailureClass::CompanionRejected
            | FailureClass::ReviewRejected
            | FailureClass::Cancelled
            | FailureClass::Unknown
    )
}
