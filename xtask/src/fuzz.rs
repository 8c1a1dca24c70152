//! `cargo xtask fuzz`: throws mutations of the kept corpus at what reads from outside, guided by coverage.
//!
//! libFuzzer drives. The workspace's own crates are compiled with LLVM's coverage counters, dependencies are not: they are
//! shared with any other build, and what is looked for lies in ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::demo::cargo_target;
use crate::guests;
use crate::workspace::{cargo, find_on_path, root, run};

/// What libFuzzer needs of a crate: counters, their places, and the operands of comparisons.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Copt-level=1 -Cdebuginfo=line-tables-only";
/// One input may take so many seconds: a debug build that compiles a component takes a few.
const INPUT_SECONDS: u32 = 20;
/// Memory at which an input counts as a finding.
const MEMORY_MB: u32 = 3072;

/// Bytes kept for a target, and inputs added at once: all of it is replayed in every test run, and lies in the repository.
const KEPT_BYTES: u64 = 10 << 10;
const ADDED_MAX: usize = 24;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One target; all of them, one after the other, if left out
    target: Option<String>,
    /// Minutes for each target
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Afterwards, add to the kept corpus some of the inputs that reach what it does not, from the smallest on
    #[arg(long)]
    keep: bool,
}

pub(crate) fn fuzz(args: &Args) -> Result<()> {
    let root = root();
    if find_on_path("c++").is_none() {
        bail!("libFuzzer is compiled with `c++`, and there is none: install a C++ compiler (g++ or clang)");
    }
    guests::run(&guests::Args::default())?;
    let program = build(&root)?;
    let names = targets(&root)?;
    let chosen: Vec<&String> =
        names.iter().filter(|name| args.target.as_ref().is_none_or(|target| target == *name)).collect();
    if chosen.is_empty() {
        bail!("there is no such target; there are {}", names.join(", "));
    }
    for name in chosen {
        println!("== {name}: {} minutes", args.minutes);
        one(&root, &program, name, args)?;
    }
    Ok(())
}

/// Builds the driver with counters in the crates of this workspace.
fn build(root: &Path) -> Result<PathBuf> {
    let target = cargo_target(root);
    let folder = target.join("fuzz");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    // Build scripts and macros run inside the compiler, without the driver that the counters call.
    let script = format!(
        "#!/bin/sh\nfor word in \"$@\"; do\n  case \"$word\" in build_script_*|proc-macro) exec \"$@\";; esac\ndone\n\
         exec \"$@\" {COVERAGE}\n"
    );
    let wrapper = folder.join("rustc-with-coverage");
    fs::write(&wrapper, script).with_context(|| format!("write {}", wrapper.display()))?;
    run(Command::new("chmod").arg("+x").arg(&wrapper))?;
    let mut cargo = cargo(root);
    cargo.args(["build", "--locked", "--package", "lockstep-fuzz", "--features", "libfuzzer"]);
    cargo.args(["--bin", "lockstep-fuzz"]).env("RUSTC_WORKSPACE_WRAPPER", &wrapper);
    run(&mut cargo)?;
    Ok(target.join("debug/lockstep-fuzz"))
}

/// The targets are the folders of the corpus.
fn targets(root: &Path) -> Result<Vec<String>> {
    let corpus = root.join("tests/fuzz/corpus");
    let mut names = Vec::new();
    for entry in fs::read_dir(&corpus).with_context(|| format!("list {}", corpus.display()))? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

fn one(root: &Path, program: &Path, name: &str, args: &Args) -> Result<()> {
    let kept = root.join("tests/fuzz/corpus").join(name);
    let found = cargo_target(root).join("fuzz").join(name);
    let findings = cargo_target(root).join("fuzz/findings").join(name);
    for folder in [&found, &findings] {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let mut driver = Command::new(program);
    // A folder of its own to write to first, then the kept corpus, which is only read.
    driver.env("LOCKSTEP_FUZZ_TARGET", name).arg(&found).arg(&kept).args([
        format!("-max_total_time={}", (args.minutes * 60.0).round()),
        format!("-timeout={INPUT_SECONDS}"),
        format!("-rss_limit_mb={MEMORY_MB}"),
        format!("-artifact_prefix={}/", findings.display()),
        "-use_value_profile=1".to_owned(),
        "-print_final_stats=1".to_owned(),
    ]);
    let dictionary = root.join("tests/fuzz/dictionaries").join(name);
    if dictionary.is_file() {
        driver.arg(format!("-dict={}", dictionary.display()));
    }
    run(&mut driver).with_context(|| {
        format!(
            "a finding of target {name}: its input is in {}; mend the cause and keep the input in tests/fuzz/findings/{name}",
            findings.display()
        )
    })?;
    if args.keep { keep(program, name, &kept, &found) } else { Ok(()) }
}

/// Copies from `found` to `kept` some of what reaches new code, small and larger, as long as there is room.
fn keep(program: &Path, name: &str, kept: &Path, found: &Path) -> Result<()> {
    let fresh = found.with_extension("fresh");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).with_context(|| format!("remove {}", fresh.display()))?;
    }
    fs::create_dir_all(&fresh).with_context(|| format!("make {}", fresh.display()))?;
    let mut merge = Command::new(program);
    // What is in the first folder counts as reached.
    for entry in fs::read_dir(kept)?.flatten() {
        fs::copy(entry.path(), fresh.join(entry.file_name()))?;
    }
    merge.env("LOCKSTEP_FUZZ_TARGET", name).arg("-merge=1").arg(&fresh).arg(found);
    run(&mut merge)?;
    let mut new: Vec<(u64, PathBuf)> = Vec::new();
    let mut room = KEPT_BYTES;
    for entry in fs::read_dir(&fresh)?.flatten() {
        let bytes = entry.metadata()?.len();
        if kept.join(entry.file_name()).exists() {
            room = room.saturating_sub(bytes);
        } else {
            new.push((bytes, entry.path()));
        }
    }
    new.sort();
    let step = new.len().div_ceil(ADDED_MAX).max(1);
    for (bytes, file) in new.into_iter().step_by(step) {
        if bytes > room {
            break;
        }
        room -= bytes;
        fs::copy(&file, kept.join(file.file_name().unwrap_or_default()))?;
    }
    Ok(())
}
