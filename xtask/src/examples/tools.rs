//! Compilers for JavaScript, Python and C: what the machine has, else from npm and PyPI, into `target` and nowhere else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Missing;
use crate::workspace;

/// A C compiler with a linker for wasm, as a Python package, for every common machine.
const ZIG: &str = "ziglang==0.17.1";

/// Characters of a tool's complaint that are shown.
const COMPLAINT_CHARS: usize = 300;
/// Lines of it.
const COMPLAINT_LINES: usize = 3;

/// A tool, or what is missing for it.
pub(crate) enum Found<T> {
    There(T),
    Missing(Missing),
}

/// How C is compiled for wasm.
pub(super) struct CCompiler {
    pub(super) cc: String,
    pub(super) ld: String,
}

/// Links `node_modules` of the project in `dir` to the packages its `package.json` names, which are installed once.
pub(super) fn npm_packages(tools: &Path, dir: &Path) -> Result<Found<()>> {
    for tool in ["node", "npm"] {
        if !runs(Command::new(tool).arg("--version")) {
            return Ok(missing(format!("no {tool} on PATH; install Node.js 20 or newer")));
        }
    }
    let package = fs::read(dir.join("package.json"))?;
    let package: Value = serde_json::from_slice(&package).context("package.json is not JSON")?;
    // Only what is installed: projects that differ in their names share it.
    let wanted = json!({
        "private": true,
        "devDependencies": package["devDependencies"],
        "overrides": package["overrides"],
    });
    let wanted = wanted.to_string();
    let installed = tools.join(format!("npm-{}", &digest(&[wanted.as_bytes()])[..12]));
    let complete = installed.join("complete");
    if !complete.is_file() {
        fs::create_dir_all(&installed).with_context(|| format!("cannot create {}", installed.display()))?;
        fs::write(installed.join("package.json"), &wanted)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&installed);
        if let Err(error) = workspace::output(&mut npm) {
            return Ok(missing(format!("its npm packages cannot be had: {}", complaint(&error))));
        }
        fs::write(&complete, "")?;
    }
    let link = dir.join("node_modules");
    if fs::read_link(&link).is_ok_and(|to| to != installed.join("node_modules")) {
        fs::remove_file(&link)?;
    }
    if !link.exists() {
        symlink(installed.join("node_modules"), &link)
            .with_context(|| format!("cannot link {}", link.display()))?;
    }
    Ok(Found::There(()))
}

/// A virtual environment with these packages, made once.
pub(crate) fn venv(tools: &Path, requirements: &str) -> Result<Found<PathBuf>> {
    let dir = tools.join(format!("venv-{}", &digest(&[requirements.as_bytes()])[..12]));
    let complete = dir.join("complete");
    if complete.is_file() {
        return Ok(Found::There(dir));
    }
    if !runs(Command::new("python3").arg("--version")) {
        return Ok(missing("no python3 on PATH; install Python 3.10 or newer".to_owned()));
    }
    fs::create_dir_all(tools).with_context(|| format!("cannot create {}", tools.display()))?;
    if let Err(error) = workspace::output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir)) {
        return Ok(missing(format!("python3 cannot make a virtual environment: {}", complaint(&error))));
    }
    let mut pip = Command::new(dir.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(requirements.lines());
    if let Err(error) = workspace::output(&mut pip) {
        return Ok(missing(format!("{requirements} cannot be had from PyPI: {}", complaint(&error))));
    }
    fs::write(complete, "")?;
    Ok(Found::There(dir))
}

/// The clang of this machine if it knows wasm and has a linker, else zig.
pub(super) fn c_compiler(tools: &Path) -> Result<Found<CCompiler>> {
    if !runs(Command::new("make").arg("--version")) {
        return Ok(missing("no make on PATH".to_owned()));
    }
    let has_wasm = workspace::output(Command::new("clang").arg("--print-targets"));
    if has_wasm.is_ok_and(|targets| targets.contains("wasm32"))
        && runs(Command::new("wasm-ld").arg("--version"))
    {
        return Ok(Found::There(CCompiler {
            cc: "clang --target=wasm32".to_owned(),
            ld: "wasm-ld".to_owned(),
        }));
    }
    Ok(match venv(tools, ZIG)? {
        Found::Missing(Missing(why)) => missing(format!("no clang and wasm-ld on PATH, and {why}")),
        Found::There(venv) => {
            let zig = format!("{} -m ziglang", venv.join("bin/python").display());
            Found::There(CCompiler {
                cc: format!("{zig} cc -target wasm32-freestanding"),
                ld: format!("{zig} wasm-ld"),
            })
        }
    })
}

fn missing<T>(why: String) -> Found<T> {
    Found::Missing(Missing(why))
}

fn runs(command: &mut Command) -> bool {
    workspace::output(command).is_ok()
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of what a tool said, the lines that say most: npm and pip name the error first and where to read more last.
fn complaint(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let is_telling = |line: &&str| line.to_lowercase().contains("error") && !line.contains("complete log");
    let lines: Vec<&str> = text.lines().filter(is_telling).take(COMPLAINT_LINES).collect();
    let lines = if lines.is_empty() { text.clone() } else { lines.join("; ") };
    lines.chars().take(COMPLAINT_CHARS).collect()
}
