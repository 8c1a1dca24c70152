use super::{pipelines, runs::exit_of};
use crate::args::RunArgs;
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::follow::{self, Streamed};
use crate::host::Host;
use crate::wiring::Drive;
use crate::{data, ids, render, standard};
use lockstep_ports::{RunService, StartRequest};
use lockstep_types::{RunId, RunView};
use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};

/// `lockstep run`
pub(super) async fn run(context: &Context, args: RunArgs) -> anyhow::Result<Exit> {
    let request = match &args.resume {
        Some(_) => None,
        None => Some(start_request(context, &args)?),
    };
    let interrupted = interrupted()?;
    let host = Host::open(context, "run", Drive::Runs).await?;
    let result = watch(context, &host, args.resume.as_deref(), request, interrupted).await;
    host.close().await;
    result
}

async fn watch(
    context: &Context,
    host: &Host,
    resume: Option<&str>,
    request: Option<StartRequest>,
    interrupted: impl Future<Output = ()>,
) -> anyhow::Result<Exit> {
    let service = host.service();
    standard::require(&*host.components()).await?;
    let id = match request {
        Some(request) => service.start(request).await?.id,
        None => ids::find(&*service, resume.unwrap_or("latest")).await?,
    };
    if !context.term.json {
        let place = host.server().map_or_else(String::new, |url| format!(" on the server at {url}"));
        context.term.note(&format!("run {id}{place}"));
    }
    let is_here = host.server().is_none();
    tokio::select! {
        view = follow::run(&*service, &context.term, &id) => show_ending(context, &view?, is_here),
        () = interrupted => {
            tell_interrupted(context, &id, is_here);
            Ok(Exit::Interrupted)
        }
    }
}

/// Says how the run stands after it was watched, and what to do next.
pub(super) fn show_ending(context: &Context, view: &RunView, is_here: bool) -> anyhow::Result<Exit> {
    if context.term.json {
        context.term.line(&Streamed::Run(view))?;
    } else {
        context.term.out("\n")?;
        context.term.out(&render::ending(&context.term.style, view, context, is_here))?;
    }
    Ok(exit_of(view.summary.status))
}

fn tell_interrupted(context: &Context, id: &RunId, is_here: bool) {
    let text = if is_here {
        format!("interrupted: the run goes on with `{}`", context.command(&format!("run --resume {id}")))
    } else {
        format!(
            "no longer watching; the server goes on. Watch again: `{}`",
            context.command(&format!("runs watch {id}"))
        )
    };
    context.term.error(&text);
}

/// Completes at Ctrl-C or when the process is told to end; at once if either is already under way. A second one ends
/// the process as it is: everything that matters is durable.
pub(super) fn interrupted() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut next = async move || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let (first, seen) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        next().await;
        first.send(()).unwrap_or_default();
        next().await;
        std::process::exit(i32::from(Exit::Interrupted.code()));
    });
    Ok(async move { seen.await.unwrap_or_default() })
}

fn start_request(context: &Context, args: &RunArgs) -> anyhow::Result<StartRequest> {
    let (Some(file), Some(branch)) = (&args.pipeline, &args.branch) else {
        return Refused::because("name a pipeline file with --pipeline and a branch with --branch");
    };
    let repository = match std::fs::canonicalize(&args.repo) {
        Ok(path) => path,
        Err(error) => {
            return Refused::because(format!(
                "the repository {} cannot be opened: {error}",
                args.repo.display()
            ));
        }
    };
    let Some(repository) = repository.to_str() else {
        return Refused::because("the path of the repository is not UTF-8");
    };
    Ok(StartRequest {
        pipeline: pipelines::read(file)?,
        pipeline_file: Some(file.to_string_lossy().into_owned()),
        repository: repository.to_owned(),
        branch: branch.clone(),
        base: args.base.clone(),
        title: args.title.clone(),
        description: args.description.clone(),
        pin: args.pin.map(Into::into),
        item: None,
        by: Some(context.by.clone()),
        token: Some(data::random_text()?),
    })
}

/// What a command needs to look at a run that it watched.
pub(super) async fn watch_existing(
    context: &Context,
    service: &dyn RunService,
    id: &RunId,
    is_here: bool,
) -> anyhow::Result<Exit> {
    let interrupted = interrupted()?;
    tokio::select! {
        view = follow::run(service, &context.term, id) => show_ending(context, &view?, is_here),
        () = interrupted => Ok(Exit::Interrupted),
    }
}
