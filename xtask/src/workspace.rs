//! Where the repository is, and how its tasks start other programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};

/// Set by the `cargo run` that started this task; true of this package alone, so no child may see them.
const SET_BY_CARGO_RUN: [&str; 4] = ["CARGO", "CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];

/// What a person may have set for host builds and must not reach a wasm build.
const HOST_ONLY: [&str; 11] = [
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    // The variable follows a repository that was moved after xtask was compiled; a bare start of the
    // binary falls back to where it was compiled.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// `cargo` in `dir`, with the person's own settings for host builds.
pub(crate) fn cargo(dir: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(dir);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_this_package = text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_");
        if of_this_package || SET_BY_CARGO_RUN.contains(&text.as_ref()) {
            command.env_remove(&name);
        }
    }
    command
}

/// `cargo` in `dir` for a build whose compiler, flags and target directory xtask decides alone.
pub(crate) fn isolated_cargo(dir: &Path) -> Command {
    let mut command = cargo(dir);
    for name in HOST_ONLY {
        command.env_remove(name);
    }
    command
}

/// The manifests of the workspace in `dir`, without their dependencies' own.
pub(crate) fn metadata(dir: &Path) -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.manifest_path(dir.join("Cargo.toml")).no_deps();
    command.exec().with_context(|| format!("cannot read the workspace {}", dir.display()))
}

/// Cargo's home, where registry sources are unpacked.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| home().map(|home| home.join(".cargo")))
}

/// The person's home directory.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// Where a program is that can be started by its name.
pub(crate) fn find_on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Runs to the end with the terminal's own output and fails with the command's text.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs to the end and gives what it printed; its errors become part of ours.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !out.status.success() {
        let stderr = String::from_utf8_lossy(&out.stderr);
        bail!("`{}` failed: {}\n{}", shown(command), out.status, stderr.trim_end());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The command as one would type it, for error messages.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = vec![short(command.get_program())];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    match command.get_current_dir() {
        Some(dir) if dir != root() => format!("cd {} && {}", dir.display(), words.join(" ")),
        _ => words.join(" "),
    }
}

/// Cargo hands its tasks an absolute path to itself; people type `cargo`.
fn short(program: &OsStr) -> String {
    let name = Path::new(program).file_name().unwrap_or(program);
    if name == "cargo" { "cargo".into() } else { program.to_string_lossy().into_owned() }
}
