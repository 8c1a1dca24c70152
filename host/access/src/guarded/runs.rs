use super::{Answer, Guarded, everywhere, role};
use crate::audit::{Came, Deed};
use async_trait::async_trait;
use lockstep_ports::{
    BacktestProgress, BacktestReport, BacktestRequest, BacktestService, FeedItem, InvocationView,
    ReplayReport, RunAction, RunPage, RunQuery, RunService, StartRequest, VerifyReport,
};
use lockstep_types::{Role, RunId, RunSummary, RunView, TimelineEntry};
use std::sync::Arc;

/// Runs read at a time where only some may be seen.
const PAGE: usize = 500;
/// Runs looked at for one list, so that whoever may see few of many does not read the whole store.
const SCAN_MAX: usize = 100_000;

/// What of a run the audit wants to know.
fn came(run: &RunSummary) -> Came {
    Came { subject: Some(run.id.to_string()), workspace: run.workspace.clone() }
}

fn operation(action: &RunAction) -> (&'static str, String) {
    let nothing = String::new;
    match action {
        RunAction::Stop { .. } => ("run.stop", nothing()),
        RunAction::Retry => ("run.retry", nothing()),
        RunAction::Restart { step, .. } => ("run.restart", format!("step {step}")),
        RunAction::Repin { pins, .. } => {
            ("run.repin", pins.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        RunAction::Pause => ("run.pause", nothing()),
        RunAction::Resume => ("run.resume", nothing()),
        RunAction::Act { action, .. } => ("run.act", action.chars().take(64).collect()),
        RunAction::TearDown => ("run.tear-down", nothing()),
        RunAction::Answer { .. } => ("run.answer", nothing()),
    }
}

#[async_trait]
impl RunService for Guarded {
    async fn start(&self, mut request: StartRequest) -> Answer<RunSummary> {
        let (who, runs) = (self.who()?, Arc::clone(&self.0.to.runs));
        let named = request.by.take();
        let deed = Deed::new("run.start", request.item.as_deref().unwrap_or(&request.branch));
        let start = |by| {
            request.by = Some(by);
            async move { runs.start(request).await }
        };
        // Its pipeline and repository are of no board, and its commands those of the pipeline that is sent.
        self.changes(&who, everywhere(Role::Operator), deed, named.as_deref(), start, came).await
    }

    async fn check_pipeline(&self, text: &str, file: &str) -> Answer<()> {
        self.may(role(Role::Viewer))?;
        self.0.to.runs.check_pipeline(text, file).await
    }

    async fn list(&self, query: RunQuery) -> Answer<RunPage> {
        let who = self.may(role(Role::Viewer))?;
        if who.is_unlimited() {
            return self.0.to.runs.list(query).await;
        }
        let limit = query.limit.unwrap_or(50);
        let (mut runs, mut before, mut scanned) = (Vec::new(), query.before.clone(), 0);
        while scanned < SCAN_MAX {
            let page = RunQuery { before: before.take(), limit: Some(PAGE), ..query.clone() };
            let page = self.0.to.runs.list(page).await?;
            // A search that found nothing has looked at many all the same.
            scanned += page.runs.len().max(PAGE);
            for run in page.runs.into_iter().filter(|run| who.sees(run.workspace.as_ref())) {
                runs.push(run);
                if runs.len() == limit {
                    let next = runs.last().map(|run| run.id.clone());
                    return Ok(RunPage { runs, next });
                }
            }
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        Ok(RunPage { runs, next: before })
    }

    async fn get(&self, run: &RunId) -> Answer<RunView> {
        let who = self.may(role(Role::Viewer))?;
        self.see_run(&who, run).await?;
        self.0.to.runs.get(run).await
    }

    async fn act(&self, run: &RunId, action: RunAction, by: &str) -> Answer<RunSummary> {
        let (who, runs, run) = (self.who()?, Arc::clone(&self.0.to.runs), run.clone());
        self.see_run(&who, &run).await?;
        let (operation, detail) = operation(&action);
        let deed = Deed::new(operation, &run).with(detail);
        let act = |by: String| async move { runs.act(&run, action, &by).await };
        self.changes(&who, role(Role::Operator), deed, Some(by), act, came).await
    }

    async fn timeline(&self, run: &RunId, after: u64) -> Answer<Vec<TimelineEntry>> {
        let who = self.may(role(Role::Viewer))?;
        self.see_run(&who, run).await?;
        self.0.to.runs.timeline(run, after).await
    }

    async fn feed(&self, after: u64, limit: usize) -> Answer<Vec<FeedItem>> {
        let who = self.may(role(Role::Viewer))?;
        let mut items = self.0.to.runs.feed(after, limit).await?;
        if who.is_unlimited() {
            return Ok(items);
        }
        // Positions stay, so that whoever follows goes on behind what is not for them.
        for item in &mut items {
            let mut shown = Vec::new();
            for entry in std::mem::take(&mut item.entries) {
                if self.shows(&who, &entry.run).await {
                    shown.push(entry);
                }
            }
            item.entries = shown;
        }
        Ok(items)
    }

    async fn feed_end(&self) -> u64 {
        self.0.to.runs.feed_end().await
    }

    async fn feed_beyond(&self, after: u64) {
        self.0.to.runs.feed_beyond(after).await;
    }

    async fn invocations(&self, run: &RunId, step: Option<&str>) -> Answer<Vec<InvocationView>> {
        let who = self.may(role(Role::Viewer))?;
        self.see_run(&who, run).await?;
        self.0.to.runs.invocations(run, step).await
    }

    async fn job_log(&self, run: &RunId, step: &str) -> Answer<String> {
        let who = self.may(role(Role::Viewer))?;
        self.see_run(&who, run).await?;
        self.0.to.runs.job_log(run, step).await
    }

    /// It changes nothing, but keeps a processor busy.
    async fn replay(&self, run: &RunId) -> Answer<ReplayReport> {
        let who = self.may(role(Role::Operator))?;
        self.see_run(&who, run).await?;
        self.0.to.runs.replay(run).await
    }

    async fn verify(&self, run: &RunId) -> Answer<VerifyReport> {
        let who = self.may(role(Role::Operator))?;
        self.see_run(&who, run).await?;
        self.0.to.runs.verify(run).await
    }
}

#[async_trait]
impl BacktestService for Guarded {
    /// It reads the runs of all workspaces, and keeps every processor busy.
    async fn backtest(
        &self,
        request: BacktestRequest,
        progress: &(dyn Fn(BacktestProgress) + Send + Sync),
    ) -> Answer<BacktestReport> {
        self.may(everywhere(Role::Operator))?;
        self.0.to.backtests.backtest(request, progress).await
    }
}
