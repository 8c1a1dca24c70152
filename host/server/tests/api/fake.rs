use async_trait::async_trait;
use lockstep_ports::{
    ComponentView, FeedItem, InvocationView, ReplayReport, RunAction, RunPage, RunQuery, RunService,
    ServiceError, StartRequest, VerifyReport,
};
use lockstep_types::{
    Access, Change, ComponentInfo, Descriptor, Digest, ItemStatus, JsonText, Pinning, RunId, RunStatus,
    RunSummary, RunView, TimelineEntry, Timestamp, Waiting,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Runs whose id says what is to go wrong with them, and a feed that tests write.
pub(crate) struct FakeService {
    /// What was asked, in order.
    pub(crate) calls: Mutex<Vec<String>>,
    /// Runs that lists show beside the usual ones.
    pub(crate) also: Mutex<Vec<&'static str>>,
    feed: Mutex<Vec<FeedItem>>,
    end: watch::Sender<u64>,
}

impl FakeService {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            calls: Mutex::default(),
            also: Mutex::default(),
            feed: Mutex::default(),
            end: watch::Sender::new(0),
        })
    }

    pub(crate) fn calls(&self) -> String {
        self.calls.lock().unwrap().join("\n")
    }

    /// Appends a record of `run` to the feed.
    pub(crate) fn happen(&self, run: &str) {
        let position = *self.end.borrow() + 1;
        self.feed.lock().unwrap().push(FeedItem { position, entries: vec![entry(run, position)] });
        self.end.send_replace(position);
    }

    /// Takes a record out of the feed, as if its run was no longer kept.
    pub(crate) fn forget(&self, position: u64) {
        self.feed.lock().unwrap().retain(|item| item.position != position);
    }

    pub(crate) fn called(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    fn known(run: &RunId) -> Result<(), ServiceError> {
        Self::is_well("run", run.as_str())
    }

    /// The error that an id stands for.
    pub(crate) fn is_well(what: &str, id: &str) -> Result<(), ServiceError> {
        let detail = format!("{what} {id}: so it is");
        match id {
            "missing" => Err(ServiceError::NotFound(detail)),
            "busy" => Err(ServiceError::Conflict(detail)),
            "wrong" => Err(ServiceError::Invalid(detail)),
            "away" => Err(ServiceError::Unavailable(detail)),
            "broken" => Err(ServiceError::Internal(detail)),
            _ => Ok(()),
        }
    }
}

fn entry(run: &str, seq: u64) -> TimelineEntry {
    TimelineEntry {
        run: run.parse().unwrap(),
        seq,
        at: Timestamp(seq),
        step: Some("code".to_owned()),
        what: "step-started".to_owned(),
        text: "begins".to_owned(),
    }
}

pub(crate) fn summary(id: &str) -> RunSummary {
    RunSummary {
        id: id.parse().unwrap(),
        item: "feature".to_owned(),
        workspace: id.starts_with("shop-").then(|| "shop".parse().unwrap()),
        title: "A feature".to_owned(),
        pipeline: "small".to_owned(),
        change: Change {
            repository: "/r".to_owned(),
            base_branch: "main".to_owned(),
            head_branch: "feature".to_owned(),
            head_commit: None,
            pull_request: None,
        },
        status: RunStatus::Blocked,
        item_status: ItemStatus::Blocked,
        steps_done: 1,
        steps_total: 2,
        waiting: vec![Waiting {
            step: "merge".to_owned(),
            on: "approval".to_owned(),
            reason: "somebody must consent".to_owned(),
            since: Timestamp(5),
            act: "answer it".to_owned(),
        }],
        failure: None,
        open_notices: Vec::new(),
        cleanups: 0,
        is_errand: false,
        created_at: Timestamp(1),
        updated_at: Timestamp(5),
    }
}

pub(crate) fn component() -> ComponentView {
    let descriptor = Descriptor {
        kind: "agent".to_owned(),
        version: "1".to_owned(),
        state_version: 1,
        summary: "works".to_owned(),
        config_schema: JsonText::new("{}").unwrap(),
        jobs: Vec::new(),
        effects: Vec::new(),
        access: Access::Write,
        documents: Vec::new(),
        grades: Vec::new(),
        needs: Vec::new(),
    };
    let info = ComponentInfo {
        digest: Digest::of(b"x"),
        size: 1,
        world: "lockstep:step/step@0.2.0".to_owned(),
        imports: Vec::new(),
        descriptor,
        added_at: Timestamp(0),
    };
    ComponentView {
        info,
        active_for: vec!["agent".to_owned()],
        canary_for: Vec::new(),
        stop: None,
        warning: None,
    }
}

fn replayed(run: &RunId) -> ReplayReport {
    ReplayReport { run: run.clone(), invocations: 3, migrations: 0, fuel: 99, differences: Vec::new() }
}

#[async_trait]
impl RunService for FakeService {
    async fn start(&self, request: StartRequest) -> Result<RunSummary, ServiceError> {
        self.called(format!("start {} by {:?} token {:?}", request.branch, request.by, request.token));
        Self::known(&request.branch.parse().unwrap())?;
        assert_ne!(request.branch, "panic", "asked to");
        Ok(summary("run-1"))
    }
    async fn check_pipeline(&self, text: &str, file: &str) -> Result<(), ServiceError> {
        self.called(format!("check {file}"));
        if text == "good" { Ok(()) } else { Err(ServiceError::Invalid(format!("{file}:1: no such kind"))) }
    }
    async fn list(&self, query: RunQuery) -> Result<RunPage, ServiceError> {
        self.called(format!("list {query:?}"));
        let mut runs: Vec<_> =
            (0..query.limit.unwrap_or(50).min(3)).map(|n| summary(&format!("run-{n}"))).collect();
        let next =
            runs.last().filter(|_| query.limit.is_some_and(|limit| limit <= 3)).map(|run| run.id.clone());
        runs.extend(self.also.lock().unwrap().iter().map(|id| summary(id)));
        Ok(RunPage { runs, next })
    }
    async fn get(&self, run: &RunId) -> Result<RunView, ServiceError> {
        Self::known(run)?;
        Ok(RunView {
            summary: summary(run.as_str()),
            description: String::new(),
            initiator: "anna".to_owned(),
            pin: Pinning::Run,
            repinned: BTreeMap::new(),
            steps: Vec::new(),
            facts: Vec::new(),
            notices: Vec::new(),
            seq: 9,
        })
    }
    async fn act(&self, run: &RunId, action: RunAction, by: &str) -> Result<RunSummary, ServiceError> {
        self.called(format!("{run}: {action:?} by {by}"));
        Self::known(run)?;
        Ok(summary(run.as_str()))
    }
    async fn timeline(&self, run: &RunId, after: u64) -> Result<Vec<TimelineEntry>, ServiceError> {
        Self::known(run)?;
        let last = if run.as_str() == "long" { 3 } else { after + 1 };
        Ok((after + 1..=last).map(|seq| entry(run.as_str(), seq)).collect())
    }
    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<FeedItem>, ServiceError> {
        let feed = self.feed.lock().unwrap();
        Ok(feed.iter().filter(|item| item.position > after).take(limit).cloned().collect())
    }
    async fn feed_end(&self) -> u64 {
        *self.end.borrow()
    }
    async fn feed_beyond(&self, after: u64) {
        self.end.subscribe().wait_for(|end| *end > after).await.map(drop).unwrap();
    }
    async fn invocations(
        &self,
        run: &RunId,
        step: Option<&str>,
    ) -> Result<Vec<InvocationView>, ServiceError> {
        self.called(format!("invocations {run} {step:?}"));
        Self::known(run)?;
        Ok(Vec::new())
    }
    async fn job_log(&self, run: &RunId, step: &str) -> Result<String, ServiceError> {
        Self::known(run)?;
        Ok(format!("the log of {step}\n"))
    }
    async fn replay(&self, run: &RunId) -> Result<ReplayReport, ServiceError> {
        Self::known(run)?;
        Ok(replayed(run))
    }
    async fn verify(&self, run: &RunId) -> Result<VerifyReport, ServiceError> {
        Self::known(run)?;
        Ok(VerifyReport { replay: replayed(run), records: 4, head: Digest::zero(), problems: Vec::new() })
    }
}
