use super::world::{NOW, World, verdict};
use crate::status_at_end;
use expect_test::expect;
use lockstep_types::board::{Change, ItemPatch, TaskType};
use lockstep_types::{ItemLevel, ItemStatus, Rejected};

type Created<T> = Result<(T, Vec<Change>), Rejected>;

fn changes<T>(created: Created<T>) -> Result<Vec<Change>, Rejected> {
    created.map(|(_, changes)| changes)
}

fn titled(title: &str) -> ItemPatch {
    ItemPatch { title: Some(title.to_owned()), ..ItemPatch::default() }
}

fn linked(repository: &str, directory: Option<&str>) -> ItemPatch {
    ItemPatch {
        repository: Some(Some(repository.to_owned())),
        directory: Some(directory.map(str::to_owned)),
        ..ItemPatch::default()
    }
}

#[test]
fn items_have_their_places() {
    let mut world = World::new();
    let service = world.service("Checkout");
    let module = world.item(ItemLevel::Module, Some(&service), "Cart");
    let task = world.task(&module, "Discounts");
    let stray = "shop-999".parse().unwrap();
    for (what, level, parent) in [
        ("task in a service", ItemLevel::Task, Some(&service)),
        ("task in a task", ItemLevel::Task, Some(&task)),
        ("task nowhere", ItemLevel::Task, None),
        ("task in what is not there", ItemLevel::Task, Some(&stray)),
        ("module in a module", ItemLevel::Module, Some(&module)),
        ("service in a service", ItemLevel::Service, Some(&service)),
    ] {
        let answer = world.board.create_item(level, parent, titled("New"), NOW);
        world.tell(what, changes(answer));
    }
    let answer = world.board.move_item(&task, Some(&service), NOW);
    world.tell("move the task up", answer);
    let answer = world.board.move_item(&module, Some(&module), NOW);
    world.tell("move the module into itself", answer);
    let answer = world.board.move_item(&service, Some(&module), NOW);
    world.tell("move the service into its module", answer);
    expect![[r#"
        task in a service
            + item/shop-17 Task "New" Planned in shop-14
        task in a task
            invalid: a task is in a service or a module: name one as its parent
        task nowhere
            invalid: a task is in a service or a module: name one as its parent
        task in what is not there
            not found: there is no item shop-999 on this board: list the items to see their ids
        module in a module
            invalid: a module is in a service: name one as its parent
        service in a service
            invalid: a service is in nothing: name no parent
        move the task up
            + item/shop-16 Task "Discounts" Planned in shop-14
        move the module into itself
            invalid: item shop-15 cannot be in itself: name another parent
        move the service into its module
            invalid: a service is in nothing: name no parent
    "#]]
    .assert_eq(&world.told());
}

#[test]
fn services_are_called_by_their_repository_or_counted() {
    let mut world = World::new();
    for (what, patch) in [
        ("bare", ItemPatch::default()),
        ("bare again", ItemPatch::default()),
        ("repository", linked("https://forge.example/acme/pay.git", None)),
        ("the same repository", linked("https://forge.example/acme/pay.git", None)),
        ("a folder of it", linked("https://forge.example/acme/pay.git", Some("web"))),
        ("a folder", linked("/srv/mono", Some("apps/web"))),
        ("the same folder", linked("/srv/mono", Some("apps/web"))),
        ("another folder", linked("/srv/mono", Some("apps/api"))),
        ("a folder outside", linked("/srv/mono", Some("apps/../../etc"))),
        ("no folder", linked("/srv/mono", Some(" "))),
    ] {
        let answer = world.board.create_item(ItemLevel::Service, None, patch, NOW);
        world.tell(what, changes(answer));
    }
    expect![[r#"
        bare
            + item/shop-14 Service "Service 1" Planned
        bare again
            + item/shop-15 Service "Service 2" Planned
        repository
            + item/shop-16 Service "pay" Ready
        the same repository
            invalid: the whole repository belongs to service pay: give that one a directory first
        a folder of it
            invalid: the whole repository belongs to service pay: give that one a directory first
        a folder
            + item/shop-17 Service "web" Ready
        the same folder
            invalid: that directory belongs to service web: name another
        another folder
            + item/shop-18 Service "api" Ready
        a folder outside
            invalid: the directory leaves the repository: name one without `..`
        no folder
            invalid: the directory is blank: name one, or leave it out for the whole repository
    "#]]
    .assert_eq(&world.told());
}

#[test]
fn edits_keep_within_bounds() {
    let mut world = World::new();
    let service = world.service("Checkout");
    let task = world.task(&service, "Discounts");
    let labels = [" urgent", "", "urgent", "money "].map(str::to_owned).to_vec();
    let task_type = |task_type| ItemPatch { task_type: Some(task_type), ..ItemPatch::default() };
    for (what, id, patch) in [
        ("labels", &task, ItemPatch { labels: Some(labels.clone()), ..ItemPatch::default() }),
        ("the same labels", &task, ItemPatch { labels: Some(labels), ..ItemPatch::default() }),
        ("no title", &task, titled("  ")),
        ("a long title", &task, titled(&"x".repeat(201))),
        ("a bug", &task, task_type(TaskType::Bug)),
        ("recurring", &task, task_type(TaskType::Recurring)),
        ("a service that is a bug", &service, task_type(TaskType::Bug)),
        (
            "a preset that is not there",
            &task,
            ItemPatch { preset: Some(Some("preset-99".parse().unwrap())), ..ItemPatch::default() },
        ),
    ] {
        let answer = world.board.edit_item(id, patch, NOW);
        world.tell(what, answer);
    }
    expect![[r#"
        labels
            + item/shop-15 Task "Discounts" Planned in shop-14 ["urgent", "money"]
        the same labels
        no title
            invalid: the title must be one line of 1 to 200 characters
        a long title
            invalid: the title must be one line of 1 to 200 characters
        a bug
            + item/shop-15 Task "Discounts" Planned in shop-14 ["urgent", "money"]
        recurring
            invalid: recurring tasks are made by schedules: create a schedule
        a service that is a bug
            invalid: only a task has a task type: leave it out
        a preset that is not there
            not found: there is no preset preset-99 on this board: list the presets to see their ids
    "#]]
    .assert_eq(&world.told());
}

#[test]
fn deleting_takes_along_what_is_within_and_who_waited() {
    let mut world = World::new();
    let service = world.service("Checkout");
    let other = world.service("Shipping");
    let module = world.item(ItemLevel::Module, Some(&service), "Cart");
    let inner = world.task(&module, "Discounts");
    let outer = world.task(&other, "Labels");
    let answer = world.board.toggle_dependency(&outer, &inner, NOW);
    world.tell("wait", answer);
    let answer = Ok(world.board.delete_item(&service, NOW));
    world.tell("delete the service", answer);
    let answer = Ok(world.board.delete_item(&service, NOW));
    world.tell("delete it again", answer);
    expect![[r#"
        wait
            + item/shop-18 Task "Labels" Planned in shop-15 waits for shop-17
        delete the service
            - item/shop-14
            - item/shop-16
            - item/shop-17
            + item/shop-18 Task "Labels" Planned in shop-15
        delete it again
    "#]]
    .assert_eq(&world.told());
}

#[test]
fn tasks_wait_for_tasks_and_never_in_a_circle() {
    let mut world = World::new();
    let service = world.service("Checkout");
    let [first, second, third] = ["First", "Second", "Third"].map(|title| world.task(&service, title));
    for (what, id, on) in [
        ("second for first", &second, &first),
        ("third for second", &third, &second),
        ("first for third", &first, &third),
        ("first for itself", &first, &first),
        ("first for the service", &first, &service),
        ("third for second no more", &third, &second),
        ("first for third after that", &first, &third),
    ] {
        let answer = world.board.toggle_dependency(id, on, NOW);
        world.tell(what, answer);
    }
    expect![[r#"
        second for first
            + item/shop-16 Task "Second" Planned in shop-14 waits for shop-15
        third for second
            + item/shop-17 Task "Third" Planned in shop-14 waits for shop-16
        first for third
            invalid: shop-17 already waits for shop-15, directly or through others: remove that dependency first
        first for itself
            invalid: task shop-15 cannot wait for itself: name another task
        first for the service
            invalid: shop-14 is not a task: only tasks wait for each other
        third for second no more
            + item/shop-17 Task "Third" Planned in shop-14
        first for third after that
            + item/shop-15 Task "First" Planned in shop-14 waits for shop-17
    "#]]
    .assert_eq(&world.told());
}

#[test]
fn a_merged_task_moves_into_its_module_and_starts_who_waited() {
    let mut world = World::new();
    let service = world.service("Checkout");
    let task = world.task(&service, "Discounts");
    let [next, busy, waiting] = ["Next", "Busy", "Waiting"].map(|title| world.task(&service, title));
    for id in [&next, &busy, &waiting] {
        let changes = world.board.toggle_dependency(id, &task, NOW).unwrap();
        world.board.apply(&changes);
    }
    let changes = world.board.toggle_dependency(&waiting, &busy, NOW).unwrap();
    world.board.apply(&changes);
    world.stands(&busy, ItemStatus::InProgress);
    world.edit(
        &task,
        ItemPatch {
            module_name: Some(Some("Cart".to_owned())),
            auto_start_dependents: Some(true),
            ..Default::default()
        },
    );
    world.note(verdict(world.board.check_manual_merge(&task)));
    world.stands(&task, ItemStatus::PrReady);
    world.note(verdict(world.board.check_manual_merge(&task)));
    let answer = world.board.merged(&task, NOW);
    world.tell("merge", answer);
    let answer = world.board.merged(&task, NOW);
    world.tell("merge again", answer);
    world.note(format!("{:?}", world.board.dependents_to_start(&task)));
    expect![[r#"
        conflict: item shop-15 is planned: only one that is pr-ready can be merged by hand
        ok
        merge
            + item/shop-19 Module "Cart" Planned in shop-14
            + item/shop-15 Task "Discounts" Done in shop-19
        merge again
        [(ItemId("shop-16"), PipelineId("pipeline-2"))]
    "#]]
    .assert_eq(&world.told());
}

#[test]
fn what_is_done_stays_done_and_services_that_were_mapped_are_ready() {
    let mut world = World::new();
    let service = world.service("Checkout");
    let task = world.task(&service, "Discounts");
    let at_end = |world: &World, id, only_blueprints| {
        status_at_end(world.board.item(id).unwrap(), ItemStatus::PrReady, only_blueprints)
    };
    assert_eq!(at_end(&world, &task, false), ItemStatus::PrReady);
    assert_eq!(at_end(&world, &service, true), ItemStatus::Ready);
    assert_eq!(at_end(&world, &service, false), ItemStatus::Done);
    world.stands(&task, ItemStatus::Done);
    assert_eq!(at_end(&world, &task, false), ItemStatus::Done);
}

#[test]
fn a_patch_tells_apart_what_is_cleared_and_what_is_left_out() {
    let patch: ItemPatch = serde_json::from_str(r#"{"preset":null,"responsible":"ann"}"#).unwrap();
    assert_eq!(patch.preset, Some(None));
    assert_eq!(patch.responsible, Some(Some("ann".to_owned())));
    assert_eq!(patch.pipeline, None);
    assert!(serde_json::from_str::<ItemPatch>(r#"{"status":"done"}"#).is_err());
}
