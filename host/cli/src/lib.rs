//! The terminal of Lockstep, and the one place where its rooms are wired together (`wiring`).
//!
//! Commands speak to a [`lockstep_ports::RunService`] and a [`lockstep_ports::BoardService`]: the host in this process,
//! or a server that has the data folder. They never touch the store, a component or a repository themselves and hold no
//! rule about runs or boards.

mod args;
mod cases;
mod commands;
mod config;
mod context;
mod data;
mod doctor;
mod exit;
mod follow;
mod host;
mod ids;
mod logging;
pub mod reading;
mod remote;
mod render;
mod standard;
mod term;
pub mod wiring;

pub use standard::STANDARD_COMPONENTS;

use args::{Cli, Command};
use clap::Parser;
use config::HostConfig;
use context::Context;
use data::DataFolder;
use exit::Exit;
use lockstep_telemetry::Traces;
use std::process::ExitCode;
use term::Term;

/// Where a host sends its traces. What is wrong with the configuration is told by whoever opens the host.
fn traces(cli: &Cli, term: &Term) -> Option<Traces> {
    if !matches!(cli.command, Command::Serve(_) | Command::Run(_)) {
        return None;
    }
    let folder = DataFolder::find(cli.data.as_deref()).ok()?;
    let config = HostConfig::read(folder.path()).ok()?;
    wiring::outside::traces(&config.telemetry).unwrap_or_else(|error| {
        term.error(&format!("nothing is traced: {error:#}"));
        None
    })
}

/// Parses the arguments of the process and does what they say.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::JobSupervisor { dir } = &cli.command {
        let code = wiring::supervise(dir);
        return ExitCode::from(u8::try_from(code).unwrap_or_else(|_| Exit::Internal.code()));
    }
    let term = Term::of_process(cli.json);
    let traces = traces(&cli, &term);
    logging::begin(cli.log_format, traces.as_ref());
    let mut own = "lockstep ".to_owned();
    let result = Context::new(&cli, term.clone()).and_then(|context| {
        own = context.command("");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let result = runtime.block_on(commands::run(&context, cli.command));
        // What is still under way was told to end; a blocking call that does not must not hold up the exit.
        runtime.shutdown_background();
        result
    });
    if let Some(traces) = traces {
        traces.shut_down();
    }
    let exit = result.unwrap_or_else(|error| {
        let (exit, lines) = exit::explain(&error);
        // A command that is named as the way out is for the same data folder.
        let named = |line: &String| line.replace("`lockstep ", &format!("`{own}"));
        lines.iter().map(named).for_each(|line| term.error(&line));
        exit
    });
    ExitCode::from(exit.code())
}
