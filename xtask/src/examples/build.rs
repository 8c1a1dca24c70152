//! What the READMEs of the projects tell to type.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::tools::{self, Found};
use super::{Language, Missing, Place, Project};
use crate::toolchain::{self, TARGET};
use crate::workspace;

/// Builds the project in `dir`; what is missing for it, if something is.
pub(super) fn build(project: &Project, dir: &Path, place: &Place) -> Result<Option<Missing>> {
    match project.language {
        Language::Rust => rust(project, dir, place).map(|()| None),
        Language::JavaScript => javascript(dir, place),
        Language::Python => python(project, dir, place),
        Language::C => c(dir, place),
    }
}

/// `cargo test`, `cargo build`, `lockstep component wrap`, with the compiler the guests are built with.
///
/// In their target directories, where the crates that the SDK needs are built already.
fn rust(project: &Project, dir: &Path, place: &Place) -> Result<()> {
    let guests = workspace::root().join("guests");
    fs::copy(guests.join("Cargo.lock"), dir.join("Cargo.lock"))?;
    let mut test = workspace::isolated_cargo(dir);
    test.args(["test", "--quiet", "--target-dir"]).arg(guests.join("target/native"));
    // As the guests' own profile says; another would build everything anew.
    workspace::run(test.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only"))?;
    let toolchain = toolchain::find_or_make()?;
    let target_dir = guests.join("target").join(toolchain.key());
    let mut cargo = workspace::isolated_cargo(dir);
    cargo.args(["build", "--quiet", "--release", "--target", TARGET, "--target-dir"]).arg(&target_dir);
    cargo.env("RUSTC", &toolchain.rustc);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", crate::guests::remapped_paths(&workspace::root()));
    if let Some(linker) = &toolchain.linker {
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    workspace::run(&mut cargo)?;
    let module = format!("{}.wasm", project.name.replace('-', "_"));
    let mut wrap = Command::new(&place.lockstep);
    wrap.args(["component", "wrap"]).arg(target_dir.join(TARGET).join("release").join(module));
    wrap.arg("--output").arg(dir.join(format!("{}.wasm", project.name)));
    workspace::output(&mut wrap).map(drop)
}

/// `npm install`, `npm run build`.
fn javascript(dir: &Path, place: &Place) -> Result<Option<Missing>> {
    if let Found::Missing(missing) = tools::npm_packages(&place.work.join("tools"), dir)? {
        return Ok(Some(missing));
    }
    workspace::output(Command::new("npm").args(["run", "--silent", "build"]).current_dir(dir))?;
    Ok(None)
}

/// `pip install`, `componentize-py`.
fn python(project: &Project, dir: &Path, place: &Place) -> Result<Option<Missing>> {
    let requirements = fs::read_to_string(dir.join("requirements.txt"))?;
    let venv = match tools::venv(&place.work.join("tools"), requirements.trim())? {
        Found::There(venv) => venv,
        Found::Missing(missing) => return Ok(Some(missing)),
    };
    let mut compile = Command::new(venv.join("bin/componentize-py"));
    compile.args(["--wit-path", "wit", "--world", "step", "componentize", "step", "--output"]);
    workspace::output(compile.arg(format!("{}.wasm", project.name)).current_dir(dir))?;
    Ok(None)
}

/// `make`, with a compiler from PyPI where there is none for wasm.
fn c(dir: &Path, place: &Place) -> Result<Option<Missing>> {
    let compiler = match tools::c_compiler(&place.work.join("tools"))? {
        Found::There(compiler) => compiler,
        Found::Missing(missing) => return Ok(Some(missing)),
    };
    let mut make = Command::new("make");
    make.arg("--silent").arg(format!("CC={}", compiler.cc)).arg(format!("LD={}", compiler.ld));
    // What this make was told by the one that started it is not for this one.
    make.arg(format!("LOCKSTEP={}", place.lockstep.display())).env_remove("MAKEFLAGS").current_dir(dir);
    for cache in ["ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"] {
        make.env(cache, place.work.join("tools/zig-cache"));
    }
    workspace::output(&mut make)?;
    Ok(None)
}
