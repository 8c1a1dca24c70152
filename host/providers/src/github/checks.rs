use super::answers::{Branch, CheckRun, CheckRuns, Combined, Rule, Status};
use super::client::{Beyond, segment};
use super::pulls::About;
use super::trouble::Trouble;
use super::{GitHub, Inner, Link};
use crate::text::as_line;
use async_trait::async_trait;
use lockstep_ports::{CheckOrder, Checks};
use lockstep_types::{Check, CheckReport, ObserveFailure, PullRequest, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Pages of check runs or statuses of one commit: a thousand, more than GitHub keeps of one suite.
const PAGES_MAX: usize = 10;
/// Rules of a branch that are read, in pages.
const RULE_PAGES_MAX: usize = 3;
/// Bytes of a check's own words that are passed on, as of a local one.
const SUMMARY_BYTES: usize = 2 << 10;
/// Statuses that the host itself sets: a gate does not wait for its own word.
const OWN_STATUSES: &str = "lockstep/";

/// Checks on GitHub, for changes of its repositories, together with the pipeline's own. Implements `Checks`.
#[derive(Clone)]
pub struct GitHubChecks {
    github: GitHub,
    local: Arc<dyn Checks>,
}

impl GitHubChecks {
    /// `local` runs the checks of pipelines, and answers for all other repositories.
    #[must_use]
    pub fn new(github: GitHub, local: Arc<dyn Checks>) -> Self {
        Self { github, local }
    }
}

#[async_trait]
impl Checks for GitHubChecks {
    async fn read(&self, order: CheckOrder<'_>) -> Result<CheckReport, ObserveFailure> {
        let inner = &self.github.inner;
        let Some(link) = inner.link_of(&order.change.repository).await else {
            return self.local.read(order).await;
        };
        let published = inner.published_for_checks(link, &order).await;
        // After publishing: the clone may have followed the forge.
        let mut report = self.local.read(order).await?;
        let Some(head) = report.head_commit.clone() else { return Ok(report) };
        let read = match published {
            Ok(pull_request) => {
                report.pull_request = pull_request;
                inner.checks_at(link, &head, &order.change.base_branch).await
            }
            Err(trouble) => Err(trouble),
        };
        match read {
            Ok(checks) => report.checks.extend(checks),
            Err(Trouble::ForNow(why)) => report.checks.push(not_known_yet(&why)),
            Err(Trouble::Lasting(why)) => return Err(ObserveFailure::Failed(why)),
        }
        Ok(report)
    }

    async fn forget(&self, run: &RunId) {
        self.local.forget(run).await;
    }
}

impl Inner {
    /// Has GitHub know the head commit, and a pull request of it.
    async fn published_for_checks(
        &self,
        link: &Link,
        order: &CheckOrder<'_>,
    ) -> Result<Option<PullRequest>, Trouble> {
        let change = order.change;
        let Some(head) = self.publish(link, &change.head_branch).await? else { return Ok(None) };
        if let Some(pull) = self.open_pull(link, change).await? {
            return Ok(Some(pull.told()));
        }
        // What was merged already needs no other pull request.
        if let Some(pull) = self.merged_pull(link, change, &head).await? {
            return Ok(Some(pull.told()));
        }
        let about = About { title: order.title, description: order.description, run: order.run.as_str() };
        let pull = self.ensure_pull(link, change, about).await?;
        Ok(pull.map(|pull| pull.told()))
    }

    /// All that GitHub has of a commit: check runs, statuses, and what the rules of the base branch want and nobody
    /// reported yet.
    async fn checks_at(&self, link: &Link, commit: &str, base: &str) -> Result<Vec<Check>, Trouble> {
        let at = link.api(&format!("commits/{}", segment(commit)));
        let all = (PAGES_MAX, Beyond::Refused);
        let (runs, statuses) = (format!("{at}/check-runs"), format!("{at}/status"));
        let latest = [("filter", "latest")];
        let runs = self.client.list(&runs, &latest, all, |page: CheckRuns| page.check_runs).await?;
        let statuses = self.client.list(&statuses, &[], all, |page: Combined| page.statuses).await?;
        let mut checks = of_runs(runs);
        checks.extend(of_statuses(statuses));
        let reported: BTreeSet<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        let wanted = self.required(link, base).await?;
        let missing: Vec<Check> = wanted
            .iter()
            .filter(|name| !reported.contains(name.as_str()) && !name.starts_with(OWN_STATUSES))
            .map(|name| check(name, "expected"))
            .collect();
        checks.extend(missing);
        let seen_for = self.seen_for(commit);
        if checks.is_empty() && seen_for < self.pace.checks_appear {
            let left = (self.pace.checks_appear - seen_for).as_secs();
            let why = format!("no check was reported yet; looked for {left} s more");
            checks.push(not_known_yet(&why));
        }
        Ok(checks)
    }

    /// Names of the checks without which nothing is merged into a branch, as far as the host is told.
    async fn required(&self, link: &Link, base: &str) -> Result<BTreeSet<String>, Trouble> {
        let mut names = BTreeSet::new();
        for rule in self.rules(link, base).await? {
            let checks = rule.parameters.unwrap_or_default().required_status_checks;
            names.extend(checks.into_iter().map(|check| check.context));
        }
        let branch: Option<Branch> =
            self.client.get(&link.api(&format!("branches/{}", segment(base))), &[]).await?;
        let protection = branch.and_then(|branch| branch.protection);
        let checks = protection.and_then(|protection| protection.required_status_checks);
        names.extend(checks.unwrap_or_default().contexts);
        Ok(names)
    }

    /// The rules that hold for a branch. An older GitHub has none, and one that does not tell them has none for us.
    pub(super) async fn rules(&self, link: &Link, branch: &str) -> Result<Vec<Rule>, Trouble> {
        let path = link.api(&format!("rules/branches/{}", segment(branch)));
        let pages = (RULE_PAGES_MAX, Beyond::LeftOut);
        match self.client.list(&path, &[], pages, |page: Vec<Rule>| page).await {
            Err(Trouble::Lasting(why)) => {
                tracing::debug!(%why, "the rules of a branch are not told");
                Ok(Vec::new())
            }
            read => read,
        }
    }
}

fn check(name: &str, status: &str) -> Check {
    Check { name: name.to_owned(), status: status.to_owned(), conclusion: None, url: None, summary: None }
}

/// Stands for checks that could not be read this time: as one that runs, it is waited for.
fn not_known_yet(why: &str) -> Check {
    Check {
        summary: Some(why.to_owned()),
        ..check(&format!("GitHub ({})", as_line(why, "no answer")), "unknown")
    }
}

/// The latest of each name and app: one that was begun again counts as it went the last time.
fn of_runs(runs: Vec<CheckRun>) -> Vec<Check> {
    let mut latest: BTreeMap<(String, Option<u64>), CheckRun> = BTreeMap::new();
    for run in runs {
        let key = (run.name.clone(), run.app.as_ref().map(|app| app.id));
        let order = |run: &CheckRun| (run.started_at.clone(), run.id);
        match latest.get(&key) {
            Some(known) if order(known) >= order(&run) => {}
            _ => {
                latest.insert(key, run);
            }
        }
    }
    latest.into_values().map(of_run).collect()
}

fn of_run(run: CheckRun) -> Check {
    let said: Vec<String> = [run.output.title, run.output.summary].into_iter().flatten().collect();
    Check {
        name: run.name,
        // Any word but this one means that it runs.
        status: run.status,
        conclusion: run.conclusion,
        url: run.html_url.or(run.details_url),
        summary: bounded(&said.join("\n")),
    }
}

fn of_statuses(statuses: Vec<Status>) -> Vec<Check> {
    let mut seen = BTreeSet::new();
    // The combined status has the latest of each context; should one come twice, the first is the newest.
    let statuses = statuses.into_iter().filter(|status| seen.insert(status.context.clone()));
    let own = |status: &Status| status.context.starts_with(OWN_STATUSES);
    let of = |status: Status| {
        let is_pending = status.state == "pending";
        Check {
            name: status.context,
            status: if is_pending { "pending" } else { "completed" }.to_owned(),
            conclusion: (!is_pending).then_some(status.state),
            url: status.target_url.filter(|url| !url.is_empty()),
            summary: status.description.as_deref().and_then(bounded),
        }
    };
    statuses.filter(|status| !own(status)).map(of).collect()
}

fn bounded(text: &str) -> Option<String> {
    let mut end = text.len().min(SUMMARY_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text[..end].trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Check, of_runs, of_statuses};
    use expect_test::expect;
    use serde_json::{Value, json};

    fn told(checks: &[Check]) -> String {
        let line = |check: &Check| {
            let conclusion = check.conclusion.as_deref().unwrap_or("-");
            format!("{} {} {conclusion} {:?} {:?}\n", check.name, check.status, check.url, check.summary)
        };
        checks.iter().map(line).collect()
    }

    fn run(
        id: u64,
        name: &str,
        app: u64,
        began: Option<&str>,
        status: &str,
        conclusion: Option<&str>,
    ) -> Value {
        json!({
            "id": id, "name": name, "status": status, "conclusion": conclusion, "started_at": began,
            "html_url": format!("https://forge/{id}"), "details_url": null, "app": { "id": app },
            "output": { "title": null, "summary": null },
        })
    }

    #[test]
    fn the_latest_check_of_a_name_counts() {
        let runs = json!([
            run(1, "test", 7, Some("2026-01-01T00:00:00Z"), "completed", Some("failure")),
            run(2, "test", 7, Some("2026-01-01T00:05:00Z"), "completed", Some("success")),
            run(3, "test", 8, Some("2026-01-01T00:00:00Z"), "completed", Some("failure")),
            run(5, "lint", 7, None, "queued", None),
            run(4, "lint", 7, None, "completed", Some("success")),
        ]);
        expect![[r#"
            lint queued - Some("https://forge/5") None
            test completed success Some("https://forge/2") None
            test completed failure Some("https://forge/3") None
        "#]]
        .assert_eq(&told(&of_runs(serde_json::from_value(runs).unwrap())));
    }

    #[test]
    fn statuses_are_checks_but_for_our_own() {
        let status = |context: &str, state: &str| json!({ "context": context, "state": state, "description": "  why ", "target_url": "" });
        let statuses = json!([
            status("ci/build", "success"),
            status("ci/build", "failure"),
            status("ci/slow", "pending"),
            status("ci/broken", "error"),
            status("lockstep/change", "pending"),
        ]);
        expect![[r#"
            ci/build completed success None Some("why")
            ci/slow pending - None Some("why")
            ci/broken completed error None Some("why")
        "#]]
        .assert_eq(&told(&of_statuses(serde_json::from_value(statuses).unwrap())));
    }
}
