//! Finds the run that is meant.

use crate::exit::Refused;
use lockstep_ports::{RunQuery, RunService, ServiceError};
use lockstep_types::{QuestionId, RunId, RunSummary, Timestamp};

/// Shortest part of an id that is looked for: less would match by chance, and what follows may be `stop`.
const PART_MIN: usize = 4;

/// Runs looked at for a part of an id; with more stored, write the whole id.
const SCAN_MAX: usize = 20_000;

/// Runs read at once.
const PAGE: usize = 500;

/// Runs read first for the latest one: most often it is the first, and a review leaves a few errands before it.
const FIRST_PAGE: usize = 8;

/// Ids named when a part fits several.
const NAMED_MAX: usize = 5;

/// The run `text` means: an id, a beginning or end of one, or `latest`.
pub(crate) async fn find(service: &dyn RunService, text: &str) -> anyhow::Result<RunId> {
    if text == "latest" {
        return latest(service).await;
    }
    let Ok(id) = text.parse::<RunId>() else {
        return Refused::because(format!("{text:?} is no run id: see `lockstep runs list`"));
    };
    match service.get(&id).await {
        Ok(run) => return Ok(run.summary.id),
        Err(ServiceError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    if text.len() < PART_MIN {
        return Refused::because(format!(
            "{text:?} is too short: write {PART_MIN} characters of the id or more"
        ));
    }
    one(text, matching(service, text).await?)
}

/// The newest run. Errands are not meant: they carry out an action on an item beside its run, and are over at once.
async fn latest(service: &dyn RunService) -> anyhow::Result<RunId> {
    let (mut limit, mut seen, mut before) = (FIRST_PAGE, 0, None);
    while seen < SCAN_MAX {
        let query = RunQuery { limit: Some(limit), before: before.take(), ..RunQuery::default() };
        let page = service.list(query).await?;
        seen += page.runs.len();
        before = page.next;
        if let Some(run) = page.runs.into_iter().find(|run| !run.is_errand) {
            return Ok(run.id);
        }
        if before.is_none() {
            break;
        }
        limit = PAGE;
    }
    Refused::because("there is no run yet: start one with `lockstep run`")
}

async fn matching(service: &dyn RunService, text: &str) -> anyhow::Result<Vec<RunId>> {
    let (mut found, mut seen, mut before) = (Vec::new(), 0, None);
    loop {
        let query = RunQuery { limit: Some(PAGE), before: before.take(), ..RunQuery::default() };
        let page = service.list(query).await?;
        seen += page.runs.len();
        before = page.next;
        found.extend(page.runs.into_iter().map(|run: RunSummary| run.id).filter(|id| fits(id, text)));
        if before.is_none() || found.len() > NAMED_MAX {
            return Ok(found);
        }
        if seen >= SCAN_MAX {
            return Refused::because(format!(
                "{text:?} does not fit any of the last {SCAN_MAX} runs: write the whole id"
            ));
        }
    }
}

fn fits(id: &RunId, text: &str) -> bool {
    let id = id.as_str();
    id.starts_with(text)
        || id.ends_with(text)
        || id.strip_prefix("run-").is_some_and(|rest| rest.starts_with(text))
}

fn one(text: &str, found: Vec<RunId>) -> anyhow::Result<RunId> {
    match found.as_slice() {
        [] => Refused::because(format!("there is no run {text}: see `lockstep runs list`")),
        [id] => Ok(id.clone()),
        several => {
            let mut names: Vec<&str> = several.iter().take(NAMED_MAX).map(RunId::as_str).collect();
            if several.len() > NAMED_MAX {
                names.push("…");
            }
            Refused::because(format!("{text} could be {}: write more of the id", names.join(", ")))
        }
    }
}

/// The number of a question: `q2` or `2`.
pub(crate) fn question(text: &str) -> Result<QuestionId, String> {
    let number = text.strip_prefix('q').unwrap_or(text).parse().ok().filter(|number| *number > 0);
    number.map(QuestionId).ok_or_else(|| "a question is written q1, q2, …".to_owned())
}

/// Reads a time in the past: how long ago (`90m`), a day, or an instant.
pub(crate) fn since(text: &str) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "{text:?} is no time: write how long ago (90m, 24h, 7d), a day (2026-01-05), or 2026-01-05T09:00:00Z"
        )
    };
    let instant = if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        instant
    } else if let Ok(day) = text.parse::<jiff::civil::Date>() {
        day.to_zoned(jiff::tz::TimeZone::system()).map_err(|_| wrong())?.timestamp()
    } else {
        let unit = text.chars().next_back().ok_or_else(wrong)?;
        let ms: u64 = match unit {
            's' => 1000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return Err(wrong()),
        };
        let count: u64 = text.trim_end_matches(unit).parse().map_err(|_| wrong())?;
        let ago = count.checked_mul(ms).ok_or_else(wrong)?;
        return Ok(Timestamp(crate::render::now().0.saturating_sub(ago)));
    };
    Ok(Timestamp(u64::try_from(instant.as_millisecond()).map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use super::{fits, one, question};
    use lockstep_types::RunId;

    fn found(text: &str) -> String {
        let ids = ["run-0192aaaa11110001", "run-0192aaaa22220002", "run-0193bbbb33330001"];
        let ids = ids.iter().map(|id| id.parse::<RunId>().unwrap()).filter(|id| fits(id, text)).collect();
        match one(text, ids) {
            Ok(id) => id.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_part_must_fit_one_run_at_its_beginning_or_end() {
        assert_eq!(found("run-0193"), "run-0193bbbb33330001");
        assert_eq!(found("0193bb"), "run-0193bbbb33330001");
        assert_eq!(found("20002"), "run-0192aaaa22220002");
        assert_eq!(found("aaaa"), "there is no run aaaa: see `lockstep runs list`");
        assert_eq!(
            found("0001"),
            "0001 could be run-0192aaaa11110001, run-0193bbbb33330001: write more of the id"
        );
    }

    #[test]
    fn questions_are_numbers() {
        assert_eq!(question("q2").map(|q| q.0), Ok(2));
        assert_eq!(question("7").map(|q| q.0), Ok(7));
        for wrong in ["", "q", "q0", "0", "-1", "two"] {
            assert!(question(wrong).is_err(), "{wrong}");
        }
    }
}
