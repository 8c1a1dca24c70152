use super::world::{NOW, World, verdict};
use crate::infra::{self, Infra};
use crate::{ShapeStep, Start};
use expect_test::expect;
use lockstep_types::board::{
    ItemId, ItemPatch, SettingsPatch, TaskLimit, TaskType, TestEnvironment, TestSettings,
};
use lockstep_types::{ItemStatus, RunId};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// SPEC section 6, and every other combination.
#[test]
fn a_tester_needs_something_to_test_against() {
    let mut told = String::new();
    for bits in 0..32_u8 {
        let bit = |at: u8| bits & (16 >> at) != 0;
        let environment = if bit(1) { TestEnvironment::Ephemeral } else { TestEnvironment::Local };
        let task = TestSettings { environment: Some(environment), ..TestSettings::default() };
        let service = TestSettings {
            no_infra_dependencies: bit(2),
            compose_path: bit(3).then(|| "compose.yml".to_owned()),
            environment: None,
        };
        let infra = Infra { nested_containers: bit(0), environments: bit(4) };
        let words: String = ["nest", "ephemeral", "no-infra", "compose", "provider"]
            .iter()
            .zip(0..)
            .map(|(word, at)| if bit(at) { format!("{word} ") } else { String::new() })
            .collect();
        let answer = match infra::check(infra, &task, Some(&service)) {
            Ok(()) => "start".to_owned(),
            Err(refusal) => refusal.to_string().chars().take(46).collect(),
        };
        writeln!(told, "{words:<42} {answer}").unwrap();
    }
    expect![[r#"
                                                   this host cannot start containers for a local 
        provider                                   this host cannot start containers for a local 
        compose                                    this host cannot start containers for a local 
        compose provider                           this host cannot start containers for a local 
        no-infra                                   start
        no-infra provider                          start
        no-infra compose                           start
        no-infra compose provider                  start
        ephemeral                                  there is nothing to test against: connect a pr
        ephemeral provider                         start
        ephemeral compose                          there is nothing to test against: connect a pr
        ephemeral compose provider                 start
        ephemeral no-infra                         there is nothing to test against: connect a pr
        ephemeral no-infra provider                start
        ephemeral no-infra compose                 there is nothing to test against: connect a pr
        ephemeral no-infra compose provider        start
        nest                                       the service says nothing of what its tests nee
        nest provider                              the service says nothing of what its tests nee
        nest compose                               start
        nest compose provider                      start
        nest no-infra                              start
        nest no-infra provider                     start
        nest no-infra compose                      start
        nest no-infra compose provider             start
        nest ephemeral                             start
        nest ephemeral provider                    start
        nest ephemeral compose                     start
        nest ephemeral compose provider            start
        nest ephemeral no-infra                    start
        nest ephemeral no-infra provider           start
        nest ephemeral no-infra compose            start
        nest ephemeral no-infra compose provider   start
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_task_is_tested_where_it_says_else_where_its_service_says() {
    let says = |environment| TestSettings { environment, ..TestSettings::default() };
    let (local, ephemeral) = (Some(TestEnvironment::Local), Some(TestEnvironment::Ephemeral));
    assert_eq!(infra::environment(&says(ephemeral), Some(&says(local))), TestEnvironment::Ephemeral);
    assert_eq!(infra::environment(&says(None), Some(&says(local))), TestEnvironment::Local);
    assert_eq!(infra::environment(&says(None), Some(&says(None))), TestEnvironment::Ephemeral);
    assert_eq!(infra::environment(&says(None), None), TestEnvironment::Ephemeral);
    assert!(Infra::default().nested_containers, "TI-4");
}

fn limited(world: &mut World, limit: TaskLimit) {
    let patch = SettingsPatch { task_limit: Some(limit), ..SettingsPatch::default() };
    let changes = world.board.edit_settings(patch).unwrap();
    world.board.apply(&changes);
}

fn step(role: &str) -> ShapeStep {
    ShapeStep { role: role.to_owned(), enabled: true, ..ShapeStep::default() }
}

fn start(world: &World, item: &ItemId, live: &[&ItemId]) -> String {
    let live: BTreeSet<ItemId> = live.iter().map(|id| (*id).clone()).collect();
    verdict(world.board.check_start(&Start {
        item,
        steps: &[step("coder")],
        live_run: None,
        infra: Infra::default(),
        unusable_models: &[],
        live: &live,
    }))
}

#[test]
fn limits_count_the_other_tasks_of_a_service() {
    let mut world = World::new();
    let (service, elsewhere) = (world.service("Checkout"), world.service("Shipping"));
    let [a, b, c] = ["A", "B", "C"].map(|title| world.task(&service, title));
    let away = world.task(&elsewhere, "D");
    world.edit(&b, ItemPatch { task_type: Some(TaskType::Bug), ..ItemPatch::default() });
    let live = [&a, &b, &away, &service];
    for (what, limit) in [
        ("off", TaskLimit::Off),
        ("shared 2", TaskLimit::Shared { limit: 2 }),
        ("shared 3", TaskLimit::Shared { limit: 3 }),
        ("1 bug", TaskLimit::PerType { limits: [(TaskType::Bug, 1)].into() }),
        ("1 feature", TaskLimit::PerType { limits: [(TaskType::Feature, 1)].into() }),
    ] {
        limited(&mut world, limit);
        let told = [&a, &b, &c, &service].map(|id| start(&world, id, &live));
        world.note(format!(
            "{what}\n    A {}\n    B {}\n    C {}\n    service {}",
            told[0], told[1], told[2], told[3]
        ));
    }
    let zero = SettingsPatch { task_limit: Some(TaskLimit::Shared { limit: 0 }), ..SettingsPatch::default() };
    let answer = world.board.edit_settings(zero);
    world.tell("a limit of 0", answer);
    let recurring = TaskLimit::PerType { limits: [(TaskType::Recurring, 1)].into() };
    let answer =
        world.board.edit_settings(SettingsPatch { task_limit: Some(recurring), ..SettingsPatch::default() });
    world.tell("a limit of recurring tasks", answer);
    let patience = SettingsPatch { waiting_escalation_minutes: Some(0), ..SettingsPatch::default() };
    let answer = world.board.edit_settings(patience);
    world.tell("no patience", answer);
    expect![[r#"
        off
            A ok
            B ok
            C ok
            service ok
        shared 2
            A ok
            B ok
            C conflict: service "Checkout" is at its task limit of 2: wait for a task to end or raise the limit
            service ok
        shared 3
            A ok
            B ok
            C ok
            service ok
        1 bug
            A ok
            B ok
            C ok
            service ok
        1 feature
            A ok
            B ok
            C conflict: service "Checkout" is at its task limit of 1 (feature): wait for a task to end or raise the limit
            service ok
        a limit of 0
            invalid: a task limit must be 1 to 1000, or off
        a limit of recurring tasks
            invalid: recurring tasks are never limited: leave them out of the task limit
        no patience
            invalid: the escalation minutes must be 1 to 100000
    "#]].assert_eq(&world.told());
}

/// Everything is wrong at once, and repaired in the order in which it is told.
#[test]
fn a_start_is_refused_in_the_order_of_d_11() {
    let mut world = World::new();
    let service = world.service("Checkout");
    let [task, other, busy] = ["A", "B", "C"].map(|title| world.task(&service, title));
    let changes = world.board.toggle_dependency(&task, &other, NOW).unwrap();
    world.board.apply(&changes);
    limited(&mut world, TaskLimit::Shared { limit: 1 });
    let run: RunId = "run-1".parse().unwrap();
    let models = ["acme:large".to_owned(), "acme:small".to_owned()];
    let tester = ShapeStep { needs_test_infrastructure: true, enabled: false, ..step("tester") };
    let orphan = ShapeStep { follows: Some(vec!["coder".to_owned()]), ..step("reviewer") };
    let live = [busy].into();
    let no_infra = Infra { nested_containers: false, environments: false };
    let missing = "shop-99".parse().unwrap();
    let none = BTreeSet::new();

    let steps = [step("architect"), orphan, tester.clone()];
    let start = Start {
        item: &missing,
        steps: &steps,
        live_run: Some(&run),
        infra: no_infra,
        unusable_models: &models,
        live: &live,
    };
    let mut told = vec![verdict(world.board.check_start(&start))];
    let start = Start { item: &task, ..start };
    told.push(verdict(world.board.check_start(&start)));
    let start = Start { steps: std::slice::from_ref(&tester), ..start };
    told.push(verdict(world.board.check_start(&start)));
    let steps = [step("coder"), tester.clone()];
    let start = Start { steps: &steps, ..start };
    told.push(verdict(world.board.check_start(&start)));
    let start = Start { live_run: None, ..start };
    told.push(verdict(world.board.check_start(&start)));
    let start = Start { infra: Infra { environments: true, ..no_infra }, ..start };
    told.push(verdict(world.board.check_start(&start)));
    let start = Start { unusable_models: &[], ..start };
    told.push(verdict(world.board.check_start(&start)));
    let start = Start { live: &none, ..start };
    told.push(verdict(world.board.check_start(&start)));
    world.stands(&other, ItemStatus::Done);
    told.push(verdict(world.board.check_start(&start)));
    expect![[r#"
        not found: there is no item shop-99 on this board: list the items to see their ids
        invalid: reviewer grades coder and follows architect: put it behind a step it grades
        invalid: the pipeline has no enabled step: enable or add one
        conflict: shop-15 has a live run, run-1: stop it, or ask to replace it
        conflict: there is nothing to test against: connect a provider of environments, or test locally
        conflict: nobody may use acme:large, acme:small: connect a provider or choose other models
        conflict: service "Checkout" is at its task limit of 1: wait for a task to end or raise the limit
        conflict: shop-15 waits for shop-16 ("B", planned): finish them or remove the dependency
        ok"#]]
    .assert_eq(&told.join("\n"));
}
