//! The repository's own tasks, run as `cargo xtask TASK`: build the guests, check the rules of the
//! workspace, test everything. It never installs anything system-wide and is no part of the product.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to the person at the terminal is its job"
)]

mod bench;
mod chromium;
mod component;
mod debian;
mod demo;
mod examples;
mod fuzz;
mod github_mock;
mod guests;
mod kill;
mod models;
mod payloads;
mod schemathesis;
mod sim;
mod test;
mod tidy;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about = "Tasks of this repository", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build every guest into a component, setting up a wasm compiler first if there is none
    Guests(guests::Args),
    /// Check dependency arrows and the rules for source files
    Tidy,
    /// Measure the host: steps a second, latency, memory, disk, start
    Bench(bench::Args),
    /// Build the example components in JavaScript, Python and C, and a new project of each language
    Examples,
    /// Show the main job: a branch goes through a pipeline and lands; set up what is missing first
    Demo,
    /// Kill the real binary again and again with hundreds of runs in flight, and check that nothing was lost or done twice
    Kill(kill::Args),
    /// Check what is asked of models against the types of OpenAI's own client, from PyPI
    Models,
    /// Fetch the published payloads of webhooks, which the tests of `lockstep-hooks` then go through
    Payloads,
    /// Throw mutated input at everything that reads from outside, guided by coverage
    Fuzz(fuzz::Args),
    /// Check the GitHub provider against a mock of GitHub's published description, fetched from npm
    GithubMock,
    /// Ask a real server for everything its OpenAPI document tells of, with right and wrong input
    Schemathesis(schemathesis::Args),
    /// Live through simulated histories of a host under faults, one for each seed
    Sim(sim::Args),
    /// Check and test everything: format, lints, rules, guests, host
    Test(test::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Guests(args) => guests::run(&args),
        Task::Bench(args) => bench::bench(&args),
        Task::Examples => examples::build().map(drop),
        Task::Demo => demo::demo(),
        Task::Kill(args) => kill::run(&args),
        Task::Payloads => payloads::fetch(),
        Task::Fuzz(args) => fuzz::fuzz(&args),
        Task::GithubMock => github_mock::run(),
        Task::Models => models::run(),
        Task::Schemathesis(args) => schemathesis::run_all(&args),
        Task::Sim(args) => sim::run(&args),
        Task::Tidy => tidy::run(),
        Task::Test(args) => return test::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
