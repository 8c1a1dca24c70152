//! Step kind `{{kind}}`: a large change needs a person's consent.

use lockstep_sdk::{
    Call, Completion, Descriptor, Event, Failure, FailureClass, Host, ObserveError, Question, QuestionKind, Step,
    StepError, Transition, Waiting,
};
use serde::{Deserialize, Serialize};

/// Looks that may fail before the step gives up.
const LOOKS_MAX: u32 = 10;
/// Milliseconds between two looks.
const LOOK_AGAIN: u64 = 30_000;

const TAKE: &str = "take it";
const STOP: &str = "stop";

struct {{type}};

/// The step's `config` in the pipeline file; `config.schema.json` describes it to the host.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    max_lines: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_lines: 400 }
    }
}

/// What the step remembers from one event to the next.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    failed_looks: u32,
}

impl Step for {{type}} {
    type Config = Config;
    type State = State;

    fn descriptor() -> Descriptor {
        Descriptor::new("{{kind}}", env!("CARGO_PKG_VERSION"), "Asks a person before a large change goes on.")
            .config_schema(include_str!("config.schema.json"))
    }

    fn advance(
        call: &Call<Config>,
        state: State,
        event: Event,
        host: &impl Host,
    ) -> Result<Transition<State>, StepError> {
        match event {
            Event::Started(_) | Event::Due => Ok(look(call, state, host)),
            Event::Answered(answer) if answer.choice == TAKE => {
                Ok(Transition::new(state, Completion::new().output("a large change, taken by a person")))
            }
            Event::Answered(_) => {
                let failure = Failure::new(FailureClass::Cancelled, "a person did not take the large change");
                Ok(Transition::new(state, failure))
            }
            other => Err(StepError::unexpected(&other, "a person is asked")),
        }
    }
}

fn look(call: &Call<Config>, mut state: State, host: &impl Host) -> Transition<State> {
    let files = match host.changed_files() {
        Ok(files) => files,
        Err(ObserveError::NotConfigured) => {
            let message = "nothing tells which files the change has; the pipeline needs a repository";
            return Transition::new(state, Failure::new(FailureClass::Agent, message));
        }
        Err(ObserveError::Failed(why)) if state.failed_looks < LOOKS_MAX => {
            state.failed_looks += 1;
            return Transition::new(state, Waiting::new(LOOK_AGAIN, format!("the change cannot be read: {why}")));
        }
        Err(ObserveError::Failed(why)) => {
            let message = format!("the change could not be read {LOOKS_MAX} times: {why}");
            return Transition::new(state, Failure::new(FailureClass::Timeout, message));
        }
    };
    let lines: u32 = files.iter().map(|file| file.lines_added.saturating_add(file.lines_removed)).sum();
    let (seen, max) = (format!("{lines} lines in {} files", files.len()), call.config.max_lines);
    if lines <= max {
        return Transition::new(state, Completion::new().output(&seen)).note(format!("{seen}, at most {max}"));
    }
    let question = Question::new(QuestionKind::Decision, format!("The change has {seen}, more than {max} lines. Take it?"));
    Transition::new(state, question.options([TAKE, STOP])).note(format!("{seen}, more than {max} lines"))
}

lockstep_sdk::export_step!({{type}});

#[cfg(test)]
mod tests {
    use super::*;
    use lockstep_sdk::testing::{Bench, check_schema};
    use lockstep_sdk::workspace::{ChangedFile, FileStatus};

    /// A step in front of a change of one file with so many lines.
    fn bench(lines: u32) -> Bench<{{type}}> {
        let mut bench = Bench::new(r#"{"max_lines":100}"#);
        let (path, status) = ("src/lib.rs".to_owned(), FileStatus::Modified);
        bench.host.add_file(ChangedFile { path, status, lines_added: lines, lines_removed: 0 }, "");
        bench
    }

    #[test]
    fn a_small_change_goes_on() {
        let expected = "complete 100 lines in 1 files\nnote     100 lines in 1 files, at most 100\n";
        assert_eq!(bench(100).started(), expected);
    }

    #[test]
    fn a_large_change_needs_consent() {
        let mut bench = bench(101);
        assert!(bench.started().starts_with("ask "));
        assert_eq!(bench.answered(STOP), "fail     Cancelled: a person did not take the large change\n");
        assert_eq!(bench.answered(TAKE), "complete a large change, taken by a person\n");
    }

    #[test]
    fn the_schema_fits_the_config() {
        check_schema::<{{type}}>();
    }
}
