//! Unpacks packages of Debian into a folder of ours: downloaded with the machine's own apt, never installed. Its
//! state is read and never written.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// What nobody needs of a package, as tar is told.
pub(crate) const NO_DOCS: [&str; 2] = ["--exclude", "./usr/share/*"];

/// Whether this looks like a machine the route works on; touches no network.
pub(crate) fn usable() -> Result<()> {
    for tool in ["apt-get", "apt-cache", "apt-config", "dpkg-deb", "dpkg-query", "tar"] {
        ensure!(workspace::find_on_path(tool).is_some(), "there is no {tool} here");
    }
    let sources = debian_sources(Path::new("/etc/apt"));
    ensure!(!sources.is_empty(), "no Debian archive is among apt's sources");
    Ok(())
}

/// What nobody needs of a package whose programs draw text.
const NO_DOCS_BUT_FONTS: [&str; 6] =
    ["--exclude", "./usr/share/doc", "--exclude", "./usr/share/man", "--exclude", "./usr/share/locale"];

/// Unpacks packages into `dir`, once; a folder that is there is whole. What they depend on is not fetched: name it, if
/// the machine may lack it.
pub(crate) fn fetch(packages: &[&str], dir: &Path) -> Result<()> {
    fetch_by(dir, &NO_DOCS, |_| Ok(packages.iter().map(|name| (*name).to_owned()).collect()))
}

/// The same with all that they depend on and the machine has not installed.
pub(crate) fn fetch_whole(packages: &[&str], dir: &Path) -> Result<()> {
    fetch_by(dir, &NO_DOCS_BUT_FONTS, |apt| apt.missing(packages))
}

/// Unpacks the packages that `named` names by apt's lists.
fn fetch_by(dir: &Path, leave: &[&str], named: impl Fn(&Apt) -> Result<Vec<String>>) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    usable()?;
    let partial = dir.with_extension("partial");
    let debs = partial.join("debs");
    if partial.is_dir() {
        fs::remove_dir_all(&partial).with_context(|| format!("cannot clear {}", partial.display()))?;
    }
    fs::create_dir_all(&debs).with_context(|| format!("cannot create {}", debs.display()))?;
    let fetched = named(&Apt::System).and_then(|names| Apt::System.download(names, &debs));
    if fetched.is_err() {
        // Lists that are too old, or none, name files the mirror has dropped.
        let (apt, _) = Apt::with_lists_in(&partial.join("apt"))?;
        apt.download(named(&apt)?, &debs)?;
    }
    let unpacked = partial.join("root");
    fs::create_dir(&unpacked)?;
    for entry in fs::read_dir(&debs)? {
        unpack_package(&entry?.path(), &unpacked, leave)?;
    }
    fs::rename(&unpacked, dir).with_context(|| format!("cannot create {}", dir.display()))?;
    fs::remove_dir_all(&partial)?;
    Ok(())
}

/// Which package lists apt reads.
pub(crate) enum Apt {
    /// The machine's own.
    System,
    /// Ours in the cache, by the configuration file that names them.
    Private(PathBuf),
}

impl Apt {
    pub(crate) fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        command.env("LC_ALL", "C").stdin(Stdio::null());
        if let Self::Private(config) = self {
            command.env("APT_CONFIG", config);
        }
        command
    }

    /// Fetches current package lists into `apt_dir`; the machine's own stay as they are. Also gives what went wrong,
    /// which matters only if what is looked for is then not known.
    pub(crate) fn with_lists_in(apt_dir: &Path) -> Result<(Self, Result<()>)> {
        let apt = Self::Private(configure(apt_dir)?);
        let update = workspace::output(apt.command("apt-get").args(["-qq", "update"]));
        Ok((apt, update.map(drop)))
    }

    /// The version of `package` that these lists would give.
    pub(crate) fn candidate(&self, package: &str) -> Result<String> {
        let policy = workspace::output(self.command("apt-cache").args(["policy", package]))?;
        let found = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
        Ok(found.unwrap_or("(none)").to_owned())
    }

    /// What would have to be installed for `packages` to work, by name, themselves included.
    fn missing(&self, packages: &[&str]) -> Result<Vec<String>> {
        let mut command = self.command("apt-get");
        command.args([
            "-qq",
            "--print-uris",
            "--no-install-recommends",
            "-o",
            "Debug::NoLocking=true",
            "install",
        ]);
        let printed = workspace::output(command.args(packages))?;
        // 'ADDRESS' NAME_VERSION_ARCHITECTURE.deb SIZE HASH
        let files = printed.lines().filter_map(|line| line.split_whitespace().nth(1));
        let mut names: Vec<String> =
            files.filter_map(|file| file.split_once('_')).map(|(name, _)| name.to_owned()).collect();
        // Packages that are installed already are not printed, and yet asked for.
        names.extend(
            packages
                .iter()
                .filter(|name| !names.iter().any(|had| had == *name))
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>(),
        );
        Ok(names)
    }

    /// Downloads packages into `debs`, without those they depend on.
    pub(crate) fn download(&self, packages: impl IntoIterator<Item = String>, debs: &Path) -> Result<()> {
        let mut command = self.command("apt-get");
        command.args(["-qq", "download"]).args(packages).current_dir(debs);
        workspace::output(&mut command).map(drop)
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

/// Unpacks one package; `only` tells tar what to take or leave.
pub(crate) fn unpack_package(deb: &Path, to: &Path, only: &[&str]) -> Result<()> {
    let mut files = Command::new("dpkg-deb");
    files.arg("--fsys-tarfile").arg(deb).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut files = files.spawn().context("cannot start dpkg-deb")?;
    let archive = files.stdout.take().context("dpkg-deb has no output")?;
    let mut tar = Command::new("tar");
    tar.args(["-x", "-C"]).arg(to).stdin(Stdio::from(archive));
    tar.args(only);
    workspace::run(&mut tar)?;
    let status = files.wait()?;
    ensure!(status.success(), "cannot unpack {}: dpkg-deb {status}", deb.display());
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
