use lockstep_types::{
    EffectOutcome, JobOutcome, JobQuestion, JobResult, JsonText, PullRequest, ReworkOrder, StepAction,
    StepAnswer, StepEvent,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The event of a case as it is written: a word, or a table whose first field says which it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rework: Option<String>,
    previous: Option<String>,

    job: Option<String>,
    #[serde(default)]
    output: String,
    report: Option<Value>,
    question: Option<JobQuestion>,
    pull_request: Option<PullRequest>,
    model: Option<String>,
    confidence: Option<f64>,
    head_commit: Option<String>,
    failed: Option<String>,
    evicted: Option<String>,
    #[serde(default)]
    transient: bool,
    not_configured: Option<String>,

    answer: Option<String>,
    text: Option<String>,

    effect: Option<String>,
    value: Option<Value>,
    message: Option<String>,

    action: Option<String>,
    input: Option<Value>,
    by: Option<String>,
}

/// Who does what nobody is named for.
const SOMEBODY: &str = "human";

/// Reads an event.
///
/// # Errors
/// What is wrong with it and what it can be.
pub(super) fn read(value: Value) -> Result<StepEvent, String> {
    if let Value::String(word) = &value {
        return match word.as_str() {
            "started" => Ok(StepEvent::Started(None)),
            "due" => Ok(StepEvent::Due),
            other => Err(format!(
                "`event` is {other:?}: write \"started\", \"due\", or a table with `rework`, `job`, `answer`, \
                 `effect` or `action`"
            )),
        };
    }
    let written: Written =
        serde_json::from_value(value).map_err(|error| format!("`event` cannot be read: {error}"))?;
    let kinds = [&written.rework, &written.job, &written.answer, &written.effect, &written.action]
        .map(Option::is_some);
    if kinds.into_iter().filter(|is| *is).count() != 1 {
        return Err(
            "`event` needs exactly one of `rework`, `job`, `answer`, `effect` and `action`".to_owned()
        );
    }
    written.event()
}

impl Written {
    fn event(mut self) -> Result<StepEvent, String> {
        let by = self.by.take().unwrap_or_else(|| SOMEBODY.to_owned());
        if let Some(feedback) = self.rework.take() {
            let previous = self.previous.take();
            return Ok(StepEvent::Started(Some(ReworkOrder {
                feedback,
                comments: Vec::new(),
                previous,
                by,
            })));
        }
        if let Some(kind) = self.job.take() {
            return Ok(StepEvent::JobSettled { kind, outcome: self.job_outcome() });
        }
        if let Some(choice) = self.answer.take() {
            return Ok(StepEvent::Answered(StepAnswer { choice, text: self.text, comments: Vec::new() }));
        }
        if let Some(name) = self.action.take() {
            let input = JsonText::of(&self.input.unwrap_or_else(|| json!({})));
            return Ok(StepEvent::Acted(StepAction { name, input, by }));
        }
        let message = self.message.unwrap_or_default();
        Ok(StepEvent::EffectSettled(match self.effect.as_deref() {
            Some("done") => EffectOutcome::Done(JsonText::of(&self.value.unwrap_or_else(|| json!({})))),
            Some("refused") => EffectOutcome::Refused(message),
            Some("failed") => EffectOutcome::Failed(message),
            Some("not-configured") => EffectOutcome::NotConfigured(message),
            _ => {
                return Err(
                    "`event.effect` can be \"done\", \"refused\", \"failed\" or \"not-configured\"".into()
                );
            }
        }))
    }

    fn job_outcome(&mut self) -> JobOutcome {
        if let Some(message) = self.failed.take() {
            return JobOutcome::Failed(message);
        }
        if let Some(message) = self.evicted.take() {
            return JobOutcome::Evicted { transient: self.transient, message };
        }
        if let Some(message) = self.not_configured.take() {
            return JobOutcome::NotConfigured(message);
        }
        JobOutcome::Done(JobResult {
            output: std::mem::take(&mut self.output),
            report: self.report.take().map(|report| JsonText::of(&report)),
            question: self.question.take(),
            pull_request: self.pull_request.take(),
            model: self.model.take(),
            usage: None,
            confidence: self.confidence,
            head_commit: self.head_commit.take(),
        })
    }
}
