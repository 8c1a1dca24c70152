//! Unpacks Debian's `rustc-web` packages, the compiler Debian keeps current to build web browsers with.
//!
//! The packages are downloaded and unpacked into the cache, not installed. When the machine's package
//! lists are too old to know a new enough one, newer lists are fetched into the cache; the machine's own
//! apt state is read and never written.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{new_enough, sysroot};
use crate::debian::{self, Apt};
use crate::workspace;

/// The compiler's package.
const COMPILER: &str = "rustc-web";

/// The source of its standard library.
const SOURCE: &str = "rust-web-src";

/// The unpacked wasm linker's name, when one had to be fetched.
pub(super) const LINKER: &str = "wasm-ld";

/// What is wanted of it, as tar is told.
const ONLY_STD: [&str; 3] = ["--wildcards", "./usr/lib/rustlib/src/rust", "./usr/src/rustc-*/library/*"];

/// Where packages are unpacked.
const UNPACKED: &str = "deb";

/// More packages than the compiler can need; a closure that grows past it has gone astray.
const MAX_PACKAGES: usize = 40;

/// Downloads and unpacks a compiler below `dir`; gives a `rustc` that runs from there.
pub(super) fn unpack(dir: &Path, apt_dir: &Path, has_linker: bool) -> Result<PathBuf> {
    let debs = dir.join("debs");
    fs::create_dir_all(&debs)?;
    let (apt, version) = choose(apt_dir)?;
    eprintln!(
        "guests: unpacking Debian's {COMPILER} {version} into {} and building std with it, once \
         (about 140 MB to download, a minute or two; nothing is installed system-wide)",
        dir.display()
    );
    if let Err(error) = download(&apt, &version, &debs, has_linker) {
        // Lists that are new enough may still name files the mirror has dropped.
        let Apt::System = apt else { return Err(error) };
        let (apt, version) = newer_lists(apt_dir)?;
        download(&apt, &version, &debs, has_linker)?;
    }
    let unpacked = dir.join(UNPACKED);
    fs::create_dir_all(&unpacked)?;
    for entry in fs::read_dir(&debs)? {
        let deb = entry?.path();
        let is_source = deb.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SOURCE));
        debian::unpack_package(&deb, &unpacked, if is_source { &ONLY_STD } else { &debian::NO_DOCS })?;
    }
    fs::remove_dir_all(&debs)?;
    wrap(dir, &unpacked)
}

/// Removes what is of no use once std is built: its source, and apt's lists.
pub(super) fn drop_leftovers(dir: &Path, apt_dir: &Path) -> Result<()> {
    let source = dir.join(UNPACKED).join("usr/src");
    fs::remove_dir_all(&source).with_context(|| format!("cannot remove {}", source.display()))?;
    if apt_dir.is_dir() {
        fs::remove_dir_all(apt_dir).with_context(|| format!("cannot remove {}", apt_dir.display()))?;
    }
    Ok(())
}

/// The version of the compiler these lists would give, if new enough.
fn candidate(apt: &Apt) -> Result<String> {
    let found = apt.candidate(COMPILER)?;
    let least = env!("CARGO_PKG_RUST_VERSION");
    ensure!(new_enough(&found), "apt's {COMPILER} is {found}, but {least} or newer is needed");
    Ok(found)
}

fn choose(apt_dir: &Path) -> Result<(Apt, String)> {
    match candidate(&Apt::System) {
        Ok(version) => Ok((Apt::System, version)),
        Err(_) => newer_lists(apt_dir),
    }
}

fn newer_lists(apt_dir: &Path) -> Result<(Apt, String)> {
    eprintln!(
        "guests: fetching current Debian package lists into {} (the machine's own stay as they are)",
        apt_dir.display()
    );
    // An index that cannot be fetched matters only if the compiler is then not known.
    let (apt, update) = Apt::with_lists_in(apt_dir)?;
    match (candidate(&apt), update) {
        (Ok(version), _) => Ok((apt, version)),
        (Err(error), Ok(())) => Err(error),
        (Err(_), Err(error)) => Err(error).context("cannot fetch Debian's package lists"),
    }
}

fn download(apt: &Apt, version: &str, debs: &Path, has_linker: bool) -> Result<()> {
    let mut packages = closure(apt, version)?;
    if !has_linker {
        let llvm = packages
            .iter()
            .find_map(|name| name.strip_prefix("libllvm"))
            .context("no libllvm to match lld to")?;
        packages.insert(format!("lld-{llvm}"));
    }
    let names = packages.iter().map(|name| pinned(name, version));
    apt.download(names, debs).context("cannot download the compiler's packages")
}

/// The compiler, its source, and every library they need that the machine lacks.
fn closure(apt: &Apt, version: &str) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::from([COMPILER.to_owned(), SOURCE.to_owned()]);
    let mut queue = VecDeque::from([COMPILER.to_owned()]);
    while let Some(name) = queue.pop_front() {
        let depends =
            apt.command("apt-cache").args(["depends", "--important", &pinned(&name, version)]).output()?;
        let text = String::from_utf8_lossy(&depends.stdout);
        for needed in text.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")) {
            if is_wanted(needed) && found.insert(needed.to_owned()) {
                queue.push_back(needed.to_owned());
            }
        }
        ensure!(
            found.len() <= MAX_PACKAGES,
            "{COMPILER} {version} seems to need more than {MAX_PACKAGES} packages"
        );
    }
    if !found.iter().any(|name| name.starts_with("libllvm")) {
        bail!("cannot work out what {COMPILER} {version} needs: no libllvm among {found:?}");
    }
    Ok(found)
}

fn is_wanted(package: &str) -> bool {
    if is_of_the_compiler(package) || package.starts_with("libllvm") {
        return true;
    }
    let is_library = package.starts_with("lib") && !package.ends_with("-dev");
    is_library && !is_installed(package)
}

/// Packages made with the compiler carry its version.
fn is_of_the_compiler(package: &str) -> bool {
    package == COMPILER || package == SOURCE || package.starts_with("libstd-rust-web-")
}

fn pinned(package: &str, version: &str) -> String {
    if is_of_the_compiler(package) { format!("{package}={version}") } else { package.to_owned() }
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]);
    workspace::output(&mut query).is_ok_and(|status| status.starts_with("installed"))
}

/// Writes programs that run the unpacked compiler and linker with the libraries beside them.
fn wrap(dir: &Path, unpacked: &Path) -> Result<PathBuf> {
    let mut libraries = Vec::new();
    library_dirs(&unpacked.join("usr/lib"), 2, &mut libraries)?;
    let base = dir.join("base-rustc");
    sysroot::script(&base, &libraries, &unpacked.join("usr/bin/rustc"), &[])?;
    let linkers = fs::read_dir(unpacked.join("usr/bin"))?.flatten().map(|entry| entry.path());
    let is_linker =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("wasm-ld"));
    if let Some(linker) = linkers.into_iter().find(is_linker) {
        sysroot::script(&dir.join(LINKER), &libraries, &linker, &[])?;
    }
    workspace::output(Command::new(&base).arg("-vV"))
        .context("the unpacked compiler does not run here; a library it needs may be missing")?;
    Ok(base)
}

/// The directories below `dir` that hold shared libraries.
fn library_dirs(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries: Vec<_> = fs::read_dir(dir)?.collect::<std::io::Result<_>>()?;
    if entries.iter().any(|entry| entry.file_name().to_string_lossy().contains(".so")) {
        found.push(dir.to_path_buf());
    }
    for entry in entries {
        if depth > 0 && entry.file_type()?.is_dir() && entry.file_name() != "rustlib" {
            library_dirs(&entry.path(), depth - 1, found)?;
        }
    }
    Ok(())
}
