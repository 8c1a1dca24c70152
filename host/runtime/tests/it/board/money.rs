//! What work costs, and runs that wait for a budget.

use super::{of, workspace};
use crate::host::{Host, World, dispatch, request};
use lockstep_ports::{BoardCommand, BoardService, RunAction, RunService};
use lockstep_runtime::Drive;
use lockstep_types::board::{Money, Pricing, SettingsPatch, SpendLimit};
use lockstep_types::{JobOutcome, JobResult, RunId, RunStatus, Timestamp, Usage};

/// 2026-01-31T23:00:00Z.
const LAST_HOUR_OF_JANUARY: Timestamp = Timestamp(1_769_900_400_000);
const HOUR_MS: u64 = 3_600_000;

fn limit(host: &Host, units: f64) {
    let pricing = Pricing {
        monthly_limit: SpendLimit::Amount(Money::from_units(units).unwrap()),
        ..Pricing::default()
    };
    let patch = SettingsPatch { pricing: Some(pricing), ..SettingsPatch::default() };
    host.command(BoardCommand::EditSettings(patch)).unwrap();
}

/// A job that read a million tokens: 0.14 by the default price.
fn used() -> JobOutcome {
    let usage = Some(Usage { input_tokens: 1_000_000, output_tokens: 0 });
    JobOutcome::Done(JobResult { model: Some("model".to_owned()), usage, ..JobResult::default() })
}

fn spent(host: &Host) -> String {
    host.run(host.runtime.spend(&workspace(), None)).unwrap().spent.cost.to_string()
}

fn paused(host: &Host) -> Vec<RunId> {
    let view = host.run(host.runtime.spend(&workspace(), None)).unwrap();
    view.paused.into_iter().map(|run| run.id).collect()
}

#[test]
fn what_a_job_used_is_metered_once_whatever_happens() {
    let mut world = World::manual();
    world.says("build", [dispatch()]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build"]));
    let (runtime, item) = (host.runtime.clone(), task);
    let start = host.begin(async move { runtime.start_item(&workspace(), &item, of(&pipeline)).await });
    world.journal.flush();
    host.run(start).unwrap().unwrap();
    host.settle();
    world.jobs.settle(&world.jobs.under_way()[0], used());
    host.settle();
    assert_eq!((world.journal.pending(), spent(&host)), (1, "0".to_owned()));
    // Gone before it was durable: the job's outcome is found again.
    let host = world.crash(host);
    host.settle();
    assert_eq!(spent(&host), "0");
    world.journal.flush();
    host.settle();
    assert_eq!(spent(&host), "0.14");
    let host = world.crash(host);
    assert_eq!(spent(&host), "0.14");
}

#[test]
fn what_a_job_used_is_paid_for_even_if_it_failed() {
    let world = World::new();
    world.says("build", [dispatch()]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build"]));
    let run = host.start_item(&task, &pipeline);
    let usage = Usage { input_tokens: 1_000_000, output_tokens: 0 };
    let failed = JobOutcome::FailedAfterUse { message: "no".to_owned(), model: "model".to_owned(), usage };
    world.jobs.settle(&world.jobs.under_way()[0], failed);
    host.settle();
    assert_eq!(spent(&host), "0.14");
    let step = host.run(host.runtime.get(&run)).unwrap().steps.remove(0);
    assert_eq!(step.usage, usage);
}

#[test]
fn a_run_without_budget_waits_and_goes_on_when_the_limit_is_raised() {
    let mut world = World::new();
    world.says("build", [dispatch()]);
    let host = world.open();
    limit(&host, 0.1);
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build", "check"]));
    let run = host.start_item(&task, &pipeline);
    let boardless = host.start(&["other"]);
    world.jobs.settle(&world.jobs.under_way()[0], used());
    host.settle();
    assert_eq!((host.status(&run), paused(&host)), (RunStatus::Paused, vec![run.clone()]));
    assert_eq!(host.status(&boardless), RunStatus::Done, "a run of no board is never over budget");
    let other = host.run(host.runtime.start(request("second", &["free"]))).unwrap();
    assert_eq!(other.status, RunStatus::Done);
    let resumed = host.run(host.runtime.resume_paused(&workspace(), "ann")).unwrap();
    host.settle();
    assert_eq!((resumed.len(), host.status(&run)), (1, RunStatus::Paused), "there is still none");
    // It is remembered that it waits for money, not for a person.
    drop(world.crash(host));
    let glance = world.open_to(Drive::Nothing);
    assert_eq!(paused(&glance), std::slice::from_ref(&run), "also by a host that only looks");
    drop(glance);
    let host = world.open();
    assert_eq!(paused(&host), std::slice::from_ref(&run));
    limit(&host, 10.0);
    assert_eq!((host.status(&run), paused(&host)), (RunStatus::Done, Vec::new()));
}

#[test]
fn a_new_month_has_a_new_budget() {
    let world = World::new();
    world.clock.advance_to(LAST_HOUR_OF_JANUARY);
    world.says("build", [dispatch()]);
    let host = world.open();
    limit(&host, 0.1);
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build", "check"]));
    let run = host.start_item(&task, &pipeline);
    world.jobs.settle(&world.jobs.under_way()[0], used());
    host.settle();
    assert_eq!(host.status(&run), RunStatus::Paused);
    assert_eq!(world.clock.next_due(), Some(LAST_HOUR_OF_JANUARY.plus_ms(HOUR_MS)));
    world.clock.advance_ms(HOUR_MS);
    host.settle();
    assert_eq!(host.status(&run), RunStatus::Done);
}

#[test]
fn a_run_a_person_paused_stays_paused() {
    let world = World::new();
    world.says("build", [dispatch()]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build", "check"]));
    let run = host.start_item(&task, &pipeline);
    host.act(&run, RunAction::Pause).unwrap();
    limit(&host, 1000.0);
    assert_eq!((host.status(&run), paused(&host)), (RunStatus::Paused, Vec::new()));
}

#[test]
fn runs_that_end_together_lose_nothing_of_what_they_cost() {
    const RUNS: usize = 20;
    let mut world = World::manual();
    world.says("build", std::iter::repeat_with(dispatch).take(RUNS));
    let host = world.open();
    let (service, pipeline) = (host.service(), host.pipeline(&["build"]));
    let tasks: Vec<_> = (0..RUNS).map(|_| host.task(&service)).collect();
    for task in &tasks {
        let (runtime, item, request) = (host.runtime.clone(), task.clone(), of(&pipeline));
        drop(host.begin(async move { runtime.start_item(&workspace(), &item, request).await }));
    }
    while world.journal.flush_first(1) > 0 {
        host.settle();
    }
    for key in world.jobs.under_way() {
        world.jobs.settle(&key, used());
    }
    host.settle();
    for _ in 0..RUNS / 2 {
        world.journal.flush_first(1);
        host.settle();
    }
    let host = world.crash(host);
    host.settle();
    while world.journal.flush_first(1) > 0 {
        host.settle();
    }
    assert_eq!(spent(&host), "2.8");
    assert!(tasks.iter().all(|task| host.item_status(task) == lockstep_types::ItemStatus::PrReady));
}
