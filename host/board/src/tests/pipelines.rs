use super::world::{NOW, World, kinds, verdict};
use crate::{Kinds, ShapeStep, run_steps, shape};
use expect_test::expect;
use lockstep_types::board::{
    ItemPatch, PipelinePatch, PipelineStep, Recurrence, SchedulePatch, ScheduleTemplate, Weekday,
};
use lockstep_types::{Gating, Rejected};
use std::fmt::Write as _;

/// Steps in short: a role; `-` before it disables it, `?0.5` after it gates it, `?` gates it on nothing.
fn shape_of(short: &str) -> Vec<ShapeStep> {
    let steps = short.split_whitespace().map(|word| {
        let (role, gating) = match word.split_once('?') {
            Some((role, threshold)) => {
                let min_risk = threshold.parse().ok();
                (role, Some(Gating { enabled: true, min_risk, ..Gating::default() }))
            }
            None => (word, None),
        };
        let enabled = !role.starts_with('-');
        let role = role.trim_start_matches('-');
        let producers: Option<&[&str]> = match role {
            "reviewer" => Some(&["coder", "fixer"]),
            "architect-companion" => Some(&["architect"]),
            _ => None,
        };
        ShapeStep {
            role: role.to_owned(),
            enabled,
            gating,
            follows: producers.map(|roles| roles.iter().map(|role| (*role).to_owned()).collect()),
            estimates: role == "task-estimator",
            needs_observability: role == "post-release-health",
            needs_test_infrastructure: role == "tester",
        }
    });
    steps.collect()
}

#[test]
fn shapes_that_cannot_run_are_refused() {
    let mut told = String::new();
    for steps in [
        "",
        "-coder -reviewer",
        "coder",
        "coder reviewer",
        "reviewer",
        "coder tester reviewer",
        "coder -tester reviewer",
        "-coder reviewer",
        "coder -reviewer merger",
        "-reviewer coder",
        "coder?0.5",
        "-coder?0.5 coder",
        "task-estimator coder reviewer?0.5",
        "task-estimator coder reviewer?0",
        "task-estimator coder reviewer?",
        "coder reviewer?0.5",
        "-task-estimator coder reviewer?0.5",
        "coder reviewer?0.5 task-estimator",
        "post-release-health",
    ] {
        writeln!(told, "{steps}\n    {}", verdict(shape::check(&shape_of(steps)))).unwrap();
    }
    expect![[r#"

            invalid: the pipeline has no enabled step: enable or add one
        -coder -reviewer
            invalid: the pipeline has no enabled step: enable or add one
        coder
            ok
        coder reviewer
            ok
        reviewer
            invalid: reviewer grades coder or fixer and comes first: put it behind a step it grades
        coder tester reviewer
            invalid: reviewer grades coder or fixer and follows tester: put it behind a step it grades
        coder -tester reviewer
            ok
        -coder reviewer
            invalid: reviewer grades coder or fixer and comes first: put it behind a step it grades
        coder -reviewer merger
            ok
        -reviewer coder
            ok
        coder?0.5
            invalid: coder depends on an estimate, but only companions may: remove its gating
        -coder?0.5 coder
            ok
        task-estimator coder reviewer?0.5
            ok
        task-estimator coder reviewer?0
            ok
        task-estimator coder reviewer?
            invalid: the gating of reviewer names no threshold: give a complexity, risk or impact, or remove it
        coder reviewer?0.5
            invalid: reviewer depends on an estimate, but no enabled step before it makes one: add a task-estimator
        -task-estimator coder reviewer?0.5
            invalid: reviewer depends on an estimate, but no enabled step before it makes one: add a task-estimator
        coder reviewer?0.5 task-estimator
            invalid: reviewer depends on an estimate, but no enabled step before it makes one: add a task-estimator
        post-release-health
            ok
    "#]].assert_eq(&told);
}

#[test]
fn releases_are_watched_only_with_observability() {
    let answer = |steps, is_connected| verdict(shape::check_observability(&shape_of(steps), is_connected));
    assert_eq!(
        answer("merger post-release-health", false),
        "invalid: post-release-health watches releases, but no observability is connected: connect it or disable the \
         step"
    );
    assert_eq!(answer("merger post-release-health", true), "ok");
    assert_eq!(answer("merger -post-release-health", false), "ok");
}

#[test]
fn every_built_in_pipeline_can_be_cloned() {
    let kinds = kinds();
    let kinds = Kinds { descriptors: &kinds, has_observability: false };
    let mut world = World::new();
    let ids: Vec<_> = world.board.pipelines().map(|pipeline| pipeline.id.clone()).collect();
    for id in ids {
        let answer = world.board.clone_pipeline(&id, None, kinds, NOW).map(|(_, changes)| changes);
        world.tell(id.as_str(), answer);
    }
    expect![[r#"
        pipeline-2
            + pipeline/pipeline-14 "Full build (copy)" [] requirements-review task-estimator architect architect-companion coder reviewer tester ci-gate conflicts-gate merge-resolver
        pipeline-3
            + pipeline/pipeline-15 "Complex full-stack (copy)" [] requirements-review task-estimator spec-writer spec-companion architect architect-companion coder reviewer tester ci-gate human-test conflicts-gate merge-resolver
        pipeline-4
            + pipeline/pipeline-16 "Bug fix (copy)" [] bug-investigator clarity-review coder reviewer tester ci-gate conflicts-gate merge-resolver
        pipeline-5
            + pipeline/pipeline-17 "Quick (copy)" [] coder ci-gate merge-resolver
        pipeline-6
            + pipeline/pipeline-18 "Simple (copy)" [] coder reviewer ci-gate conflicts-gate merge-resolver
        pipeline-7
            + pipeline/pipeline-19 "Integrate (copy)" [] analysis architect architect-companion coder reviewer tester ci-gate conflicts-gate merge-resolver
        pipeline-8
            + pipeline/pipeline-20 "Dependency updates (copy)" [] coder tester ci-gate conflicts-gate merge-resolver
        pipeline-9
            + pipeline/pipeline-21 "Tech debt (copy)" [] analysis tracker
        pipeline-10
            + pipeline/pipeline-22 "Map service (copy)" [] blueprints
        pipeline-11
            + pipeline/pipeline-23 "Write spec (copy)" [] requirements-review spec-writer spec-companion
        pipeline-12
            + pipeline/pipeline-24 "Build (copy)" [] coder reviewer tester ci-gate conflicts-gate
        pipeline-13
            + pipeline/pipeline-25 "Human test (copy)" [] coder reviewer ci-gate human-test conflicts-gate merge-resolver
    "#]].assert_eq(&world.told());
}

fn step(name: &str) -> PipelineStep {
    serde_json::from_value(serde_json::json!({"name": name, "kind": "agent"})).unwrap()
}

fn patch(name: &str, steps: Vec<PipelineStep>) -> PipelinePatch {
    PipelinePatch { name: Some(name.to_owned()), steps: Some(steps), ..PipelinePatch::default() }
}

#[test]
fn pipelines_are_checked_when_they_are_stored() {
    let kinds = kinds();
    let kinds = Kinds { descriptors: &kinds, has_observability: false };
    let mut world = World::new();
    let needing = |needs: &[&str]| PipelineStep {
        needs: Some(needs.iter().map(|need| (*need).to_owned()).collect()),
        ..step("late")
    };
    let gating = Some(Gating { enabled: false, min_risk: Some(1.5), ..Gating::default() });
    for (what, patch) in [
        ("no steps", PipelinePatch { steps: None, ..patch("A", Vec::new()) }),
        ("an empty list", patch("A", Vec::new())),
        ("no name", patch(" ", vec![step("a")])),
        ("a name twice", patch("A", vec![step("a"), step("a")])),
        ("a name of no use", patch("A", vec![step("a b")])),
        ("a later step", patch("A", vec![needing(&["b"]), step("b")])),
        ("a threshold", patch("A", vec![PipelineStep { gating, ..step("a") }])),
        (
            "a grader alone",
            patch("A", vec![PipelineStep { kind: "companion-grader".to_owned(), ..step("g") }]),
        ),
        ("watching", patch("A", vec![PipelineStep { kind: "release-health-gate".to_owned(), ..step("w") }])),
        ("an unknown kind", patch("A", vec![PipelineStep { kind: "anything".to_owned(), ..step("a") }])),
    ] {
        let answer = world.board.create_pipeline(patch, kinds, NOW).map(|(_, changes)| changes);
        world.tell(what, answer);
    }
    expect![[r#"
        no steps
            invalid: the pipeline has no steps: give at least one
        an empty list
            invalid: the pipeline has no enabled step: enable or add one
        no name
            invalid: the pipeline's name must be one line of 1 to 120 characters
        a name twice
            invalid: two steps are called "a": give one another name
        a name of no use
            invalid: "a b" is not a step name: use 1 to 64 letters, digits, - or _
        a later step
            invalid: step "late" comes after "b", which is no step before it: name an earlier step
        a threshold
            invalid: a threshold of step "a" is not between 0 and 1: correct it
        a grader alone
            invalid: companion-grader grades nothing and comes first: put it behind a step it grades
        watching
            invalid: release-health-gate watches releases, but no observability is connected: connect it or disable the step
        an unknown kind
            + pipeline/pipeline-14 "A" [] a
    "#]].assert_eq(&world.told());
}

#[test]
fn what_came_with_the_host_is_organised_and_what_is_used_is_kept() {
    let kinds = kinds();
    let kinds = Kinds { descriptors: &kinds, has_observability: false };
    let mut world = World::new();
    let service = world.service("Checkout");
    let builtin = world.board.pipelines().next().unwrap().id.clone();
    let (own, changes) = world.board.create_pipeline(patch("Own", vec![step("a")]), kinds, NOW).unwrap();
    world.board.apply(&changes);
    let labels = || PipelinePatch { labels: Some(vec![" big ".to_owned()]), ..PipelinePatch::default() };
    let answer = world.board.update_pipeline(&builtin, labels(), kinds, NOW);
    world.tell("labels of a built-in one", answer);
    let answer = world.board.update_pipeline(&builtin, patch("Mine", vec![step("a")]), kinds, NOW);
    world.tell("steps of a built-in one", answer);
    let answer = world.board.delete_pipeline(&builtin, NOW);
    world.tell("delete a built-in one", answer);
    let recurrence = Recurrence {
        interval_hours: 24,
        weekdays: vec![Weekday::Monday],
        window_start_hour: None,
        window_end_hour: None,
        timezone: "UTC".to_owned(),
    };
    let schedule = SchedulePatch {
        name: Some("Nightly".to_owned()),
        recurrence: Some(recurrence),
        pipeline: Some(own.clone()),
        ..SchedulePatch::default()
    };
    let (id, changes) =
        world.board.create_schedule(&service, ScheduleTemplate::Custom, schedule, NOW).unwrap();
    world.board.apply(&changes);
    let answer = world.board.delete_pipeline(&own, NOW);
    world.tell("delete one that a schedule starts", answer);
    world.board.apply(&world.board.delete_schedule(&id, NOW));
    let task = world.task(&service, "Pinned");
    world.edit(&task, ItemPatch { pipeline: Some(Some(own.clone())), ..ItemPatch::default() });
    let answer = world.board.delete_pipeline(&own, NOW);
    world.tell("delete one that a task chose", answer);
    let answer: Result<_, Rejected> = world.board.delete_pipeline(&own, NOW);
    world.tell("delete it again", answer);
    expect![[r#"
        labels of a built-in one
            + pipeline/pipeline-2 "Full build" ["big"] requirements-review task-estimator architect architect-companion coder reviewer tester ci-gate conflicts-gate merge-resolver
        steps of a built-in one
            invalid: pipeline "Full build" came with the host: change a clone of it
        delete a built-in one
            invalid: pipeline "Full build" came with the host: archive it instead
        delete one that a schedule starts
            conflict: schedule "Nightly" starts pipeline "Own": give it another pipeline or delete it first
        delete one that a task chose
            + item/shop-18 Task "Pinned" Planned in shop-14
            - pipeline/pipeline-15
        delete it again
    "#]].assert_eq(&world.told());
}

#[test]
fn a_run_has_the_enabled_steps_and_what_they_come_after() {
    let needing = |name: &str, needs: &[&str]| PipelineStep {
        needs: Some(needs.iter().map(|need| (*need).to_owned()).collect()),
        ..step(name)
    };
    let off = |step: PipelineStep| PipelineStep { enabled: false, ..step };
    let mut pipeline = World::new().board.pipelines().next().unwrap().clone();
    pipeline.steps = vec![
        step("a"),
        off(step("b")),
        step("c"),
        needing("d", &["a"]),
        off(needing("e", &["c", "d"])),
        needing("f", &["e", "a"]),
        needing("g", &[]),
    ];
    let text: Vec<String> = run_steps(&pipeline)
        .iter()
        .map(|step| format!("{}{:?} {:?}", step.name, step.needs, step.config))
        .collect();
    assert_eq!(text, ["a[] {}", "c[0] {}", "d[0] {}", "f[0, 1, 2] {}", "g[] {}"]);
}
