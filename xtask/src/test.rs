//! `cargo xtask test`: sets up what is missing, then checks and tests everything, cheapest first.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{chromium, debian, examples, github_mock, guests, payloads, tidy, workspace};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out the lints, the slowest part that is not a test
    #[arg(long)]
    quick: bool,
}

/// What one stage does; the command is what a person types to see the failure alone.
enum Work {
    Cargo(Command),
    /// A `cargo test`, whose results are counted.
    Tests(Command),
    Task(&'static str, fn() -> Result<()>),
    /// Builds the examples; those that cannot be built here are counted.
    Examples,
    /// Fetches published payloads; a machine without npm leaves their test out, which is counted.
    Payloads,
}

struct Stage {
    name: &'static str,
    work: Work,
}

/// How many tests passed and failed, over all test programs.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
struct Count {
    passed: u64,
    failed: u64,
    /// Examples and tests left out because what they need cannot be had here; none is left out silently.
    skipped: u64,
}

/// Says itself what failed, so that the count is always the last line.
pub(crate) fn run(args: &Args) -> ExitCode {
    let mut count = Count::default();
    let mut times: Vec<(&str, Duration, bool)> = Vec::new();
    let mut outcome = Ok(());
    for stage in stages(args.quick) {
        eprintln!("\n==> {}", stage.name);
        let start = Instant::now();
        outcome = carry_out(stage.work, &mut count);
        let time = start.elapsed();
        eprintln!("<== {}: {} in {}", stage.name, word(outcome.is_ok()), seconds(time));
        times.push((stage.name, time, outcome.is_ok()));
        if outcome.is_err() {
            break;
        }
    }
    println!();
    for (name, time, is_ok) in &times {
        println!("{name:<16} {:>8}  {}", seconds(*time), word(*is_ok));
    }
    let total = times.iter().map(|(_, time, _)| *time).sum();
    println!("{:<16} {:>8}", "total", seconds(total));
    if let Err(error) = &outcome {
        println!("error: {error:#}");
    }
    let skipped = if count.skipped == 0 { String::new() } else { format!(", {} skipped", count.skipped) };
    println!("{} passed, {} failed{skipped}", count.passed, count.failed);
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The stages in the order of what they cost; the guests come before all that embeds them.
fn stages(quick: bool) -> Vec<Stage> {
    let root = workspace::root();
    let guests = root.join("guests");
    let stage = |name, work| Stage { name, work };
    let mut stages = vec![
        stage("format", Work::Cargo(host(&root, &["fmt", "--all", "--check"]))),
        stage("guest format", Work::Cargo(native(&guests, &["fmt", "--all", "--check"]))),
        stage("tidy", Work::Task("tidy", tidy::run)),
        stage("guests", Work::Task("guests", guests::build)),
    ];
    if !quick {
        let lint = ["clippy", "--locked", "--workspace", "--all-targets"];
        stages.push(stage("lints", Work::Cargo(denying_warnings(host(&root, &lint)))));
        stages.push(stage("guest lints", Work::Cargo(denying_warnings(native_build(&guests, &lint)))));
    }
    // All test programs run even if one fails, so that the count is of all.
    let test = ["test", "--locked", "--workspace", "--no-fail-fast"];
    stages.push(stage("guest tests", Work::Tests(native_build(&guests, &test))));
    stages.push(stage("registry", Work::Task("registry", fetch_registry)));
    stages.push(stage("browser", Work::Task("browser", fetch_browser)));
    stages.push(stage("github mock", Work::Task("github-mock", fetch_github_mock)));
    stages.push(stage("payloads", Work::Payloads));
    // The end-to-end tests run the binary, which nothing else builds for them.
    let build = ["build", "--locked", "--workspace"];
    stages.push(stage("host build", Work::Cargo(host(&root, &build))));
    // As people build them, with the binary; the end-to-end tests try them.
    stages.push(stage("examples", Work::Examples));
    stages.push(stage("host tests", Work::Tests(host(&root, &test))));
    stages
}

/// Has a registry for the tests that ship components through one; they find it there, or skip themselves.
fn fetch_registry() -> Result<()> {
    const PACKAGE: &str = "docker-registry";
    if workspace::find_on_path(PACKAGE).is_none()
        && let Err(error) = debian::fetch(&[PACKAGE], &workspace::root().join("target/tools").join(PACKAGE))
    {
        let why = format!("{error:#}").lines().collect::<Vec<_>>().join(" ");
        eprintln!("Debian's {PACKAGE} cannot be had ({why}): tests of registries skip themselves");
    }
    Ok(())
}

/// Has a browser for the tests of the pages; they find it there, or skip themselves.
fn fetch_browser() -> Result<()> {
    if let Err(error) = chromium::fetch() {
        let why = format!("{error:#}").lines().collect::<Vec<_>>().join(" ");
        eprintln!("Debian's chromium cannot be had ({why}): tests in a browser skip themselves");
    }
    Ok(())
}

/// Has GitHub's description and a mock of it for the tests of the provider; they find them there, or skip themselves.
fn fetch_github_mock() -> Result<()> {
    if let Err(error) = github_mock::fetch() {
        let why = format!("{error:#}").lines().collect::<Vec<_>>().join(" ");
        eprintln!(
            "the mock of GitHub cannot be had from npm ({why}): tests of its description skip themselves"
        );
    }
    Ok(())
}

fn host(root: &Path, args: &[&str]) -> Command {
    let mut cargo = workspace::cargo(root);
    cargo.args(args);
    cargo
}

/// The guests' logic on this machine's own processor.
fn native(guests: &Path, args: &[&str]) -> Command {
    let mut cargo = workspace::isolated_cargo(guests);
    cargo.args(args);
    cargo
}

fn native_build(guests: &Path, args: &[&str]) -> Command {
    let mut cargo = native(guests, args);
    cargo.arg("--target-dir").arg(guests.join("target/native"));
    cargo
}

fn denying_warnings(mut clippy: Command) -> Command {
    clippy.args(["--", "-D", "warnings"]);
    clippy
}

fn carry_out(work: Work, count: &mut Count) -> Result<()> {
    match work {
        Work::Cargo(mut command) => workspace::run(&mut command),
        Work::Tests(mut command) => run_tests(&mut command, count),
        Work::Examples => {
            let outcome = examples::build().context("`cargo xtask examples` failed")?;
            count.skipped += outcome.skipped;
            Ok(())
        }
        Work::Payloads => {
            if let Err(error) = payloads::fetch() {
                let why = format!("{error:#}").lines().collect::<Vec<_>>().join(" ");
                eprintln!("SKIPPED: the published payloads of webhooks cannot be had ({why})");
                count.skipped += 1;
            }
            Ok(())
        }
        Work::Task(name, task) => task().with_context(|| format!("`cargo xtask {name}` failed")),
    }
}

/// Passes the tests' output on while counting.
fn run_tests(command: &mut Command, count: &mut Count) -> Result<()> {
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("cannot start `{}`", workspace::shown(command)))?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut lines = BufReader::new(stdout);
    let mut line = Vec::new();
    // Tests may print bytes that are no text.
    while lines.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        if let Some(result) = parse_result(&text) {
            count.passed += result.passed;
            count.failed += result.failed;
        }
        line.clear();
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed: {status}", workspace::shown(command));
    }
    Ok(())
}

/// Reads `test result: ok. 3 passed; 0 failed; ...`.
fn parse_result(line: &str) -> Option<Count> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number =
        |word: &str| counts.split("; ").find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok());
    Some(Count { passed: number("passed")?, failed: number("failed")?, skipped: 0 })
}

fn word(is_ok: bool) -> &'static str {
    if is_ok { "ok" } else { "FAILED" }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_from_what_cargo_test_prints() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(parse_result(line), Some(Count { passed: 12, failed: 3, skipped: 0 }));
        assert_eq!(parse_result("test engine::ok ... ok\n"), None);
        assert_eq!(parse_result("test result: maybe\n"), None);
    }
}
