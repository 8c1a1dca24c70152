//! What a job command reports.

use crate::files::{read_bounded, read_end};
use crate::jobs::job_folder::JobFolder;
use crate::supervisor::STDOUT_KEPT;
use crate::text::{as_line, last_lines};
use lockstep_types::{JobQuestion, JobResult, JsonText, PullRequest, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Largest result: it becomes part of the journal and of later contexts.
const RESULT_MAX: u64 = 1 << 20;
/// Lines and bytes of the output that accompany a failure.
const FAILURE_LINES: usize = 20;
const FAILURE_BYTES: usize = 4 << 10;

/// A `JobResult` as a command writes it: the report is any JSON value, not a text that holds one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WrittenResult {
    output: String,
    report: Option<Box<RawValue>>,
    question: Option<JobQuestion>,
    pull_request: Option<PullRequest>,
    model: Option<String>,
    usage: Option<Usage>,
    confidence: Option<f64>,
}

/// The result of a command that ended well: what it wrote for one, else its standard output. The error is one line.
pub(super) fn read_result(folder: &JobFolder) -> Result<JobResult, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("its result cannot be read: {error}");
    match read_bounded(&folder.result(), RESULT_MAX).map_err(|error| unreadable(&error))? {
        Some(bytes) if !bytes.trim_ascii().is_empty() => parse(&bytes),
        _ => {
            let kept = usize::try_from(STDOUT_KEPT).unwrap_or(usize::MAX);
            let out = read_end(&folder.launch.stdout(), kept).map_err(|error| unreadable(&error))?;
            let output = String::from_utf8_lossy(&out.unwrap_or_default()).trim().to_owned();
            Ok(JobResult { output, ..JobResult::default() })
        }
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<JobResult, String> {
    let invalid =
        |reason: &str| format!("its result is not a JobResult: {}", as_line(reason, "it is not JSON"));
    // The fields in an array, in order, would do for serde.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(invalid("it is not a JSON object"));
    }
    let written: WrittenResult =
        serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))?;
    if written.confidence.is_some_and(|confidence| !(0.0..=1.0).contains(&confidence)) {
        return Err(invalid("confidence is not between 0 and 1"));
    }
    let report = match written.report {
        Some(raw) => report(&raw).map_err(|error| invalid(&error.to_string()))?,
        None => None,
    };
    Ok(JobResult {
        output: written.output,
        report,
        question: written.question,
        pull_request: written.pull_request,
        model: written.model,
        usage: written.usage,
        confidence: written.confidence,
        head_commit: None,
    })
}

/// The report as it was written. A text that holds an object or array is taken for that: some programs encode twice.
fn report(raw: &RawValue) -> Result<Option<JsonText>, lockstep_types::InvalidJson> {
    if raw.get() == "null" {
        return Ok(None);
    }
    if let Ok(text) = serde_json::from_str::<String>(raw.get())
        && text.trim_start().starts_with(['{', '['])
        && let Ok(inner) = JsonText::new(&text)
    {
        return Ok(Some(inner));
    }
    JsonText::new(raw.get()).map(Some)
}

/// `line`, with the last lines of the job's output after it.
pub(super) fn with_output(folder: &JobFolder, line: &str) -> String {
    let end = read_end(&folder.launch.log(), FAILURE_BYTES).ok().flatten().unwrap_or_default();
    let end = last_lines(&end, FAILURE_LINES, FAILURE_BYTES);
    if end.is_empty() { line.to_owned() } else { format!("{line}\n{end}") }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_report_is_kept_to_the_byte() {
        let result = parse(br#"{"output":"ok","report":{"b": 1.0, "a":[ ]},"confidence":0.5}"#).unwrap();
        assert_eq!(result.report.unwrap().as_str(), r#"{"b": 1.0, "a":[ ]}"#);
        assert_eq!((result.output.as_str(), result.confidence), ("ok", Some(0.5)));
        let report =
            |text: &str| parse(text.as_bytes()).unwrap().report.map(|report| report.as_str().to_owned());
        assert_eq!(report(r#"{"report":"{\"a\":1}"}"#).as_deref(), Some(r#"{"a":1}"#));
        assert_eq!(report(r#"{"report":"fine"}"#).as_deref(), Some("\"fine\""));
        assert_eq!(report(r#"{"report":null}"#), None);
        assert_eq!(report("{}"), None);
    }

    #[test]
    fn what_is_wrong_is_named_in_one_line() {
        for (text, named) in [
            ("not json", "not a JSON object"),
            ("{\"output\"}", "line 1 column"),
            (r#"{"output":3}"#, "expected a string"),
            (r#"{"confidence":1.5}"#, "between 0 and 1"),
            ("[]", "not a JSON object"),
            ("{\"output\":\n\n7}", "line 3"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(named) && !error.contains('\n'), "{error}");
        }
    }
}
