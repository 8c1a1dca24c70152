//! `cargo xtask guests`: every guest crate becomes a component in `target/components`, which the host embeds.
//!
//! Crates marked `[package.metadata.lockstep] probe = true` exist for tests alone and go to `target/probes`;
//! members of the workspace that live outside `guests` are examples and go to `target/examples`.
//! The directories are always below the repository's root, whatever `CARGO_TARGET_DIR` says: the host's
//! build script must find them without being told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::{Message, Package, PackageId, TargetKind};
use sha2::{Digest, Sha256};

use crate::toolchain::{self, TARGET, Toolchain};
use crate::{component, workspace};

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Only print how a compiler would be found: env, native, cached, rust-src or debian
    #[arg(long)]
    print_route: bool,
}

/// One crate of the guest workspace that becomes a component.
struct Guest {
    name: String,
    kind: Kind,
}

/// What a component is for, which decides where it goes.
#[derive(Clone, Copy)]
enum Kind {
    /// Embedded in the host.
    Standard,
    /// For tests of the host.
    Probe,
    /// For people to read and copy.
    Example,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Standard, Self::Probe, Self::Example];

    /// The directory below `target`.
    fn dir(self) -> &'static str {
        match self {
            Self::Standard => "components",
            Self::Probe => "probes",
            Self::Example => "examples",
        }
    }

    fn of(package: &Package, guests: &Path) -> Self {
        if package.metadata["lockstep"]["probe"].as_bool().unwrap_or(false) {
            Self::Probe
        } else if package.manifest_path.starts_with(guests) {
            Self::Standard
        } else {
            Self::Example
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.print_route {
        return toolchain::print_route();
    }
    build()
}

/// Builds all guests; quick when nothing changed.
pub(crate) fn build() -> Result<()> {
    let root = workspace::root();
    let dir = root.join("guests");
    ensure!(dir.join("Cargo.toml").is_file(), "there is no guest workspace at {}", dir.display());
    let guests = members(&dir)?;
    let toolchain = toolchain::find_or_make()?;
    eprintln!("guests: {} ({} route)", toolchain.name(), toolchain.route);
    let target_dir = dir.join("target").join(toolchain.key());
    let modules = compile(&dir, &root, &target_dir, &toolchain, &guests)?;
    let (mut kept, mut failed) = (BTreeSet::new(), 0);
    for (id, guest) in &guests {
        let out = root.join("target").join(guest.kind.dir()).join(format!("{}.wasm", guest.name));
        kept.insert(out.clone());
        let module =
            modules.get(id).with_context(|| format!("cargo made no wasm module of guest {}", guest.name))?;
        // One guest that is no component must not keep the others from being built.
        if let Err(error) = put(guest, module, &target_dir.join("components"), &out) {
            eprintln!("guest {} cannot be a component: {error:#}", guest.name);
            failed += 1;
        }
    }
    for kind in Kind::ALL {
        remove_stale(&root.join("target").join(kind.dir()), &kept)?;
    }
    ensure!(failed == 0, "{failed} of {} guests cannot be components", guests.len());
    Ok(())
}

fn put(guest: &Guest, module: &Path, cache: &Path, out: &Path) -> Result<()> {
    let component = encoded(module, cache, guest)?;
    let changed = write_if_changed(out, &component)?;
    print_line(guest, &component, changed);
    Ok(())
}

/// The members that are a `cdylib`, by package id.
fn members(dir: &Path) -> Result<BTreeMap<PackageId, Guest>> {
    let metadata = workspace::metadata(dir)?;
    let mut guests = BTreeMap::new();
    for package in metadata.workspace_packages() {
        let is_cdylib = |target: &cargo_metadata::Target| target.kind.contains(&TargetKind::CDyLib);
        if package.targets.iter().any(is_cdylib) {
            let name = package.name.replace('_', "-");
            guests.insert(package.id.clone(), Guest { name, kind: Kind::of(package, dir) });
        }
    }
    ensure!(!guests.is_empty(), "no crate in {} is a `cdylib`", dir.display());
    Ok(guests)
}

/// Compiles the guests; gives each one's core module.
fn compile(
    dir: &Path,
    root: &Path,
    target_dir: &Path,
    toolchain: &Toolchain,
    guests: &BTreeMap<PackageId, Guest>,
) -> Result<BTreeMap<PackageId, PathBuf>> {
    let mut cargo = workspace::isolated_cargo(dir);
    cargo.args(["build", "--locked", "--release", "--lib", "--target", TARGET]);
    cargo.args(["--message-format", "json-render-diagnostics", "--target-dir"]).arg(target_dir);
    for id in guests.keys() {
        cargo.args(["--package", &id.repr]);
    }
    cargo.env("RUSTC", &toolchain.rustc).env("CARGO_ENCODED_RUSTFLAGS", remapped_paths(root));
    if let Some(linker) = &toolchain.linker {
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    let mut child =
        cargo.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut modules = BTreeMap::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        let Message::CompilerArtifact(artifact) = message? else { continue };
        let wasm = artifact.filenames.into_iter().find(|file| file.extension() == Some("wasm"));
        if let Some(wasm) = wasm {
            modules.insert(artifact.package_id, wasm.into_std_path_buf());
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!(
            "the guests do not compile: `cargo build --locked --release --target {TARGET}` in {}: {status}",
            dir.display()
        );
    }
    Ok(modules)
}

/// Keeps this machine's paths out of panic messages, so that equal sources give equal bytes everywhere.
pub(crate) fn remapped_paths(root: &Path) -> String {
    let mut flags = vec![format!("--remap-path-prefix={}=/lockstep", root.display())];
    if let Some(home) = workspace::cargo_home() {
        flags.push(format!("--remap-path-prefix={}=/crates", home.join("registry/src").display()));
    }
    flags.join("\x1f")
}

/// The module as a component; from the last time if the module is the same.
fn encoded(module: &Path, dir: &Path, guest: &Guest) -> Result<Vec<u8>> {
    let name = &guest.name;
    let (cached, made_of) = (dir.join(format!("{name}.wasm")), dir.join(format!("{name}.core.wasm")));
    let module = read(module)?;
    if is_equal(&made_of, &module).unwrap_or(false) && is_newer_than_this_program(&cached) {
        return read(&cached);
    }
    let component = component::encode(&module, matches!(guest.kind, Kind::Probe))?;
    write_atomically(&cached, &component)?;
    write_atomically(&made_of, &module)?;
    Ok(component)
}

/// Another version of this program may encode differently.
fn is_newer_than_this_program(path: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let program = std::env::current_exe().ok().and_then(|program| modified(&program));
    program.is_some() && program < modified(path)
}

fn print_line(guest: &Guest, component: &[u8], changed: bool) {
    let digest: String = Sha256::digest(component).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let kilobytes = component.len().div_ceil(1000);
    let state = if changed { "written" } else { "" };
    println!(
        "{}",
        format!("{:<24} {kilobytes:>6} kB  {digest}  {:<10} {state}", guest.name, guest.kind.dir())
            .trim_end()
    );
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Leaves an equal file alone: its time stamp would rebuild the host.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if is_equal(path, bytes).unwrap_or(false) {
        return Ok(false);
    }
    write_atomically(path, bytes)?;
    Ok(true)
}

fn is_equal(path: &Path, bytes: &[u8]) -> std::io::Result<bool> {
    let mut file = fs::File::open(path)?;
    if file.metadata()?.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut there = Vec::with_capacity(bytes.len());
    file.read_to_end(&mut there)?;
    Ok(there == bytes)
}

/// A build of the host that runs meanwhile sees the old file or the new one, never half of it.
fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().context("a path without a directory")?;
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    fs::write(&partial, bytes)
        .and_then(|()| fs::rename(&partial, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A component whose crate is gone must not be embedded any longer.
fn remove_stale(dir: &Path, kept: &BTreeSet<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "wasm") && !kept.contains(&path) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            println!("removed {}: no guest of that name", path.display());
        }
    }
    Ok(())
}
