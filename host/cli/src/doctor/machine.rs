//! The machine: folder, disk, programs, limits.

use super::Check;
use crate::wiring;
use rustix::process::{Resource, getrlimit};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// The oldest git whose options are used.
const GIT_MIN: (u32, u32) = (2, 31);

/// Open files with which a host with hundreds of jobs and connections has room.
const FILES_MIN: u64 = 1024;

pub(super) fn checks(folder: &Path) -> Vec<Check> {
    vec![data_folder(folder), disk(folder), git(), supervisor(), files(), cache(folder)]
}

fn data_folder(folder: &Path) -> Check {
    let (name, shown) = ("data folder", folder.display());
    match std::fs::metadata(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Check::ok(name, format!("{shown} is not there yet; the first command makes it"))
        }
        Err(error) => Check::failed(name, format!("{shown}: {error}"), "name another with --data"),
        Ok(about) if !about.is_dir() => {
            Check::failed(name, format!("{shown} is no folder"), "name another with --data")
        }
        Ok(about) if about.permissions().mode() & 0o077 != 0 => Check::warning(
            name,
            format!("others may look into {shown}, where logs and keys are"),
            format!("chmod 700 {shown}"),
        ),
        Ok(_) => Check::ok(name, shown.to_string()),
    }
}

fn disk(folder: &Path) -> Check {
    if !folder.is_dir() {
        return Check::ok("disk", "nothing is stored yet");
    }
    match wiring::ready::disk(folder) {
        Some(line) => Check::failed("disk", line, "free some space, or move the data folder"),
        None => {
            let free = rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_bavail * disk.f_frsize);
            Check::ok("disk", format!("{} free, writable", crate::render::bytes(free)))
        }
    }
}

fn git() -> Check {
    let output = Command::new("git").arg("--version").output();
    let text = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Check::failed("git", format!("it ended badly: {said}"), "install git again");
        }
        Err(error) => return Check::failed("git", format!("cannot be run: {error}"), "install git"),
    };
    match version(&text) {
        Some(found) if found < GIT_MIN => {
            Check::failed("git", text, format!("install {}.{} or newer", GIT_MIN.0, GIT_MIN.1))
        }
        Some(_) => Check::ok("git", text),
        None => Check::warning("git", text, "its version is not understood; use a usual one"),
    }
}

/// Of `git version 2.39.5`.
fn version(text: &str) -> Option<(u32, u32)> {
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut parts = number.split('.').map(str::parse::<u32>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// Jobs are carried out by this program, started anew.
fn supervisor() -> Check {
    let name = "supervisor";
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            return Check::failed(name, format!("this program cannot be found: {error}"), "install it again");
        }
    };
    match Command::new(&program).arg("--version").output() {
        Ok(output) if output.status.success() => {
            Check::ok(name, String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => {
            let next = "install lockstep again, and restart a server that still runs the old one";
            Check::failed(name, format!("{} ended with {}", program.display(), output.status), next)
        }
        Err(error) => {
            let next = "the program was moved or removed: put it back, and restart a server that runs";
            Check::failed(name, format!("{} cannot be started: {error}", program.display()), next)
        }
    }
}

fn files() -> Check {
    let limit = getrlimit(Resource::Nofile).current;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.trim();
    match limit {
        Some(limit) if limit < FILES_MIN => Check::warning(
            "limits",
            format!("Linux {kernel}; {limit} open files"),
            format!("allow {FILES_MIN} or more: ulimit -n, or LimitNOFILE of the service"),
        ),
        Some(limit) => Check::ok("limits", format!("Linux {kernel}; {limit} open files")),
        None => Check::ok("limits", format!("Linux {kernel}; any number of open files")),
    }
}

fn cache(folder: &Path) -> Check {
    let (name, cache) = ("compile cache", wiring::cache_dir(folder));
    let shown = cache.display();
    let count = match std::fs::read_dir(&cache) {
        Ok(entries) => entries.count(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Check::ok(name, format!("{shown} is not there yet"));
        }
        Err(error) => {
            let next = "every start compiles everything: let it be read, or set LOCKSTEP_CACHE";
            return Check::warning(name, format!("{shown}: {error}"), next);
        }
    };
    match rustix::fs::access(&cache, rustix::fs::Access::WRITE_OK) {
        Ok(()) => Check::ok(name, format!("{shown}, {count} files")),
        Err(error) => {
            let next = "every start compiles everything: let it be written, or set LOCKSTEP_CACHE";
            Check::warning(name, format!("{shown}: {error}"), next)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_is_read() {
        assert_eq!(version("git version 2.39.5"), Some((2, 39)));
        assert_eq!(version("git version 2.50.1 (Apple Git-155)"), Some((2, 50)));
        assert_eq!(version("git version 3.0-rc1"), None);
        assert_eq!(version(""), None);
    }
}
