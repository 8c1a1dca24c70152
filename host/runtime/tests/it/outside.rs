//! What runs are told of environments, and what they lease.

use crate::host::{World, dispatch, done, fail, pipeline, request, stop};
use lockstep_ports::{Credentials, RunAction, Secret, ServiceError, StartRequest};
use lockstep_types::{
    EnvironmentReport, EnvironmentStatus, Observation, ObservationAnswer, ObservationRequest, ObserveFailure,
    RunStatus, Timestamp,
};

fn report(status: EnvironmentStatus, expires_at: Option<u64>) -> EnvironmentReport {
    EnvironmentReport { status, url: None, expires_at: expires_at.map(Timestamp) }
}

#[test]
fn an_environment_whose_time_is_over_is_expired() {
    let world = World::new();
    let now = 1000;
    world.observations.set_environments([
        Ok(Some(report(EnvironmentStatus::Ready, Some(now)))),
        Ok(Some(report(EnvironmentStatus::Provisioning, Some(now - 1)))),
        Ok(Some(report(EnvironmentStatus::Ready, Some(now + 1)))),
        Ok(Some(report(EnvironmentStatus::TornDown, Some(now - 1)))),
        Ok(None),
        Err(ObserveFailure::Failed("no route".to_owned())),
    ]);
    let look = ObservationRequest::Environment { id: "e1".to_owned() };
    world.executor.asks("look", vec![look; 6]);
    let host = world.open();
    let run = host.start(&["look"]);
    let invocations = host.run(lockstep_ports::RunService::invocations(&host.runtime, &run, None)).unwrap();
    let seen = |observation: &Observation| match &observation.answer {
        ObservationAnswer::Environment(report) => {
            report.as_ref().map_or("unknown", |report| report.status.word()).to_owned()
        }
        answer => format!("{answer:?}"),
    };
    let seen: Vec<String> = invocations[0].invocation.observations.iter().map(seen).collect();
    let failed = r#"Failed(Failed("no route"))"#;
    assert_eq!(seen, ["expired", "expired", "ready", "torn-down", "unknown", failed]);
}

/// A run of ann's whose job needs a token.
fn needing() -> StartRequest {
    let needs = "[jobs.work]\ncommand = [\"work\"]\ncredentials = [\"token\"]\n";
    let pipeline = pipeline(&["build"]).replacen("[[steps]]", &format!("{needs}[[steps]]"), 1);
    StartRequest { pipeline, by: Some("ann".to_owned()), ..request("task", &["build"]) }
}

fn start(host: &crate::host::Host) -> Result<lockstep_types::RunId, ServiceError> {
    let started = host.run(lockstep_ports::RunService::start(&host.runtime, needing()));
    host.settle();
    started.map(|summary| summary.id)
}

#[test]
fn a_run_leases_what_its_jobs_need_until_it_ends() {
    let world = World::new();
    world.says("build", [dispatch(), fail(), dispatch()]);
    let host = world.open();
    let ServiceError::Conflict(line) = start(&host).unwrap_err() else { panic!("not a conflict") };
    assert_eq!(line, "ann has no credential token: set it with `lockstep credentials set token`");
    // Nothing has changed: the item is free, and there is no run.
    host.run(world.credentials.set("ann", "token", Secret::new("t0ken".to_owned()), None)).unwrap();
    let run = start(&host).unwrap();
    assert_eq!(world.credentials.leases(), [(run.clone(), ["token".to_owned()].into())].into());
    assert!(world.jobs.settle(&world.jobs.under_way()[0], done("")));
    host.settle();
    assert_eq!((host.status(&run), world.credentials.leases().len()), (RunStatus::Failed, 0));
    // It goes on only with what it needs.
    host.run(world.credentials.remove("ann", "token")).unwrap();
    let retry = || RunAction::Retry;
    let refused = host.act(&run, retry()).unwrap_err();
    assert!(refused.to_string().contains("ann has no credential token"), "{refused}");
    assert_eq!((host.status(&run), world.credentials.leases().len()), (RunStatus::Failed, 0));
    host.run(world.credentials.set("ann", "token", Secret::new("t0ken".to_owned()), None)).unwrap();
    host.act(&run, retry()).unwrap();
    assert_eq!((host.status(&run), world.credentials.leases().len()), (RunStatus::Running, 1));
    assert_eq!(world.credentials.extended(), std::slice::from_ref(&run));
    host.act(&run, stop()).unwrap();
    assert_eq!(world.credentials.leases().len(), 0);
}
