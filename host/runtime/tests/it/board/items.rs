//! Items and their runs.

use super::{of, workspace};
use crate::host::{Host, World, ask, dispatch, done, fail, merge, stop, wait};
use lockstep_ports::{BoardCommand, BoardService, Journal, JournalError, RunAction, ServiceError, StartItem};
use lockstep_types::board::{ItemId, ItemPatch, Row, SettingsPatch, TaskLimit, WorkspaceId};
use lockstep_types::{
    Completion, EffectOutcome, FailureClass, ItemLevel, ItemStatus, JobOutcome, JsonText, Next, RunStatus,
};

#[test]
fn the_default_workspace_is_made_once_and_boards_survive_a_crash() {
    let mut world = World::new();
    let host = world.open();
    assert_eq!(host.workspaces().len(), 1);
    let service = host.service();
    let other: WorkspaceId = "shop".parse().unwrap();
    host.run(host.runtime.create_workspace(other.clone(), "Shop")).unwrap();
    let again = host.run(host.runtime.create_workspace(other, "Shop"));
    assert!(matches!(again, Err(ServiceError::Conflict(_))));
    let host = world.crash(host);
    assert_eq!(host.workspaces().len(), 2);
    assert_eq!(host.item(&service).level, ItemLevel::Service);
    assert_eq!(host.run(host.runtime.items(&workspace())).unwrap().len(), 1);
    let nowhere = host.run(host.runtime.items(&"nowhere".parse().unwrap()));
    assert!(matches!(nowhere, Err(ServiceError::NotFound(text)) if text.contains("no workspace nowhere")));
}

#[test]
fn a_command_that_cannot_be_stored_changes_nothing() {
    let world = World::new();
    let host = world.open();
    let service = host.service();
    world.journal.fail_next_board(JournalError::Full { path: "memory".to_owned() });
    let patch = ItemPatch { description: Some("new".to_owned()), ..ItemPatch::default() };
    let edit = || BoardCommand::EditItem { id: service.clone(), item: patch.clone() };
    assert!(matches!(host.command(edit()), Err(ServiceError::Unavailable(_))));
    assert_eq!(host.item(&service).description, "");
    assert!(host.command(edit()).is_ok());
    assert_eq!(host.item(&service).description, "new");
}

#[test]
fn an_item_is_stored_with_the_turns_of_its_run() {
    let mut world = World::new();
    world.says("build", [dispatch()]);
    world.says("pick", [ask()]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build", "pick"]));
    let run = host.start_item(&task, &pipeline);
    let item = host.item(&task);
    assert_eq!((item.status, item.current_run), (ItemStatus::InProgress, Some(run.clone())));
    assert_eq!(item.head_branch, Some(format!("lockstep/{task}")));
    world.jobs.settle(&world.jobs.under_way()[0], done("built"));
    host.settle();
    assert_eq!(host.item_status(&task), ItemStatus::Blocked);
    let host = world.crash(host);
    let view = host.view(&task);
    assert_eq!((view.item.status, view.run.unwrap().id), (ItemStatus::Blocked, run.clone()));
    host.act(&run, crate::host::choose("A", None)).unwrap();
    assert_eq!((host.item_status(&task), host.status(&run)), (ItemStatus::PrReady, RunStatus::Done));
}

#[test]
fn a_turn_that_is_lost_leaves_nothing_on_the_board() {
    let mut world = World::manual();
    world.says("pick", [ask(), ask()]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["pick"]));
    let (runtime, item, request) = (host.runtime.clone(), task.clone(), of(&pipeline));
    drop(host.begin(async move { runtime.start_item(&workspace(), &item, request).await }));
    assert_eq!(world.journal.pending(), 1);
    let host = world.crash(host);
    let item = host.item(&task);
    assert_eq!((item.status, item.current_run), (ItemStatus::Planned, None));
    let (runtime, item) = (host.runtime.clone(), task.clone());
    let start = host.begin(async move { runtime.start_item(&workspace(), &item, of(&pipeline)).await });
    world.journal.flush();
    assert!(host.run(start).unwrap().is_ok(), "the item is not taken by what was lost");
    assert_eq!(host.item_status(&task), ItemStatus::Blocked);
}

/// Each line: what is asked, and the beginning of the refusal. Nothing is started, and no branch is made.
#[test]
fn a_start_is_refused_before_anything_changes() {
    let world = World::new();
    world.says("build", [dispatch(), dispatch()]);
    let host = world.open();
    let service = host.service();
    let (first, second) = (host.task(&service), host.task(&service));
    let pipeline = host.pipeline(&["build"]);
    let refused = |host: &Host, item: &ItemId, request: StartItem| match host.try_start(item, request) {
        Err(ServiceError::Conflict(text) | ServiceError::NotFound(text) | ServiceError::Invalid(text)) => {
            text
        }
        other => panic!("{other:?}"),
    };
    assert!(refused(&host, &"nothing-1".parse().unwrap(), of(&pipeline)).starts_with("there is no item"));
    assert!(refused(&host, &first, of(&"pipeline-99".parse().unwrap())).starts_with("there is no pipeline"));
    let builtin = refused(&host, &first, StartItem::default());
    assert!(builtin.contains("has no component: activate one"), "{builtin}");
    host.command(BoardCommand::ToggleDependency { id: second.clone(), on: first.clone() }).unwrap();
    assert!(refused(&host, &second, of(&pipeline)).contains("waits for"));
    let run = host.start_item(&first, &pipeline);
    assert!(refused(&host, &first, of(&pipeline)).contains(run.as_str()));
    host.command(BoardCommand::ToggleDependency { id: second.clone(), on: first }).unwrap();
    let limit =
        SettingsPatch { task_limit: Some(TaskLimit::Shared { limit: 1 }), ..SettingsPatch::default() };
    host.command(BoardCommand::EditSettings(limit)).unwrap();
    assert!(refused(&host, &second, of(&pipeline)).contains("task limit of 1"));
    assert_eq!(host.item(&second).current_run, None);
    host.act(&run, stop()).unwrap();
    host.start_item(&second, &pipeline);
    let retried = host.act(&run, RunAction::Retry);
    assert!(matches!(retried, Err(ServiceError::Conflict(text)) if text.contains("task limit")), "D-2");
    assert_eq!((host.status(&run), host.count(&run, "retried")), (RunStatus::Failed, 0));
}

#[test]
fn a_run_is_replaced_when_that_is_asked_for() {
    let world = World::new();
    world.says("build", [dispatch(), dispatch()]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build"]));
    let old = host.start_item(&task, &pipeline);
    let new = host.try_start(&task, StartItem { replace: true, ..of(&pipeline) }).unwrap().id;
    assert_eq!((host.status(&old), host.status(&new)), (RunStatus::Failed, RunStatus::Running));
    assert_eq!(host.item(&task).current_run, Some(new));
    assert_eq!(host.item_status(&task), ItemStatus::InProgress);
    let back = host.act(&old, RunAction::Retry);
    assert!(matches!(back, Err(ServiceError::Conflict(text)) if text.contains("has gone on without")));
    let token = StartItem { token: Some("t".to_owned()), replace: true, ..of(&pipeline) };
    let third = host.try_start(&task, token.clone()).unwrap().id;
    assert_eq!(host.try_start(&task, token).unwrap().id, third, "the same token is the same run");
}

#[test]
fn a_cancelled_item_is_planned_again_and_a_deleted_one_has_its_runs_stopped() {
    let mut world = World::new();
    world.says("build", [dispatch(), dispatch()]);
    let host = world.open();
    let service = host.service();
    let (task, pipeline) = (host.task(&service), host.pipeline(&["build"]));
    let run = host.start_item(&task, &pipeline);
    let item = host.run(host.runtime.cancel_item(&workspace(), &task, "ann")).unwrap();
    assert_eq!((item.status, item.current_run), (ItemStatus::Planned, None));
    assert_eq!((host.status(&run), host.cards().len()), (RunStatus::Failed, 0));
    let run = host.start_item(&task, &pipeline);
    host.command(BoardCommand::DeleteItem { id: service }).unwrap();
    assert_eq!((host.status(&run), world.jobs.under_way().len()), (RunStatus::Failed, 0));
    let host = world.crash(host);
    assert!(host.run(host.runtime.items(&workspace())).unwrap().is_empty());
    assert!(matches!(host.act(&run, RunAction::Retry), Err(ServiceError::NotFound(_))));
}

#[test]
fn a_merge_by_hand_is_made_once_and_starts_what_waited_for_it() {
    let mut world = World::new();
    world.says("later", [dispatch()]);
    let host = world.open();
    let service = host.service();
    let first = ItemPatch {
        module_name: Some(Some("billing".to_owned())),
        auto_start_dependents: Some(true),
        ..ItemPatch::default()
    };
    let first = host.task_of(&service, first);
    let later = host.pipeline(&["later"]);
    let second = ItemPatch { pipeline: Some(Some(later)), ..ItemPatch::default() };
    let second = host.task_of(&service, second);
    host.command(BoardCommand::ToggleDependency { id: second.clone(), on: first.clone() }).unwrap();
    let merge_item = |host: &Host| {
        let merged = host.run(host.runtime.merge_item(&workspace(), &first, "ann"));
        host.settle();
        merged
    };
    assert!(matches!(merge_item(&host), Err(ServiceError::Conflict(text)) if text.contains("pr-ready")));
    let pipeline = host.pipeline(&["build"]);
    host.start_item(&first, &pipeline);
    assert_eq!(host.item_status(&first), ItemStatus::PrReady);
    assert_eq!(merge_item(&host).unwrap().status, ItemStatus::Done);
    assert!(matches!(merge_item(&host), Err(ServiceError::Conflict(_))));
    assert_eq!(world.effects.performed().len(), 1);
    let parent = host.item(&first).parent.unwrap();
    assert_eq!((host.item(&parent).title.as_str(), host.item(&parent).level), ("billing", ItemLevel::Module));
    assert_eq!(host.item_status(&second), ItemStatus::InProgress);
    assert!(!host.item(&first).auto_start_dependents, "they are started once");
    let host = world.crash(host);
    assert_eq!(host.item_status(&first), ItemStatus::Done);
    assert_eq!(host.item(&second).status, ItemStatus::InProgress);
}

#[test]
fn what_a_merge_owes_is_started_after_a_crash() {
    let mut world = World::manual();
    world.says("later", [dispatch(), dispatch()]);
    let host = world.open();
    let (service, pipeline) = (host.service(), host.pipeline(&["build"]));
    let first = ItemPatch { auto_start_dependents: Some(true), ..ItemPatch::default() };
    let second = ItemPatch { pipeline: Some(Some(host.pipeline(&["later"]))), ..ItemPatch::default() };
    let (first, second) = (host.task_of(&service, first), host.task_of(&service, second));
    host.command(BoardCommand::ToggleDependency { id: second.clone(), on: first.clone() }).unwrap();
    let (runtime, item) = (host.runtime.clone(), first.clone());
    let start = host.begin(async move { runtime.start_item(&workspace(), &item, of(&pipeline)).await });
    world.journal.flush();
    host.run(start).unwrap().unwrap();
    let (runtime, item) = (host.runtime.clone(), first);
    drop(host.begin(async move { runtime.merge_item(&workspace(), &item, "ann").await }));
    assert_eq!(world.journal.flush(), 1);
    host.settle();
    assert_eq!(world.journal.pending(), 1, "the dependent is started, and that is lost");
    let host = world.crash(host);
    host.settle();
    assert_eq!(world.journal.flush(), 1);
    host.settle();
    assert_eq!(host.item_status(&second), ItemStatus::InProgress);
}

#[test]
fn a_person_who_chooses_to_reset_has_the_item_planned_again() {
    let world = World::new();
    let cancelled =
        Next::Fail { class: FailureClass::Cancelled, message: "stopped and reset".to_owned(), detail: None };
    world.says("review", [ask(), cancelled]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["review"]));
    let run = host.start_item(&task, &pipeline);
    host.act(&run, crate::host::choose("A", None)).unwrap();
    let item = host.item(&task);
    assert_eq!((item.status, item.current_run), (ItemStatus::Planned, None));
    assert_eq!((host.status(&run), host.cards().len()), (RunStatus::Failed, 0));
}

#[test]
fn a_map_of_the_service_is_drawn_onto_the_board() {
    let world = World::new();
    let map = r#"{"service": {"type": "service", "name": "Shop", "summary": "sells",
        "modules": [{"name": "Cart", "summary": "keeps what is bought"}]}}"#;
    world.says("blueprints", [crate::host::complete(map)]);
    let host = world.open();
    let (service, pipeline) = (host.service(), host.pipeline(&["blueprints"]));
    host.start_item(&service, &pipeline);
    let items = host.run(host.runtime.items(&workspace())).unwrap();
    let module = items.iter().find(|item| item.level == ItemLevel::Module).unwrap();
    assert_eq!((module.title.as_str(), module.parent.as_ref()), ("Cart", Some(&service)));
    assert_eq!(host.item(&service).description, "sells");
}

#[test]
fn a_merge_that_was_made_and_not_told_is_not_made_again() {
    let mut world = World::manual();
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build"]));
    let (runtime, item) = (host.runtime.clone(), task.clone());
    let start = host.begin(async move { runtime.start_item(&workspace(), &item, of(&pipeline)).await });
    world.journal.flush();
    host.run(start).unwrap().unwrap();
    let merge = |host: &Host| {
        let (runtime, item) = (host.runtime.clone(), task.clone());
        host.begin(async move { runtime.merge_item(&workspace(), &item, "ann").await })
    };
    drop(merge(&host));
    assert_eq!((world.effects.performed().len(), world.journal.pending()), (1, 1));
    let host = world.crash(host);
    assert_eq!(host.item_status(&task), ItemStatus::PrReady);
    let again = merge(&host);
    world.journal.flush();
    assert_eq!(host.run(again).unwrap().unwrap().status, ItemStatus::Done);
    assert_eq!(world.effects.performed().len(), 1);
}

#[test]
fn a_merge_nobody_performs_leaves_the_item_as_it_is() {
    let world = World::new();
    world.effects.script("merge", [EffectOutcome::NotConfigured("no provider".to_owned())]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build"]));
    host.start_item(&task, &pipeline);
    let merged = host.run(host.runtime.merge_item(&workspace(), &task, "ann"));
    assert!(matches!(merged, Err(ServiceError::Conflict(text)) if text.contains("was not merged")));
    assert_eq!(host.item_status(&task), ItemStatus::PrReady);
}

#[test]
fn a_merge_by_a_step_moves_the_item_to_its_module() {
    let world = World::new();
    let merged = Completion { item_status: Some(ItemStatus::Done), ..Completion::default() };
    world.says("land", [merge(), Next::Complete(merged)]);
    let host = world.open();
    let patch = ItemPatch { module_name: Some(Some("core".to_owned())), ..ItemPatch::default() };
    let (task, pipeline) = (host.task_of(&host.service(), patch), host.pipeline(&["land"]));
    host.start_item(&task, &pipeline);
    let item = host.item(&task);
    assert_eq!(item.status, ItemStatus::Done);
    assert_eq!(host.item(&item.parent.unwrap()).title, "core");
}

#[test]
fn documents_stay_on_the_item_and_reach_its_next_run() {
    let world = World::new();
    let document = lockstep_types::Document {
        name: "estimate".to_owned(),
        value: JsonText::of(&serde_json::json!({"risk": 1})),
        stands_in: None,
    };
    let mut transition = crate::host::transition(fail());
    transition.documents = vec![document.clone()];
    world.executor.push("plan", lockstep_types::Outcome::Transition(Box::new(transition)));
    world.says("later", [wait(1000)]);
    let host = world.open();
    let task = host.task(&host.service());
    let failed = host.start_item(&task, &host.pipeline(&["plan"]));
    assert_eq!((host.status(&failed), host.item_status(&task)), (RunStatus::Failed, ItemStatus::Blocked));
    assert_eq!(host.item(&task).documents, [document]);
    host.start_item(&task, &host.pipeline(&["later"]));
    let (_, input) = world.executor.calls().pop().unwrap();
    assert_eq!(input.run.documents.len(), 1);
}

#[test]
fn a_row_written_by_a_turn_is_that_of_the_store() {
    let world = World::new();
    world.says("build", [dispatch()]);
    let host = world.open();
    let (task, pipeline) = (host.task(&host.service()), host.pipeline(&["build"]));
    host.start_item(&task, &pipeline);
    world.jobs.settle(&world.jobs.under_way()[0], JobOutcome::Failed("no".to_owned()));
    host.settle();
    let stored = host.run(world.journal.boards()).unwrap();
    let stored = stored.into_iter().find_map(|(_, row)| match row {
        Row::Item(item) if item.id == task => Some(item),
        _ => None,
    });
    assert_eq!(stored, Some(host.item(&task)));
}
