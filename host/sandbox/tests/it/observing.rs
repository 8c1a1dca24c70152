use crate::support::{everything, input, options, probe, sandbox, shown};
use async_trait::async_trait;
use expect_test::expect;
use lockstep_ports::{Observer, RecordedObserver, StepExecutor as _};
use lockstep_sandbox::Limits;
use lockstep_types::{
    ChangedFile, Check, CheckReport, Digest, FileStatus, Invocation, MergeReport, Observation,
    ObservationAnswer, ObservationRequest, ObserveFailure, PastAttempt, Timestamp, Verdict,
};

/// A small world. It takes a moment to answer, as the real one does.
pub(crate) struct World;

#[async_trait]
impl Observer for World {
    async fn observe(&self, request: &ObservationRequest) -> ObservationAnswer {
        tokio::task::yield_now().await;
        match request {
            ObservationRequest::Checks => ObservationAnswer::Checks(CheckReport {
                head_commit: Some("c0ffee".to_owned()),
                checks: vec![Check {
                    name: "test".to_owned(),
                    status: "completed".to_owned(),
                    conclusion: Some("failure".to_owned()),
                    url: None,
                    summary: Some("1 failed".to_owned()),
                }],
                pull_request: None,
            }),
            ObservationRequest::Mergeability => ObservationAnswer::Mergeability(MergeReport {
                head_commit: None,
                verdict: Verdict::Conflicted,
                conflicts: vec!["a.rs".to_owned()],
                reasons: Vec::new(),
            }),
            ObservationRequest::ChangedFiles => ObservationAnswer::ChangedFiles(vec![ChangedFile {
                path: "a.rs".to_owned(),
                status: FileStatus::Renamed,
                lines_added: 3,
                lines_removed: 4,
            }]),
            ObservationRequest::ReadFile { path } if path == "none" => ObservationAnswer::ReadFile(None),
            ObservationRequest::ReadFile { path } => {
                ObservationAnswer::ReadFile(Some(path.clone().into_bytes()))
            }
            ObservationRequest::Diff { path } => ObservationAnswer::Diff(Some(format!("--- a/{path}\n"))),
            ObservationRequest::ReleaseHealth { .. }
            | ObservationRequest::Evidence { .. }
            | ObservationRequest::Environment { .. } => {
                ObservationAnswer::Failed(ObserveFailure::NotConfigured)
            }
            ObservationRequest::Attempts => ObservationAnswer::Attempts(vec![PastAttempt {
                number: 1,
                started_at: Timestamp(5),
                finished_at: Some(Timestamp(6)),
                outcome: "reworked".to_owned(),
                output: None,
            }]),
        }
    }
}

/// Gives the same answer to everything.
struct Always(ObservationAnswer);

#[async_trait]
impl Observer for Always {
    async fn observe(&self, _: &ObservationRequest) -> ObservationAnswer {
        self.0.clone()
    }
}

async fn observe(limits: Limits, config: &str, observer: &dyn Observer) -> Invocation {
    sandbox(options(limits)).invoke(Digest::of(&probe()), &everything(), input(config), observer).await
}

#[tokio::test]
async fn answers_reach_the_component_and_the_record() {
    let invocation = observe(Limits::default(), r#"{"do":"observe"}"#, &World).await;
    expect![[r#"
        {"state":"{}","next":{"complete":{"output":"checks Ok(Report { head-commit: Some(\"c0ffee\"), checks: [Check { name: \"test\", status: \"completed\", conclusion: Some(\"failure\"), url: None, summary: Some(\"1 failed\") }] })
        mergeability Ok(Report { head-commit: None, verdict: Verdict::Conflicted, conflicts: [\"a.rs\"] })
        changed Ok([ChangedFile { path: \"a.rs\", status: FileStatus::Renamed, lines-added: 3, lines-removed: 4 }])
        first Some(Ok(Some([97, 46, 114, 115])))
        diff Some(Ok(Some(\"--- a/a.rs\
        \")))
        attempts [Attempt { number: 1, started-at: 5, finished-at: Some(6), outcome: \"reworked\", output: None }]
        health Err(ObserveError::NotConfigured)
        evidence Err(ObserveError::NotConfigured)
        environment Err(ObserveError::NotConfigured)","approved":false}}}
        asked workspace.changed-files
        asked workspace.read-file
        asked workspace.diff
        asked checks.read
        asked mergeability.read
        asked history.attempts
        asked release-health.read
        asked release-health.gather
        asked environments.read
        logged Info: observing
        logged Warn: observing
        logged Error: observing"#]].assert_eq(&shown(&invocation).replace("\\n", "\n"));
    for Observation { request, answer } in &invocation.observations {
        assert_eq!(*answer, World.observe(request).await);
    }
}

#[tokio::test]
async fn a_call_can_be_made_again_from_its_record_alone() {
    let live = observe(Limits::default(), r#"{"do":"observe"}"#, &World).await;
    let record = RecordedObserver::new(live.observations.clone());
    let again = observe(Limits::default(), r#"{"do":"observe"}"#, &record).await;
    assert_eq!(again, live);
    assert_eq!(record.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_component_that_asks_something_else_is_found_out() {
    let mut live = observe(Limits::default(), r#"{"do":"observe"}"#, &World).await;
    live.observations.truncate(1);
    let record = RecordedObserver::new(live.observations.clone());
    let again = observe(Limits::default(), r#"{"do":"observe"}"#, &record).await;
    assert_ne!(again.observations, live.observations);
    assert!(record.complaints()[0].ends_with("after the last recorded answer"), "{:?}", record.complaints());
}

#[tokio::test]
async fn an_answer_larger_than_may_be_told_is_told_as_failed_and_replays_so() {
    let limits = Limits { answer_bytes: 1000, ..Limits::default() };
    let config = r#"{"do":"host-calls","n":3}"#;
    let check = Check {
        name: "test".to_owned(),
        status: "x".repeat(600),
        conclusion: None,
        url: None,
        summary: None,
    };
    let large =
        Always(ObservationAnswer::Checks(CheckReport { checks: vec![check], ..CheckReport::default() }));
    let live = observe(limits.clone(), config, &large).await;
    let told: Vec<_> = live.observations.iter().map(|observation| &observation.answer).collect();
    assert!(
        matches!(
            told[..],
            [ObservationAnswer::Checks(_), ObservationAnswer::Failed(_), ObservationAnswer::Failed(_)]
        ),
        "{told:?}"
    );
    let record = RecordedObserver::new(live.observations.clone());
    assert_eq!(observe(limits, config, &record).await, live);
    assert_eq!(record.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_of_another_kind_is_told_as_failed() {
    let wrong = Always(ObservationAnswer::ReadFile(None));
    let invocation = observe(Limits::default(), r#"{"do":"host-calls","n":1}"#, &wrong).await;
    expect![[r#"
        [
            Observation {
                request: Checks,
                answer: Failed(
                    Failed(
                        "the host gave checks.read an answer of another kind",
                    ),
                ),
            },
        ]
    "#]]
    .assert_debug_eq(&invocation.observations);
}

#[tokio::test]
async fn attempts_without_an_answer_end_the_call() {
    let wrong = Always(ObservationAnswer::Mergeability(MergeReport::default()));
    let invocation = observe(Limits::default(), r#"{"do":"observe"}"#, &wrong).await;
    let said = shown(&invocation);
    assert!(said.starts_with("trapped: history.attempts has no answer: "), "{said}");
}
