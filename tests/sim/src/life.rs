//! The host from its start to its end: one life with faults, and the last one without.

use crate::outside::lock;
use crate::people::{Person, REPOSITORY, some_component};
use crate::random::Random;
use crate::world::{Host, ITEMS, World, shown};
use crate::{board, check, truth};
use lockstep_ports::{
    ActivateRequest, Activated, Actor, BoardService, Clock, ComponentService, JournalError, RunService,
    ServiceError, StartRequest,
};
use lockstep_types::{JobKey, RunSummary, Timestamp, Waiting};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};

/// Things that happen in one life with faults, at least and on top of that.
const STEPS_MIN: u64 = 20;
const STEPS_MORE: u64 = 200;
/// Steps without faults in which every run must have ended: many times what the longest needs.
const HEALED_STEPS_MAX: u32 = 5000;
/// Of so many runs one is verified whole in the end: it takes longer than to live through it.
const VERIFIED_OF: usize = 3;
/// Milliseconds within which a schedule whose time has come is taken up: slow calls, and another try.
const TAKEN_UP_MS: u64 = 10_000;
/// Milliseconds the clock jumps at most.
const JUMP_MS: u64 = 2000;

/// Lets every task go on until it waits.
pub(crate) async fn settle() {
    // Time is paused: it moves only when nothing else can go on.
    tokio::time::sleep(Duration::from_millis(1)).await;
}

pub(crate) async fn faulty(world: &mut World) -> Result<(), String> {
    check::check(world).await?;
    let host = world.open().await?;
    for _ in 0..STEPS_MIN + world.random.below(STEPS_MORE) {
        step(world, &host).await?;
    }
    match world.random.below(100) {
        0..20 => close(world, host).await,
        // Durable, and gone before anybody was told.
        20..40 => {
            flush(world, usize::MAX);
            Ok(())
        }
        // In the middle of much.
        40..85 => {
            meddle(world, &host).await?;
            start(world, &host);
            if let Some(due) = world.clock.next_due() {
                world.clock.advance_to(due);
            }
            settle().await;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn step(world: &mut World, host: &Host) -> Result<(), String> {
    match world.random.below(100) {
        0..25 => settle().await,
        25..35 => {
            for _ in 0..world.random.below(6) {
                tokio::task::yield_now().await;
            }
        }
        35..57 => flush(world, usize::MAX),
        57..64 => {
            let count = 1 + world.random.index(3);
            flush(world, count);
        }
        64..66 => {
            world.full_for = 1 + world.random.below(6);
            world.note("the disk is full");
        }
        66..78 => match world.clock.next_due() {
            Some(due) => drop(world.clock.advance_to(due)),
            None => drop(world.clock.advance_ms(100)),
        },
        78..82 => {
            let ms = world.random.below(JUMP_MS);
            world.clock.advance_ms(ms);
        }
        82..88 => start(world, host),
        88..94 => meddle(world, host).await?,
        94..97 => meddle_with_board(world, host).await?,
        97 => look(world, host).await?,
        98 => {
            let rows = world.rows().await?;
            if !rows.is_empty() {
                (host.wake)(&rows[world.random.index(rows.len())].summary.id);
            }
        }
        _ if world.random.chance(60) => activate(world, host).await?,
        _ => stop_or_resume(world, host).await?,
    }
    Ok(())
}

/// Somebody looks at everything, once nothing goes on.
async fn look(world: &World, host: &Host) -> Result<(), String> {
    settle().await;
    if world.journal.pending() == 0 { truth::host_agrees(world, host).await } else { Ok(()) }
}

/// The disk takes what is pending, or a part of it; or, while it is full, nothing.
fn flush(world: &mut World, count: usize) {
    if world.full_for > 0 {
        world.full_for -= 1;
        let failed = world.journal.fail(|| JournalError::Full { path: "memory".to_owned() });
        world.faults.failed_commits += failed as u64;
        world.note(format!("{failed} commits fail"));
    } else {
        let flushed = world.journal.flush_first(count);
        if flushed > 0 {
            world.note(format!("{flushed} commits are durable"));
        }
    }
}

pub(crate) fn person(world: &mut World, host: &Host) -> Person {
    world.people += 1;
    let by = format!("person-{}", world.people);
    Person { runtime: host.runtime.clone(), ledger: world.ledger.clone(), by }
}

/// Somebody asks for a run, now and then for one that was asked for before, now and then twice at once.
fn start(world: &mut World, host: &Host) {
    let repeated = world.tokens > 0 && world.random.chance(20);
    if !repeated && world.starts_left == 0 {
        return;
    }
    if !repeated {
        world.starts_left -= 1;
        world.tokens += 1;
    }
    let number = if repeated { 1 + world.random.below(world.tokens) } else { world.tokens };
    let times = if world.random.chance(15) { 2 } else { 1 };
    world.note(format!("a person starts {number}, {times} times"));
    for _ in 0..times {
        start_numbered(world, host, number);
    }
}

/// Every other start is that of a task of the board.
fn start_numbered(world: &mut World, host: &Host, number: u64) {
    let person = person(world, host);
    match &world.site {
        Some(site) if number.is_multiple_of(2) => {
            let (item, request) = board::start(site, number);
            tokio::spawn(person.start_item(item, request));
        }
        _ => drop(tokio::spawn(person.start(request(world, number)))),
    }
}

/// Somebody changes the board, now and then twice.
async fn meddle_with_board(world: &mut World, host: &Host) -> Result<(), String> {
    let person = person(world, host);
    let what = board::some_deed(world, host, &person.by).await?;
    let times = if world.random.chance(20) { 2 } else { 1 };
    world.note(format!("{} is about to do {times} times: {what:?}", person.by));
    if let Some(site) = &world.site {
        tokio::spawn(person.do_to_board(what, site.service().clone(), times));
    }
    Ok(())
}

fn item_name(number: u64) -> String {
    format!("item-{number}")
}

/// The request under a token is the same whenever it is made.
fn request(world: &World, number: u64) -> StartRequest {
    let mut random = Random::new(number);
    StartRequest {
        pipeline: world.pipelines[random.index(world.pipelines.len())].clone(),
        pipeline_file: None,
        repository: REPOSITORY.to_owned(),
        branch: format!("branch-{number}"),
        base: None,
        title: None,
        description: None,
        pin: None,
        item: Some(item_name(random.below(ITEMS))),
        by: None,
        token: Some(format!("token-{number}")),
    }
}

async fn meddle(world: &mut World, host: &Host) -> Result<(), String> {
    let rows = world.rows().await?;
    if !rows.is_empty() {
        let run = rows[world.random.index(rows.len())].summary.id.clone();
        let person = person(world, host);
        world.note(format!("{} looks at {run}", person.by));
        let random = Random::new(world.random.number());
        tokio::spawn(person.meddle(run, random));
    }
    Ok(())
}

async fn activate(world: &mut World, host: &Host) -> Result<(), String> {
    let (kind, digest) = some_component(&mut world.random);
    let (kind, digest) = (kind.to_owned(), digest.to_string());
    let skip_migration = world.random.chance(50);
    let request = ActivateRequest { kind, digest, skip_migration, ..ActivateRequest::default() };
    match host.runtime.activate(request).await {
        Ok(Activated { activation: moved, .. }) => {
            world.note(format!("{} is active for {}", moved.digest.short(), moved.kind));
        }
        // It cannot take over a state, or it is stopped.
        Err(ServiceError::Conflict(why)) => world.note(why),
        Err(error) => return Err(error.to_string()),
    }
    Ok(())
}

/// An operator stops a component that runs are pinned to, or lets it be called again.
async fn stop_or_resume(world: &mut World, host: &Host) -> Result<(), String> {
    let (kind, digest) = some_component(&mut world.random);
    let actor = Actor { by: Some("stopper".to_owned()), reason: Some("it misbehaves".to_owned()) };
    let what = match host.runtime.stop_component(&digest.to_string(), actor.clone()).await {
        Ok(_) => "is stopped",
        Err(ServiceError::Conflict(_)) => {
            host.runtime.resume_component(&digest.to_string(), actor).await.map_err(shown)?;
            "may be called again"
        }
        Err(error) => return Err(error.to_string()),
    };
    world.note(format!("{} of {kind} {what}", digest.short()));
    Ok(())
}

/// Lets all be called again: runs that are held must notice.
async fn resume_all(host: &Host) -> Result<(), String> {
    for view in host.runtime.components().await.map_err(shown)? {
        if view.stop.is_some() {
            let digest = view.info.digest.to_string();
            host.runtime.resume_component(&digest, Actor::default()).await.map_err(shown)?;
        }
    }
    Ok(())
}

/// The host goes down in order: what it began it finishes.
async fn close(world: &mut World, host: Host) -> Result<(), String> {
    world.note("the host is told to go down");
    let closing = tokio::spawn(async move {
        host.runtime.close().await;
        Ok(())
    });
    until_done(world, closing).await.map_err(|what| format!("the host does not go down: {what}"))
}

/// Nothing is held back any more, and the schedule fires no more.
async fn relax(world: &mut World, host: &Host) -> Result<(), String> {
    let Some(site) = &world.site else { return Ok(()) };
    let relaxing = tokio::spawn(board::relax(host.runtime.clone(), site.schedule.clone()));
    until_done(world, relaxing).await
}

/// Lets time pass until something is done.
async fn until_done(world: &mut World, done: JoinHandle<Result<(), String>>) -> Result<(), String> {
    for _ in 0..HEALED_STEPS_MAX {
        settle().await;
        if done.is_finished() {
            return done.await.map_err(shown)?;
        }
        if world.journal.flush() == 0
            && let Some(due) = world.clock.next_due()
        {
            world.clock.advance_to(due);
        }
    }
    Err("it waits for what never comes".to_owned())
}

/// The last life: faults for a while, then none, and helpful people, so that every run ends. After all that the host is
/// still of use: every item takes another run.
pub(crate) async fn healed(world: &mut World) -> Result<(), String> {
    check::check(world).await?;
    let host = world.open().await?;
    for _ in 0..world.random.below(STEPS_MORE) {
        step(world, &host).await?;
    }
    world.full_for = 0;
    world.calm();
    world.note("no more faults");
    resume_all(&host).await?;
    schedule_fires(world, &host).await?;
    relax(world, &host).await?;
    until_all_have_ended(world, &host).await?;
    let before = lock(&world.ledger).starts.len();
    for item in 0..ITEMS {
        world.tokens += 1;
        let request = StartRequest { item: Some(item_name(item)), ..request(world, world.tokens) };
        tokio::spawn(person(world, &host).start(request));
    }
    until_all_have_ended(world, &host).await?;
    if let Some(error) =
        lock(&world.ledger).starts[before..].iter().find_map(|start| start.told.as_ref().err())
    {
        return Err(format!("an item whose runs have ended takes no other: {error}"));
    }
    let patience_ms = 60_000 * truth::patience(world).await?;
    world.clock.advance_ms(patience_ms);
    until_all_have_ended(world, &host).await?;
    truth::all_cards_are_urgent(&host).await?;
    truth::host_agrees(world, &host).await?;
    check::check(world).await?;
    some_verify(world, &host).await
}

/// The time of the schedule comes, and the host takes it up.
async fn schedule_fires(world: &mut World, host: &Host) -> Result<(), String> {
    let due = next_run(host).await?;
    let late = due.max(world.clock.now()).plus_ms(TAKEN_UP_MS);
    for _ in 0..HEALED_STEPS_MAX {
        settle().await;
        if world.journal.flush() > 0 {
            continue;
        }
        if next_run(host).await? > due {
            return Ok(());
        }
        if world.clock.now() > late {
            break;
        }
        let next = world.clock.next_due().ok_or("nothing is to happen, and a schedule is due")?;
        world.clock.advance_to(next);
    }
    Err("the time of the schedule has come, and it is not taken up".to_owned())
}

async fn next_run(host: &Host) -> Result<Timestamp, String> {
    let schedules = host.runtime.schedules(&board::workspace()).await.map_err(shown)?;
    schedules.first().map(|schedule| schedule.next_run).ok_or_else(|| "the schedule is gone".to_owned())
}

async fn until_all_have_ended(world: &mut World, host: &Host) -> Result<(), String> {
    let mut helpers = JoinSet::new();
    for _ in 0..HEALED_STEPS_MAX {
        settle().await;
        if world.journal.flush() > 0 {
            continue;
        }
        while helpers.try_join_next().is_some() {}
        let live = live(world).await?;
        if let Some(key) = goes_on_unwanted(world, &live) {
            return Err(format!("job {key} goes on, and no run waits for it"));
        }
        // Whoever was not answered yet waits for a slow call.
        if helpers.is_empty() {
            for run in live.iter().filter(|run| waits_for_a_person(run)) {
                helpers.spawn(person(world, host).help(run.id.clone()));
            }
        }
        if live.is_empty()
            && helpers.is_empty()
            && world.journal.pending() == 0
            && !truth::is_owed(world).await?
        {
            return Ok(());
        }
        match world.clock.next_due() {
            Some(due) => drop(world.clock.advance_to(due)),
            None if !helpers.is_empty() => {}
            None => return Err(stuck(world, "waits for nothing that ever comes").await?),
        }
    }
    Err(stuck(world, "did not end").await?)
}

pub(crate) async fn live(world: &World) -> Result<Vec<RunSummary>, String> {
    let rows = world.rows().await?.into_iter();
    Ok(rows.map(|row| row.summary).filter(|run| run.status.is_live()).collect())
}

pub(crate) fn waits_for_a_person(run: &RunSummary) -> bool {
    let machine =
        |waiting: &Waiting| ["component", "timer", "job", "effect", "budget"].contains(&waiting.on.as_str());
    run.waiting.iter().any(|waiting| !machine(waiting))
}

/// A job under way that no run waits for: it should have been stopped.
fn goes_on_unwanted(world: &World, live: &[RunSummary]) -> Option<JobKey> {
    let waits = |key: &JobKey| {
        let mut waiting = live.iter().filter(|run| run.id == key.run).flat_map(|run| &run.waiting);
        waiting.any(|waiting| waiting.on == "job" && waiting.reason.ends_with(&format!(" {key}")))
    };
    world.jobs.under_way().into_iter().find(|key| !waits(key))
}

async fn stuck(world: &World, how: &str) -> Result<String, String> {
    let live = live(world).await?;
    let each = |run: &RunSummary| format!("{} ({}) {how}: {:?}", run.id, run.status.word(), run.waiting);
    let runs: Vec<String> = live.iter().map(each).collect();
    let ledger = lock(&world.ledger);
    let refused = ledger.acts.iter().rev().find_map(|act| act.told.as_ref().err());
    let refused = refused.map_or_else(String::new, |error| format!("; the last refusal: {error}"));
    Ok(runs.join("; ") + &refused)
}

pub(crate) async fn some_verify(world: &World, host: &Host) -> Result<(), String> {
    world.executor.is_slow.store(false, Ordering::Relaxed);
    for row in world.rows().await?.into_iter().step_by(VERIFIED_OF) {
        let run = row.summary.id;
        let report = host.runtime.verify(&run).await.map_err(shown)?;
        if let Some(problem) = report.problems.first() {
            return Err(format!("{run} does not verify: {problem}"));
        }
        if let Some(difference) = report.replay.differences.first() {
            return Err(format!("{run} replays differently: {difference:?}"));
        }
    }
    Ok(())
}
