//! Unpacks Debian's `rustc-web` packages, the compiler Debian keeps current to build web browsers with.
//!
//! The packages are downloaded and unpacked into the cache, not installed. When the machine's package
//! lists are too old to know a new enough one, newer lists are fetched into the cache; the machine's own
//! apt state is read and never written.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::{find_on_path, new_enough, sysroot};
use crate::workspace;

/// The compiler's package.
const COMPILER: &str = "rustc-web";

/// The source of its standard library.
const SOURCE: &str = "rust-web-src";

/// The unpacked wasm linker's name, when one had to be fetched.
pub(super) const LINKER: &str = "wasm-ld";

/// Where packages are unpacked.
const UNPACKED: &str = "deb";

/// More packages than the compiler can need; a closure that grows past it has gone astray.
const MAX_PACKAGES: usize = 40;

/// Whether this looks like a machine the route works on; touches no network.
pub(super) fn usable() -> Result<()> {
    for tool in ["apt-get", "apt-cache", "apt-config", "dpkg-deb", "dpkg-query", "tar"] {
        ensure!(find_on_path(tool).is_some(), "there is no {tool} here");
    }
    let sources = debian_sources(Path::new("/etc/apt"));
    ensure!(!sources.is_empty(), "no Debian archive is among apt's sources");
    Ok(())
}

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
        unpack_one(&entry?.path(), &unpacked)?;
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

/// Which package lists apt reads.
enum Apt {
    /// The machine's own.
    System,
    /// Ours in the cache, by the configuration file that names them.
    Private(PathBuf),
}

impl Apt {
    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.env("LC_ALL", "C").stdin(Stdio::null());
        if let Self::Private(config) = self {
            command.env("APT_CONFIG", config);
        }
        command
    }

    /// The version of the compiler these lists would give, if new enough.
    fn candidate(&self) -> Result<String> {
        let policy = workspace::output(self.command("apt-cache").args(["policy", COMPILER]))?;
        let found = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
        let found = found.unwrap_or("(none)");
        let least = env!("CARGO_PKG_RUST_VERSION");
        ensure!(new_enough(found), "apt's {COMPILER} is {found}, but {least} or newer is needed");
        Ok(found.to_owned())
    }
}

fn choose(apt_dir: &Path) -> Result<(Apt, String)> {
    match Apt::System.candidate() {
        Ok(version) => Ok((Apt::System, version)),
        Err(_) => newer_lists(apt_dir),
    }
}

fn newer_lists(apt_dir: &Path) -> Result<(Apt, String)> {
    eprintln!(
        "guests: fetching current Debian package lists into {} (the machine's own stay as they are)",
        apt_dir.display()
    );
    let apt = Apt::Private(configure(apt_dir)?);
    // An index that cannot be fetched matters only if the compiler is then not known.
    let update = workspace::output(apt.command("apt-get").args(["-qq", "update"]));
    match (apt.candidate(), update) {
        (Ok(version), _) => Ok((apt, version)),
        (Err(error), Ok(_)) => Err(error),
        (Err(_), Err(error)) => Err(error).context("cannot fetch Debian's package lists"),
    }
}

/// Writes apt a configuration of its own: the machine's way to the network (proxies, certificates) and its
/// Debian sources, but none of its hooks, which would touch the machine.
fn configure(apt_dir: &Path) -> Result<PathBuf> {
    let dir = |name: &str| -> Result<String> {
        let path = apt_dir.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(path.to_string_lossy().into_owned())
    };
    fs::create_dir_all(apt_dir.join("lists/partial"))?;
    fs::create_dir_all(apt_dir.join("cache/archives/partial"))?;
    let (lists, cache, parts, sources) = (dir("lists")?, dir("cache")?, dir("parts")?, dir("sources")?);
    for (name, text) in debian_sources(Path::new("/etc/apt")) {
        fs::write(Path::new(&sources).join(name), text)?;
    }
    let machine = workspace::output(Apt::System.command("apt-config").arg("dump"))?;
    let network = machine.lines().filter(|line| line.starts_with("Acquire::"));
    let mut text: Vec<String> =
        network.filter(|line| !line.starts_with("Acquire::IndexTargets")).map(str::to_owned).collect();
    text.extend([
        format!("Dir::State::lists \"{lists}\";"),
        "Dir::State::status \"/var/lib/dpkg/status\";".into(),
        format!("Dir::Cache \"{cache}\";"),
        format!("Dir::Etc::parts \"{parts}\";"),
        "Dir::Etc::main \"/dev/null\";".into(),
        "Dir::Etc::sourcelist \"/dev/null\";".into(),
        format!("Dir::Etc::sourceparts \"{sources}\";"),
        "Acquire::Languages \"none\";".into(),
        // Root would otherwise download as a user who cannot write here.
        "APT::Sandbox::User \"root\";".into(),
    ]);
    let config = apt_dir.join("apt.conf");
    fs::write(&config, text.join("\n") + "\n")?;
    Ok(config)
}

/// The parts of apt's source files that name a Debian archive, by file name. A third party's cannot have the
/// compiler and may be slow or gone.
fn debian_sources(etc: &Path) -> Vec<(OsString, String)> {
    let mut files = vec![etc.join("sources.list")];
    if let Ok(entries) = fs::read_dir(etc.join("sources.list.d")) {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    let mut found = Vec::new();
    for file in files {
        let (Ok(text), Some(name)) = (fs::read_to_string(&file), file.file_name()) else { continue };
        let separator = match file.extension().and_then(|ext| ext.to_str()) {
            Some("sources") => "\n\n",
            Some("list") => "\n",
            _ => continue,
        };
        let kept: Vec<_> = text.split(separator).filter(|part| is_debian_archive(part)).collect();
        if !kept.is_empty() {
            found.push((name.to_owned(), kept.join(separator) + "\n"));
        }
    }
    found
}

fn is_debian_archive(source: &str) -> bool {
    let lines = source.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).any(|word| {
        let path = word.split_once("://").map(|(_, rest)| rest.trim_end_matches('/'));
        path.is_some_and(|path| path.ends_with("/debian") || path.ends_with("/debian-security"))
    })
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
    let mut command = apt.command("apt-get");
    command.args(["-qq", "download"]).args(names).current_dir(debs);
    workspace::output(&mut command).context("cannot download the compiler's packages")?;
    Ok(())
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

fn unpack_one(deb: &Path, to: &Path) -> Result<()> {
    let mut files = Command::new("dpkg-deb");
    files.arg("--fsys-tarfile").arg(deb).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut files = files.spawn().context("cannot start dpkg-deb")?;
    let archive = files.stdout.take().context("dpkg-deb has no output")?;
    let mut tar = Command::new("tar");
    tar.args(["-x", "-C"]).arg(to).stdin(Stdio::from(archive));
    let is_source = deb.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SOURCE));
    if is_source {
        tar.args(["--wildcards", "./usr/lib/rustlib/src/rust", "./usr/src/rustc-*/library/*"]);
    } else {
        tar.args(["--exclude", "./usr/share/*"]);
    }
    workspace::run(&mut tar)?;
    let status = files.wait()?;
    ensure!(status.success(), "cannot unpack {}: dpkg-deb {status}", deb.display());
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debian_archives_are_asked() {
        assert!(is_debian_archive("Types: deb\nURIs: http://archive.example/debian\nSuites: bookworm"));
        assert!(is_debian_archive("deb https://mirror.example/debian-security/ bookworm-security main"));
        assert!(!is_debian_archive("# deb http://archive.example/debian bookworm main"));
        assert!(!is_debian_archive("deb https://apt.example/packages stable main"));
    }
}
