//! One file per command. A command opens the host, calls the service, shows the answer and says how it ends.

mod component;
mod pipeline;
mod replay;
mod run;
mod runs;
mod serve;
mod simulate;
mod step;

use crate::args::Command;
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::host::Host;
use crate::wiring::Drive;
use lockstep_ports::RunService;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Does what the command says.
pub(crate) async fn run(context: &Context, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run(args) => run::run(context, args).await,
        Command::Serve(args) => serve::serve(context, args).await,
        Command::Runs(command) => runs::runs(context, command).await,
        Command::Step(command) => step::step(context, command).await,
        Command::Component(command) => component::component(context, command).await,
        Command::Pipeline(command) => pipeline::pipeline(context, command).await,
        Command::Simulate(args) => simulate::simulate(context, args).await,
        Command::Replay(arg) => replay::replay(context, &arg.run).await,
        Command::Verify(arg) => replay::verify(context, &arg.run).await,
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

/// Reads a file the user named; one that is longer than `max` is refused before it is read whole.
fn read_file(path: &Path, max: u64) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > max => Refused::because(format!("{shown} is larger than {max} bytes")),
        Ok(_) => Ok(bytes),
        Err(error) => Refused::because(format!("{shown} cannot be read: {error}")),
    }
}

fn read_text(path: &Path, max: u64) -> anyhow::Result<String> {
    match String::from_utf8(read_file(path, max)?) {
        Ok(text) => Ok(text),
        Err(_) => Refused::because(format!("{} is not UTF-8 text", path.display())),
    }
}
