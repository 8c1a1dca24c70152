//! Builds the standard library for the wasm target with a compiler that has its source.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{TARGET, field};
use crate::workspace;

/// A package with nothing in it: building it is a way to make cargo build std.
const SEED_MANIFEST: &str = r#"[package]
name = "seed"
version = "0.0.0"
edition = "2024"

[profile.release]
panic = "abort"

[workspace]
"#;

/// Builds std with `base` and leaves in `dir` a `rustc` that has it, beside its `sysroot`.
pub(super) fn build(base: &Path, linker: &Path, dir: &Path) -> Result<()> {
    let base_sysroot = workspace::output(Command::new(base).args(["--print", "sysroot"]))?;
    let base_sysroot = PathBuf::from(base_sysroot.trim_end());
    let version = workspace::output(Command::new(base).arg("-vV"))?;
    let seed = dir.join("seed");
    fs::create_dir_all(seed.join("src"))?;
    fs::write(seed.join("Cargo.toml"), SEED_MANIFEST)?;
    fs::write(seed.join("src/lib.rs"), "")?;

    let mut cargo = workspace::isolated_cargo(&seed);
    cargo
        .args(["build", "--quiet", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"])
        .arg("--target-dir")
        .arg(seed.join("target"))
        .env("RUSTC", base)
        // The one way to build std with a released compiler.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&base_sysroot));
    workspace::run(&mut cargo).context("cannot build the standard library")?;

    let rustlib = dir.join("sysroot/lib/rustlib");
    let libdir = rustlib.join(TARGET).join("lib");
    fs::create_dir_all(&libdir)?;
    let copied = copy_rlibs(&seed.join("target").join(TARGET).join("release/deps"), &libdir)?;
    if copied == 0 {
        bail!("cargo built no standard library in {}", seed.display());
    }
    // Build scripts and macros run on the host and need its std too.
    let host = field(&version, "host");
    symlink(base_sysroot.join("lib/rustlib").join(&host), rustlib.join(&host))?;
    script(&dir.join("rustc"), &[], base, &["--sysroot", &dir.join("sysroot").to_string_lossy()])?;
    fs::remove_dir_all(&seed)?;
    Ok(())
}

fn flags(base_sysroot: &Path) -> String {
    // Guests use LTO, which needs the bitcode; remapped paths keep this machine's out of the guests.
    let mut flags = vec!["-Cembed-bitcode=yes".to_owned()];
    flags.push(format!("--remap-path-prefix={}=/rust", base_sysroot.join("lib/rustlib/src/rust").display()));
    if let Some(home) = workspace::cargo_home() {
        flags.push(format!("--remap-path-prefix={}=/crates", home.join("registry/src").display()));
    }
    flags.join("\x1f")
}

fn copy_rlibs(from: &Path, to: &Path) -> Result<usize> {
    let mut copied = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with("lib") && text.ends_with(".rlib") && !text.starts_with("libseed-") {
            fs::copy(entry.path(), to.join(&name))?;
            copied += 1;
        }
    }
    Ok(copied)
}

/// Writes a program at `path` that runs `program` with leading `args`, finding shared libraries in `libraries` too.
pub(super) fn script(path: &Path, libraries: &[PathBuf], program: &Path, args: &[&str]) -> Result<()> {
    let mut text = String::from("#!/bin/sh\n");
    if !libraries.is_empty() {
        let list: Vec<_> = libraries.iter().map(|dir| dir.to_string_lossy().into_owned()).collect();
        let list = quoted(&list.join(":"));
        text.push_str(&format!(
            "LD_LIBRARY_PATH={list}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\nexport LD_LIBRARY_PATH\n"
        ));
    }
    let args: String = args.iter().map(|arg| format!(" {}", quoted(arg))).collect();
    text.push_str(&format!("exec {}{args} \"$@\"\n", quoted(&program.to_string_lossy())));
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_passes_odd_paths_and_arguments_through() -> Result<()> {
        let dir = std::env::temp_dir().join(format!("lockstep it's a script {}", std::process::id()));
        fs::create_dir_all(&dir)?;
        let path = dir.join("echo");
        script(&path, &[dir.join("a lib")], Path::new("/bin/echo"), &["one two"])?;
        let said = workspace::output(Command::new(&path).arg("three  four"))?;
        assert_eq!(said, "one two three  four\n");
        fs::remove_dir_all(&dir)?;
        Ok(())
    }
}
