//! Lists of runs: which are wanted, and how far one search looks for them.

use crate::runtime::Runtime;
use crate::service::journal;
use lockstep_ports::{ROWS_PAGE_MAX, RunPage, RunQuery, ServiceError};
use lockstep_types::{RunId, RunStatus, RunSummary};

/// Runs a list gives when nobody says how many.
const LIST_DEFAULT: usize = 50;
/// Rows one search looks at before it answers what it has, and where to go on: some tenths of a second of reading.
const SCAN_MAX: usize = 10_000;
/// Rows read at once in a search: a handful of runs are found without reading a thousand rows.
const SCAN_PAGE: usize = 250;

impl Runtime {
    pub(crate) async fn list_page(&self, query: RunQuery) -> Result<RunPage, ServiceError> {
        let limit = query.limit.unwrap_or(LIST_DEFAULT).clamp(1, ROWS_PAGE_MAX);
        let wanted = Wanted::of(&query);
        if wanted.only_live {
            return self.list_live(&wanted, query.before, limit).await;
        }
        let rows = &self.shared.outside.journal;
        let (mut runs, mut cursor, mut looked_at) = (Vec::new(), query.before, 0);
        let page = if wanted.takes_all { limit } else { SCAN_PAGE };
        while looked_at < SCAN_MAX {
            let rows = rows.rows(cursor.as_ref(), page).await.map_err(|error| journal(&error))?;
            let is_last = rows.len() < page;
            looked_at += rows.len();
            for row in rows {
                cursor = Some(row.summary.id.clone());
                if wanted.takes(&row.summary) {
                    runs.push(row.summary);
                    if runs.len() == limit {
                        return Ok(RunPage { runs, next: cursor });
                    }
                }
            }
            if is_last {
                return Ok(RunPage { runs, next: None });
            }
        }
        Ok(RunPage { runs, next: cursor })
    }

    /// What has ended is not read: there may be a hundred thousand of them to a handful that wait.
    async fn list_live(
        &self,
        wanted: &Wanted,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<RunPage, ServiceError> {
        let rows = &self.shared.outside.journal;
        let ids = rows.live().await.map_err(|error| journal(&error))?;
        let older = |id: &&RunId| before.as_ref().is_none_or(|before| *id < before);
        let mut runs = Vec::new();
        for (looked_at, id) in ids.iter().rev().filter(older).enumerate() {
            if looked_at == SCAN_MAX {
                return Ok(RunPage { runs, next: Some(id.clone()) });
            }
            let row = rows.row(id).await.map_err(|error| journal(&error))?;
            let Some(row) = row.filter(|row| wanted.takes(&row.summary)) else { continue };
            runs.push(row.summary);
            if runs.len() == limit {
                return Ok(RunPage { runs, next: Some(id.clone()) });
            }
        }
        Ok(RunPage { runs, next: None })
    }
}

/// A query, made ready to be held against many runs.
struct Wanted {
    status: Option<RunStatus>,
    waits: Option<String>,
    item: Option<String>,
    pipeline: Option<String>,
    words: Vec<String>,
    only_live: bool,
    takes_all: bool,
}

impl Wanted {
    fn of(query: &RunQuery) -> Self {
        let given = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_lowercase)
        };
        let words = given(&query.text).map(|text| text.split_whitespace().map(str::to_owned).collect());
        let (waits, item, pipeline) = (given(&query.waits), given(&query.item), given(&query.pipeline));
        let words: Vec<String> = words.unwrap_or_default();
        Self {
            only_live: waits.is_some() || query.status.is_some_and(RunStatus::is_live),
            takes_all: query.status.is_none() && item.is_none() && pipeline.is_none() && words.is_empty(),
            status: query.status,
            waits,
            item,
            pipeline,
            words,
        }
    }

    fn takes(&self, run: &RunSummary) -> bool {
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| value.to_lowercase() == *wanted)
        };
        let waits = |wanted: &String| {
            run.waiting.iter().any(|waiting| {
                waiting.on == *wanted || (wanted == RunQuery::PERSON && waiting.is_on_person())
            })
        };
        self.status.is_none_or(|status| run.status == status)
            && self.waits.as_ref().is_none_or(waits)
            && is(&self.item, &run.item)
            && is(&self.pipeline, &run.pipeline)
            && self.says_all_words(run)
    }

    fn says_all_words(&self, run: &RunSummary) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let texts = [run.id.as_str(), &run.title, &run.item, &run.pipeline, &run.change.head_branch];
        let said = texts.join("\n").to_lowercase();
        self.words.iter().all(|word| said.contains(word.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::Wanted;
    use lockstep_ports::RunQuery;
    use lockstep_types::RunSummary;

    fn run() -> RunSummary {
        serde_json::from_value(serde_json::json!({
            "id": "run-1", "item": "Shop-14", "title": "Large orders get a Discount", "pipeline": "change",
            "change": { "repository": "/r", "base_branch": "main", "head_branch": "discount" },
            "status": "running", "item_status": "blocked", "steps_done": 1, "steps_total": 3,
            "waiting": [{ "step": "a", "on": "approval", "reason": "", "since": 1, "act": "" },
                        { "step": "b", "on": "job", "reason": "", "since": 1, "act": "" }],
            "created_at": 1, "updated_at": 1
        }))
        .unwrap()
    }

    #[test]
    fn every_filter_has_to_fit() {
        let fits = |query: &str| {
            let query: RunQuery = serde_json::from_str(query).unwrap();
            Wanted::of(&query).takes(&run())
        };
        for query in [
            "{}",
            r#"{"status":"running"}"#,
            r#"{"waits":"person"}"#,
            r#"{"waits":"job"}"#,
            r#"{"item":"shop-14"}"#,
            r#"{"pipeline":"change","text":" "}"#,
            r#"{"text":"discount LARGE"}"#,
            r#"{"text":"run-1"}"#,
        ] {
            assert!(fits(query), "{query}");
        }
        for query in [
            r#"{"status":"done"}"#,
            r#"{"waits":"review"}"#,
            r#"{"item":"shop"}"#,
            r#"{"pipeline":"chang"}"#,
            r#"{"text":"discount small"}"#,
            r#"{"status":"running","waits":"timer"}"#,
        ] {
            assert!(!fits(query), "{query}");
        }
    }
}
