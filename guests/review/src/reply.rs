//! What a reviewer replied.

use crate::row::{Category, Finding, FindingStatus, Severity};
use lockstep_sdk::JobResult;
use serde_json::Value;

/// SPEC RV-3, section 30.
const MAX_FINDINGS: usize = 20;

/// SPEC RV-3, section 30: characters of a title taken from the detail.
const TITLE_CHARS: usize = 80;

/// D-8: a list of findings as an object's `items` or by itself; anything else cannot be used.
pub(crate) fn items(result: &JobResult) -> Result<Vec<Value>, String> {
    let read = list(&result.output);
    match (&read, &result.report) {
        (Err(_), Some(report)) => list(report).or(read),
        _ => read,
    }
}

fn list(text: &str) -> Result<Vec<Value>, String> {
    let (object, array) = (text.find('{'), text.find('['));
    let is_array = array.is_some_and(|array| object.is_none_or(|object| array < object));
    let (start, end) = if is_array { (array, text.rfind(']')) } else { (object, text.rfind('}')) };
    let json = match (start, end) {
        (Some(start), Some(end)) if start < end => &text[start..=end],
        _ => return Err("there is no JSON in it".to_owned()),
    };
    let value = serde_json::from_str(json).map_err(|error| lockstep_sdk::text::json_error(&error))?;
    match value {
        Value::Array(items) => Ok(items),
        Value::Object(mut object) => match object.remove("items") {
            Some(Value::Array(items)) => Ok(items),
            _ => Err("it has no list `items`".to_owned()),
        },
        _ => Err("it is neither an object nor a list".to_owned()),
    }
}

/// RV-3: what is unknown is read as something harmless, what says nothing is dropped, the gravest come first.
pub(crate) fn findings(items: &[Value], iteration: u32, now: u64) -> Vec<Finding> {
    let found: Vec<_> = items.iter().filter_map(|item| finding(item, now)).collect();
    let by_severity = [Severity::High, Severity::Medium, Severity::Low].into_iter();
    let mut findings: Vec<_> = by_severity
        .flat_map(|severity| found.iter().filter(move |finding| finding.severity == severity))
        .take(MAX_FINDINGS)
        .cloned()
        .collect();
    for (index, finding) in findings.iter_mut().enumerate() {
        finding.id = format!("f{iteration}-{}", index + 1);
    }
    findings
}

fn finding(item: &Value, now: u64) -> Option<Finding> {
    let word =
        |name: &str| item.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let detail = word("detail").or_else(|| word("question"));
    let title = match (word("title"), detail) {
        (Some(title), _) => title.to_owned(),
        (None, Some(detail)) => detail.chars().take(TITLE_CHARS).collect(),
        (None, None) => return None,
    };
    let category = match word("category") {
        Some("gap") => Category::Gap,
        Some("clarification") => Category::Clarification,
        Some("assumption") => Category::Assumption,
        Some("risk") => Category::Risk,
        _ => Category::Question,
    };
    let severity = match word("severity") {
        Some("high") => Severity::High,
        Some("low") => Severity::Low,
        _ => Severity::Medium,
    };
    Some(Finding {
        id: String::new(),
        category,
        severity,
        title,
        detail: detail.unwrap_or_default().to_owned(),
        status: FindingStatus::Open,
        reply: None,
        created_at: now,
        updated_at: now,
    })
}
