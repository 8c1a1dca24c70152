use super::{board, with_board, with_working_board};
use crate::args::{AddItem, EditItem, ItemFields, ItemsCommand, ListItems, StartArgs};
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::{data, render};
use lockstep_ports::{BoardCommand, BoardService, StartItem};
use lockstep_types::board::{Item, ItemId, ItemPatch, TestSettings, WorkspaceId};
use lockstep_types::{ItemLevel, ItemStatus, RunStatus};
use std::collections::HashSet;
use std::path::Path;

/// `lockstep items …`
pub(super) async fn items(context: &Context, command: ItemsCommand) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    match command {
        ItemsCommand::List(args) => list(context, &workspace, &args).await,
        ItemsCommand::Show { item } => show(context, &workspace, &item).await,
        ItemsCommand::Add(args) => add(context, &workspace, &args).await,
        ItemsCommand::Edit(args) => edit(context, &workspace, &args).await,
        ItemsCommand::Move { item, parent } => {
            let (id, parent) = (board::item(&workspace, &item)?, board::item(&workspace, &parent)?);
            let command = BoardCommand::MoveItem { id, parent: Some(parent) };
            let reply = with_board(context, "items move", async |board, _| {
                Ok(board.command(&workspace, command, &context.by).await?)
            });
            board::told(context, "moved", &reply.await?)
        }
        ItemsCommand::Rm { item, recursive } => remove(context, &workspace, &item, recursive).await,
        ItemsCommand::Start(args) => start(context, &workspace, &args).await,
        ItemsCommand::Cancel { item } => {
            let id = board::item(&workspace, &item)?;
            let item = with_board(context, "items cancel", async |board, _| {
                Ok(board.cancel_item(&workspace, &id, &context.by).await?)
            });
            settled(context, "cancelled", &item.await?)
        }
        ItemsCommand::Merge { item } => {
            let id = board::item(&workspace, &item)?;
            let item = with_working_board(context, "items merge", async |board, _| {
                Ok(board.merge_item(&workspace, &id, &context.by).await?)
            });
            settled(context, "merged", &item.await?)
        }
        ItemsCommand::Depends { item, on, remove } => depends(context, &workspace, &item, &on, !remove).await,
    }
}

fn settled(context: &Context, what: &str, item: &Item) -> anyhow::Result<Exit> {
    context.term.show(item, |_, item| {
        format!("{what} {}: it is {} now\n", item.id, render::status_word(item.status))
    })?;
    Ok(Exit::Done)
}

async fn list(context: &Context, workspace: &WorkspaceId, args: &ListItems) -> anyhow::Result<Exit> {
    let status: Option<ItemStatus> = board::maybe_word(args.status.as_deref())?;
    let level: Option<ItemLevel> = board::maybe_word(args.level.as_deref())?;
    let above = args.r#in.as_ref().map(|item| board::item(workspace, item)).transpose()?;
    let all = with_board(context, "items list", async |board, _| {
        if let Some(above) = &above {
            board.item(workspace, above).await?;
        }
        Ok(board.items(workspace).await?)
    });
    let all = all.await?;
    let inside = above.as_ref().map(|above| below(&all, above));
    let wanted = |item: &Item| {
        (args.all || !item.archived)
            && status.is_none_or(|status| item.status == status)
            && level.is_none_or(|level| item.level == level)
            && inside.as_ref().is_none_or(|inside| inside.contains(&item.id))
    };
    let items: Vec<Item> = all.into_iter().filter(wanted).collect();
    context.term.show(&items, |style, items| render::items(style, items))?;
    Ok(Exit::Done)
}

/// The ids of all items below `above`.
fn below(items: &[Item], above: &ItemId) -> HashSet<ItemId> {
    let mut found = HashSet::new();
    let mut fresh = vec![above.clone()];
    while let Some(parent) = fresh.pop() {
        for item in items.iter().filter(|item| item.parent.as_ref() == Some(&parent)) {
            if found.insert(item.id.clone()) {
                fresh.push(item.id.clone());
            }
        }
    }
    found
}

async fn show(context: &Context, workspace: &WorkspaceId, item: &ItemId) -> anyhow::Result<Exit> {
    let id = board::item(workspace, item)?;
    let view =
        with_board(context, "items show", async |board, _| Ok(board.item(workspace, &id).await?)).await?;
    context.term.show(&view, |style, view| render::item(style, view, context, render::now()))?;
    Ok(Exit::Done)
}

async fn add(context: &Context, workspace: &WorkspaceId, args: &AddItem) -> anyhow::Result<Exit> {
    let parent = args.r#in.as_ref().map(|item| board::item(workspace, item)).transpose()?;
    let level = board::word(&args.level)?;
    let reply = with_board(context, "items add", async |board, _| {
        let mut item = patch(&*board, workspace, &args.fields, None).await?;
        item.title = Some(args.title.clone());
        let command = BoardCommand::CreateItem { level, parent, item };
        Ok(board.command(workspace, command, &context.by).await?)
    });
    board::told(context, "added", &reply.await?)
}

async fn edit(context: &Context, workspace: &WorkspaceId, args: &EditItem) -> anyhow::Result<Exit> {
    let id = board::item(workspace, &args.item)?;
    let reply = with_board(context, "items edit", async |board, _| {
        let mut item = patch(&*board, workspace, &args.fields, Some(&id)).await?;
        item.title.clone_from(&args.title);
        clear(&mut item, &args.clear)?;
        if item == ItemPatch::default() {
            return Refused::because("nothing to change: give a field, see `lockstep items edit --help`");
        }
        Ok(board.command(workspace, BoardCommand::EditItem { id, item }, &context.by).await?)
    });
    board::told(context, "changed", &reply.await?)
}

fn clear(patch: &mut ItemPatch, fields: &[String]) -> anyhow::Result<()> {
    for field in fields {
        let is_set = match field.as_str() {
            "preset" => patch.preset.replace(None).is_some(),
            "pipeline" => patch.pipeline.replace(None).is_some(),
            "module" => patch.module_name.replace(None).is_some(),
            "responsible" => patch.responsible.replace(None).is_some(),
            "repo" => patch.repository.replace(None).is_some(),
            "directory" => patch.directory.replace(None).is_some(),
            "base" => patch.base_branch.replace(None).is_some(),
            "branch" => patch.head_branch.replace(None).is_some(),
            // The command line takes no other word.
            _ => patch.labels.replace(Vec::new()).is_some(),
        };
        if is_set {
            return Refused::because(format!("`{field}` is both given and cleared: do one of the two"));
        }
    }
    Ok(())
}

async fn patch(
    board: &dyn BoardService,
    workspace: &WorkspaceId,
    fields: &ItemFields,
    of: Option<&ItemId>,
) -> anyhow::Result<ItemPatch> {
    let pipeline = match &fields.pipeline {
        Some(given) => Some(Some(board::pipeline(board, workspace, given).await?)),
        None => None,
    };
    let preset = match &fields.preset {
        Some(given) => Some(Some(board::preset(board, workspace, given).await?)),
        None => None,
    };
    Ok(ItemPatch {
        title: None,
        service_type: board::maybe_word(fields.service_type.as_deref())?,
        task_type: board::maybe_word(fields.task_type.as_deref())?,
        description: fields.description.clone(),
        preset,
        pipeline,
        module_name: fields.module.clone().map(Some),
        auto_start_dependents: fields.auto_start_dependents,
        labels: (!fields.labels.is_empty()).then(|| fields.labels.clone()),
        archived: fields.archived,
        responsible: fields.responsible.clone().map(Some),
        repository: fields.repo.as_deref().map(repository).transpose()?.map(Some),
        directory: fields.directory.clone().map(Some),
        base_branch: fields.base.clone().map(Some),
        head_branch: fields.branch.clone().map(Some),
        tests: tests(board, workspace, fields, of).await?,
    })
}

/// A path as the host finds it from wherever it runs; anything else is an address.
fn repository(given: &str) -> anyhow::Result<String> {
    if !Path::new(given).exists() {
        return Ok(given.to_owned());
    }
    match std::fs::canonicalize(given).map(|path| path.into_os_string().into_string()) {
        Ok(Ok(path)) => Ok(path),
        Ok(Err(_)) => Refused::because("the path of the repository is not UTF-8"),
        Err(error) => Refused::because(format!("the repository {given} cannot be opened: {error}")),
    }
}

/// They are set as a whole, so what is not given stays what it is.
async fn tests(
    board: &dyn BoardService,
    workspace: &WorkspaceId,
    fields: &ItemFields,
    of: Option<&ItemId>,
) -> anyhow::Result<Option<TestSettings>> {
    let environment = board::maybe_word(fields.test_environment.as_deref())?;
    if fields.compose_path.is_none() && fields.no_infra_dependencies.is_none() && environment.is_none() {
        return Ok(None);
    }
    let known = match of {
        Some(id) => board.item(workspace, id).await?.item.tests,
        None => TestSettings::default(),
    };
    Ok(Some(TestSettings {
        compose_path: fields.compose_path.clone().or(known.compose_path),
        no_infra_dependencies: fields.no_infra_dependencies.unwrap_or(known.no_infra_dependencies),
        environment: environment.or(known.environment),
    }))
}

async fn remove(
    context: &Context,
    workspace: &WorkspaceId,
    item: &ItemId,
    recursive: bool,
) -> anyhow::Result<Exit> {
    let id = board::item(workspace, item)?;
    let reply = with_board(context, "items rm", async |board, _| {
        // Removing what is not there does nothing, and a mistyped id is to be heard of.
        board.item(workspace, &id).await?;
        let inside = if recursive { 0 } else { below(&board.items(workspace).await?, &id).len() };
        if inside > 0 {
            let things = render::counted(inside, "item");
            return Refused::because(format!("{id} has {things} below it: remove them too with --recursive"));
        }
        Ok(board.command(workspace, BoardCommand::DeleteItem { id: id.clone() }, &context.by).await?)
    });
    let reply = reply.await?;
    context.term.show(&reply, |_, _| format!("removed {id}\n"))?;
    Ok(Exit::Done)
}

async fn start(context: &Context, workspace: &WorkspaceId, args: &StartArgs) -> anyhow::Result<Exit> {
    let id = board::item(workspace, &args.item)?;
    let token = Some(data::random_text()?);
    let (run, is_here) = with_board(context, "items start", async |board, host| {
        let pipeline = match &args.pipeline {
            Some(given) => Some(board::pipeline(&*board, workspace, given).await?),
            None => None,
        };
        let (branch, by) = (args.branch.clone(), Some(context.by.clone()));
        let pin = args.pin.map(Into::into);
        let request = StartItem { pipeline, branch, pin, replace: args.replace, by, token };
        Ok((board.start_item(workspace, &id, request).await?, host.server().is_none()))
    })
    .await?;
    context.term.show(&run, |_, run| {
        let next = if is_here && run.status == RunStatus::Running {
            format!("it goes on with `{}`", context.command(&format!("run --resume {}", run.id)))
        } else {
            format!("watch it: `{}`", context.command(&format!("runs watch {}", run.id)))
        };
        format!("started run {} of {id} on {}\n{next}\n", run.id, render::clean(&run.change.head_branch))
    })?;
    Ok(Exit::Done)
}

async fn depends(
    context: &Context,
    workspace: &WorkspaceId,
    item: &ItemId,
    on: &[ItemId],
    wanted: bool,
) -> anyhow::Result<Exit> {
    let id = board::item(workspace, item)?;
    let on: Vec<ItemId> = on.iter().map(|on| board::item(workspace, on)).collect::<anyhow::Result<_>>()?;
    let item = with_board(context, "items depends", async |board, _| {
        for on in on {
            let item = board.item(workspace, &id).await?.item;
            if item.depends_on.contains(&on) != wanted {
                let command = BoardCommand::ToggleDependency { id: id.clone(), on };
                board.command(workspace, command, &context.by).await?;
            }
        }
        Ok(board.item(workspace, &id).await?.item)
    });
    context.term.show(&item.await?, |_, item| {
        let ids: Vec<&str> = item.depends_on.iter().map(ItemId::as_str).collect();
        let ids = if ids.is_empty() { "nothing".to_owned() } else { ids.join(", ") };
        format!("{} waits for {ids}\n", item.id)
    })?;
    Ok(Exit::Done)
}
