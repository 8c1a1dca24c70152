use async_trait::async_trait;
use lockstep_ports::{
    FeedItem, InvocationView, ReplayReport, RunAction, RunPage, RunQuery, RunService, ServiceError,
    StartRequest, VerifyReport,
};
use lockstep_types::{Digest, RunId, RunSummary, RunView, TimelineEntry, Timestamp};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// One run whose branch says how it ends; it ends when somebody waits for the feed.
pub(crate) struct FakeService {
    calls: Mutex<Vec<String>>,
    fate: Mutex<String>,
    end: watch::Sender<u64>,
}

const ID: &str = "run-019b8d1a2b30000000000001";

impl FakeService {
    pub(crate) fn new() -> Arc<Self> {
        let fate = Mutex::new("good".to_owned());
        Arc::new(Self { calls: Mutex::default(), fate, end: watch::Sender::new(0) })
    }

    pub(crate) fn calls(&self) -> String {
        self.calls.lock().unwrap().join("\n")
    }

    pub(crate) fn called(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    fn fate(&self) -> String {
        self.fate.lock().unwrap().clone()
    }

    /// Records there are: one at first, two when it has come to its end.
    fn records(&self) -> u64 {
        *self.end.borrow()
    }

    pub(crate) fn view(&self) -> RunView {
        let status = match (self.records(), self.fate().as_str()) {
            (0 | 1, _) => "running",
            (_, "bad") => "failed",
            (_, "ask" | "try") => "blocked",
            _ => "done",
        };
        let mut view = json!({
            "id": ID, "item": "i", "title": "A title", "pipeline": "small", "status": status,
            "change": { "repository": "/repo", "base_branch": "main", "head_branch": self.fate() },
            "item_status": "in-progress", "steps_done": 1, "steps_total": 1, "created_at": 1_767_603_600_000_u64,
            "updated_at": 1_767_603_660_000_u64, "description": "", "initiator": "anna", "facts": [],
            "notices": [], "seq": self.records(),
            "steps": [{ "name": "merge it", "kind": "merge-resolver", "role": "merge", "status": "done",
                "attempt": 1, "digest": Digest::of(b"m"), "needs": [], "invocations": 1 }],
        });
        if status == "failed" {
            view["failure"] = json!({ "class": "timeout", "message": "too slow" });
        }
        if self.fate() == "try" && status == "blocked" {
            let question = json!({ "id": 1, "kind": "human-test", "prompt": "Try it", "asked_at": 0,
                "actions": ["confirm", "request-fix"] });
            view["steps"][0]["question"] = question;
            view["waiting"] = json!([{ "step": "merge it", "on": "human-test", "reason": "Try it",
                "since": 4_102_488_000_000_u64, "act": "a person" }]);
        } else if status == "blocked" {
            view["steps"][0]["question"] =
                json!({ "id": 1, "kind": "approval", "prompt": "Merge?", "asked_at": 0 });
        }
        serde_json::from_value(view).unwrap()
    }

    fn entry(seq: u64) -> TimelineEntry {
        let (step, text) = if seq == 1 { (None, "small: into main") } else { (Some("merge it"), "ends") };
        TimelineEntry {
            run: ID.parse().unwrap(),
            seq,
            at: Timestamp(1_767_603_600_000 + seq * 1000),
            step: step.map(str::to_owned),
            what: "invoked".to_owned(),
            text: text.to_owned(),
        }
    }

    fn known(run: &RunId) -> Result<(), ServiceError> {
        if run.as_str() == ID {
            Ok(())
        } else {
            Err(ServiceError::NotFound(format!("there is no run {run}")))
        }
    }
}

#[async_trait]
impl RunService for FakeService {
    async fn start(&self, request: StartRequest) -> Result<RunSummary, ServiceError> {
        let StartRequest { pipeline, branch, by, token, .. } = request;
        self.called(format!(
            "start {branch} by {by:?}, {}",
            if token.is_some() { "once" } else { "no token" }
        ));
        if pipeline.contains("wrong") {
            return Err(ServiceError::Invalid(
                "p.toml:1: no kind `wrong`\np.toml:2: no kind `worse`".to_owned(),
            ));
        }
        *self.fate.lock().unwrap() = branch;
        self.end.send_replace(1);
        Ok(self.view().summary)
    }
    async fn check_pipeline(&self, text: &str, file: &str) -> Result<(), ServiceError> {
        let wrong = || ServiceError::Invalid(format!("{file}:1: no kind `wrong`"));
        if text.contains("wrong") { Err(wrong()) } else { Ok(()) }
    }
    async fn list(&self, query: RunQuery) -> Result<RunPage, ServiceError> {
        self.called(format!("list {query:?}"));
        let runs = if self.records() == 0 { vec![] } else { vec![self.view().summary] };
        Ok(RunPage { runs, next: None })
    }
    async fn get(&self, run: &RunId) -> Result<RunView, ServiceError> {
        Self::known(run)?;
        Ok(self.view())
    }
    async fn act(&self, run: &RunId, action: RunAction, by: &str) -> Result<RunSummary, ServiceError> {
        Self::known(run)?;
        let action = match action {
            RunAction::Answer { question, answer, token } => {
                format!(
                    "answer {question:?} {answer:?} {}",
                    if token.is_some() { "once" } else { "no token" }
                )
            }
            other => format!("{other:?}"),
        };
        self.called(format!("{action} by {by}"));
        Ok(self.view().summary)
    }
    async fn timeline(&self, run: &RunId, after: u64) -> Result<Vec<TimelineEntry>, ServiceError> {
        Self::known(run)?;
        Ok((after + 1..=self.records()).map(Self::entry).collect())
    }
    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<FeedItem>, ServiceError> {
        let item = |seq| FeedItem { position: seq, entries: vec![Self::entry(seq)] };
        Ok((after + 1..=self.records()).map(item).take(limit).collect())
    }
    async fn feed_end(&self) -> u64 {
        self.records()
    }
    async fn feed_beyond(&self, after: u64) {
        if self.fate() == "slow" {
            return std::future::pending().await;
        }
        self.end.send_replace(2.max(after));
    }
    async fn invocations(&self, _: &RunId, step: Option<&str>) -> Result<Vec<InvocationView>, ServiceError> {
        self.called(format!("invocations of {step:?}"));
        Ok(vec![])
    }
    async fn job_log(&self, _: &RunId, step: &str) -> Result<String, ServiceError> {
        self.called(format!("log of {step}"));
        Ok("merged\n".to_owned())
    }
    async fn replay(&self, run: &RunId) -> Result<ReplayReport, ServiceError> {
        Ok(ReplayReport { run: run.clone(), invocations: 2, migrations: 0, fuel: 1000, differences: vec![] })
    }
    async fn verify(&self, run: &RunId) -> Result<VerifyReport, ServiceError> {
        let problems = vec!["record 2: its digest is wrong".to_owned()];
        Ok(VerifyReport { replay: self.replay(run).await?, records: 2, head: Digest::zero(), problems })
    }
}
