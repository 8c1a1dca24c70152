//! One file per command. A command opens the host, calls the service, shows the answer and says how it ends.

mod access;
mod board;
mod capsule;
mod component;
mod credentials;
mod deliveries;
mod doctor;
mod items;
mod new;
mod notices;
mod pipelines;
mod presets;
mod replay;
mod reviews;
mod run;
mod runs;
mod schedules;
mod serve;
mod settings;
mod simulate;
mod spend;
mod step;
mod step_test;
mod store;
mod workspaces;

pub(crate) use component::{PullReport, PushReport};
pub(crate) use deliveries::DeliveryView;
pub(crate) use settings::{model_price, price, spend_limit, task_limit};

use crate::args::Command;
use crate::context::Context;
use crate::data::Locking;
use crate::exit::{Exit, Refused};
use crate::host::Host;
use crate::render;
use crate::wiring::{self, Drive};
use lockstep_ports::{BoardService, ComponentService, DoneBeside, RunService};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Does what the command says.
pub(crate) async fn run(context: &Context, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run(args) => run::run(context, args).await,
        Command::Serve(args) => serve::serve(context, args).await,
        Command::Open(args) => access::open(context, args).await,
        Command::Token(command) => access::token(context, command).await,
        Command::Audit(args) => access::audit(context, args).await,
        Command::Runs(command) => runs::runs(context, command).await,
        Command::Step(command) => step::step(context, command).await,
        Command::Capsule(command) => capsule::capsule(context, command).await,
        Command::Component(command) => component::component(context, command).await,
        Command::New(command) => new::new(context, command),
        Command::Credentials(command) => credentials::credentials(context, command).await,
        Command::Store(command) => store::store(context, command).await,
        Command::Items(command) => items::items(context, command).await,
        Command::Reviews(command) => reviews::reviews(context, command).await,
        Command::Deliveries(command) => deliveries::deliveries(context, command).await,
        Command::Notices(args) => notices::notices(context, args).await,
        Command::Schedules(command) => schedules::schedules(context, command).await,
        Command::Spend(args) => spend::spend(context, args).await,
        Command::Presets(command) => presets::presets(context, command).await,
        Command::Pipelines(command) => pipelines::pipelines(context, command).await,
        Command::Settings(command) => settings::settings(context, command).await,
        Command::Workspaces(command) => workspaces::workspaces(context, command).await,
        Command::Simulate(args) => simulate::simulate(context, args).await,
        Command::Replay(arg) => replay::replay(context, &arg.run).await,
        Command::Verify(arg) => replay::verify(context, &arg.run).await,
        Command::Doctor => doctor::doctor(context).await,
        Command::Why(arg) => runs::why(context, &arg.run).await,
        // It is started before anything else of the process, see `main`.
        Command::JobSupervisor { .. } => Ok(Exit::Internal),
    }
}

/// Opens the host for a short command, lets `work` use it, and closes it whatever came of it.
async fn with_host<T>(
    context: &Context,
    command: &str,
    work: impl AsyncFnOnce(Arc<dyn RunService>, &Host) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let host = Host::open(context, command, Drive::Nothing).await?;
    let result = work(host.service(), &host).await;
    host.close().await;
    result
}

/// The same for a command about components.
async fn with_components<T>(
    context: &Context,
    command: &str,
    work: impl AsyncFnOnce(Arc<dyn ComponentService>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    with_host(context, command, async |_, host| work(host.components()).await).await
}

/// The same for a command about boards.
async fn with_board<T>(
    context: &Context,
    command: &str,
    work: impl AsyncFnOnce(Arc<dyn BoardService>, &Host) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    with_host(context, command, async |_, host| {
        furnish(context, host).await?;
        work(host.board(), host).await
    })
    .await
}

/// Makes the default workspace of a folder that no host has worked in yet, which would make it first of all.
async fn furnish(context: &Context, host: &Host) -> anyhow::Result<()> {
    let board = host.board();
    let is_default = context.names_default_workspace();
    if host.server().is_none() && is_default && board.workspaces().await?.is_empty() {
        board.create_workspace(context.workspace()?, "Default").await?;
    }
    Ok(())
}

/// The same for one that waits until something outside is done: live runs go on meanwhile.
async fn with_working_board<T>(
    context: &Context,
    command: &str,
    work: impl AsyncFnOnce(Arc<dyn BoardService>, &Host) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let host = Host::open(context, command, Drive::Runs).await?;
    let result = work(host.board(), &host).await;
    host.close().await;
    result
}

/// Writes down what a command did to the data folder beside its host. It is done: if that fails, it is said and no more.
async fn note(context: &Context, done: DoneBeside, subject: &str) {
    // Who works beside the host need not open all of it.
    let noted = match context.folder.try_lock("audit") {
        Ok(Locking::Ours(_lock)) => wiring::note(context.folder.path(), done, subject, &context.by).await,
        Ok(Locking::Held(_)) => {
            let through = async |_, host: &Host| Ok(host.access().note(done, subject, &context.by).await?);
            with_host(context, "audit", through).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = noted {
        let done = done.word();
        context.term.note(&format!("lockstep: warning: {done} is not in the audit: {error:#}"));
    }
}

/// Reads a file the user named; one that is longer than `max` is refused before it is read whole.
fn read_file(path: &Path, max: u64) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > max => {
            Refused::because(format!("{shown} is larger than {}", render::bytes(max)))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Refused::because(format!("{shown} cannot be read: {error}")),
    }
}

/// Largest component; the server takes no larger one either.
const COMPONENT_MAX: u64 = 64 << 20;

/// Reads the file of a component; one that is too large is not read at all.
fn read_component(file: &Path) -> anyhow::Result<Vec<u8>> {
    let size = std::fs::metadata(file).map(|data| data.len()).unwrap_or_default();
    if size > COMPONENT_MAX {
        return Refused::because(format!(
            "{}: it has {}, more than the {} a component may have",
            file.display(),
            render::bytes(size),
            render::bytes(COMPONENT_MAX)
        ));
    }
    read_file(file, COMPONENT_MAX)
}

pub(crate) fn read_text(path: &Path, max: u64) -> anyhow::Result<String> {
    match String::from_utf8(read_file(path, max)?) {
        Ok(text) => Ok(text),
        Err(_) => Refused::because(format!("{} is not UTF-8 text", path.display())),
    }
}
