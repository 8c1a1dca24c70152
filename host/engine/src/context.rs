//! What components and jobs are told, read off the state.

use crate::run::{Phase, Run};
use lockstep_types::{
    Answer, Decision, ItemLevel, JobContext, JobRequest, QuestionKind, RunInfo, StepInfo, StepInput, StepIx,
    StepOutput, Timestamp,
};

impl Run {
    /// What the component of a step that is ready is called with; none if the step is not ready.
    #[must_use]
    pub fn step_input(&self, ix: StepIx, now: Timestamp) -> Option<StepInput> {
        let step = self.steps.get(ix)?;
        let Phase::Ready(event) = &step.phase else {
            return None;
        };
        let def = self.def(ix);
        Some(StepInput {
            run: RunInfo {
                id: self.spec.id.to_string(),
                item: self.spec.item.clone(),
                title: self.spec.title.clone(),
                description: self.spec.description.clone(),
                change: self.change.clone(),
                facts: self.facts.clone(),
                // A grader has to know of a producer that produced nothing (SPEC CO-8).
                outputs: self.outputs_before(ix).collect(),
                item_status: self.item_status,
                documents: self.documents.clone(),
                is_errand: self.is_errand(),
                initiator: self.spec.initiator.clone(),
                now,
            },
            step: StepInfo {
                name: def.name.clone(),
                kind: def.kind.clone(),
                role: def.role.clone(),
                config: def.config.clone(),
                policy: self.policy.clone(),
                attempt: step.attempts.last().map_or(1, |attempt| attempt.number),
                is_final: self.is_final(ix),
                wired: self.wired(ix),
            },
            decisions: self.decisions(|asked| asked < ix),
            state: step.memory.clone(),
            event: (**event).clone(),
        })
    }

    /// What a job is given (SPEC CX-1, CX-2).
    pub(crate) fn job_context(&self, ix: StepIx, request: &JobRequest) -> JobContext {
        let (def, step) = (self.def(ix), &self.steps[ix]);
        // SPEC CX-1: jobs are shown what there is to read.
        let mut outputs: Vec<StepOutput> =
            self.outputs_before(ix).filter(|output| !output.output.is_empty()).collect();
        outputs.extend(request.extra_outputs.iter().cloned());
        JobContext {
            run: self.spec.id.to_string(),
            item: self.spec.item.clone(),
            title: self.spec.title.clone(),
            description: self.effective_description().to_owned(),
            step: def.name.clone(),
            kind: request.kind.clone(),
            attempt: step.attempts.last().map_or(1, |attempt| attempt.number),
            change: self.change.clone(),
            outputs,
            decisions: self.decisions(|asked| asked < ix),
            resolved: self.decisions(|asked| asked == ix).pop(),
            rework: step.rework.clone(),
            facts: self.facts.clone(),
            documents: self.documents.clone(),
            environment: self.environments.last().map(|held| held.environment.clone()),
            initiator: self.spec.initiator.clone(),
            input: request.input.clone(),
        }
    }

    /// The description of a task, or the settled document that stands in for it (SPEC CX-3).
    fn effective_description(&self) -> &str {
        let texts = self.documents.iter().filter_map(|document| document.stands_in.as_ref());
        match texts.max_by_key(|stand_in| stand_in.rank) {
            Some(stand_in) if self.spec.context.level == ItemLevel::Task => &stand_in.text,
            _ => &self.spec.description,
        }
    }

    /// Of the jobs and effects a step was granted, those that somebody carries out.
    fn wired(&self, ix: StepIx) -> Vec<String> {
        let Some(pin) = self.pin(ix) else {
            return Vec::new();
        };
        let role = &self.def(ix).role;
        let jobs = pin.grant.jobs.iter().map(|job| if job == "{role}" { role } else { job });
        let is_wired =
            |name: &&String| self.spec.context.wired.as_ref().is_none_or(|wired| wired.contains(name));
        jobs.chain(&pin.grant.effects).filter(is_wired).cloned().collect()
    }

    /// Outputs of earlier steps that the run waits for no more, in order.
    fn outputs_before(&self, ix: StepIx) -> impl Iterator<Item = StepOutput> {
        let output = |at: StepIx| {
            let (step, def) = (&self.steps[at], self.def(at));
            let text = step.output.as_ref()?;
            step.is_behind().then(|| StepOutput {
                step: def.name.clone(),
                role: def.role.clone(),
                output: text.clone(),
            })
        };
        (0..ix).filter_map(output)
    }

    fn decisions(&self, of: impl Fn(StepIx) -> bool) -> Vec<Decision> {
        let decision = |record: &crate::run::AnswerRecord| match &record.answer {
            Answer::Choose { choice, .. } if record.question.kind == QuestionKind::Decision => {
                Some(Decision {
                    step: self.def(record.step).name.clone(),
                    question: record.question.prompt.clone(),
                    answer: choice.clone(),
                })
            }
            _ => None,
        };
        self.answers.iter().filter(|record| of(record.step)).filter_map(decision).collect()
    }
}
