//! What the operating system knows of this process and of the disk.

use std::fs;
use std::path::Path;

/// Files of the data folder that are counted: a store of a terabyte has some ten thousand.
const FILES_MAX: usize = 100_000;

/// Folders within folders that are looked into.
const DEPTH_MAX: usize = 8;

/// A look at the process and the data folder.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Look {
    pub(crate) resident_bytes: u64,
    pub(crate) cpu_seconds: f64,
    pub(crate) open_fds: u64,
    pub(crate) threads: u64,
    pub(crate) store_bytes: u64,
    pub(crate) free_bytes: u64,
}

impl Look {
    /// What there is to see; nothing of what cannot be seen.
    pub(crate) fn at(data: &Path) -> Self {
        let mut files = FILES_MAX;
        let mut look = Self {
            open_fds: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
            store_bytes: ["journal", "components"]
                .iter()
                .map(|name| size_of(&data.join(name), DEPTH_MAX, &mut files))
                .sum(),
            free_bytes: rustix::fs::statvfs(data).map_or(0, |disk| disk.f_bavail * disk.f_frsize),
            ..Self::default()
        };
        look.read_stat(&fs::read_to_string("/proc/self/stat").unwrap_or_default());
        look
    }

    /// Fields behind the name, which is in brackets and may hold any character.
    fn read_stat(&mut self, stat: &str) {
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        // Counted from the field `state`, the third of proc(5).
        let number = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u64>().ok());
        let ticks = number(14).unwrap_or_default() + number(15).unwrap_or_default();
        let (per_second, page) = (rustix::param::clock_ticks_per_second(), rustix::param::page_size());
        #[allow(clippy::cast_precision_loss, reason = "seconds of a process are few")]
        let seconds = ticks as f64 / per_second.max(1) as f64;
        self.cpu_seconds = seconds;
        self.threads = number(20).unwrap_or_default();
        self.resident_bytes = number(24).unwrap_or_default() * page as u64;
    }
}

fn size_of(folder: &Path, depth: usize, files: &mut usize) -> u64 {
    let mut size = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if *files == 0 {
            break;
        }
        *files -= 1;
        match entry.metadata() {
            Ok(about) if about.is_dir() && depth > 0 => size += size_of(&entry.path(), depth - 1, files),
            Ok(about) if about.is_file() => size += about.len(),
            _ => {}
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use super::Look;

    #[test]
    fn a_look_sees_this_process() {
        let look = Look::at(std::path::Path::new("/"));
        assert!(
            look.resident_bytes > 100_000 && look.open_fds > 2 && look.threads > 0 && look.free_bytes > 0
        );
        let mut look = Look::default();
        look.read_stat("7 (a b) c) S 1 1 1 0 -1 4 1 0 0 0 200 100 0 0 20 0 9 0 5 1000 3 1");
        assert_eq!(look.threads, 9);
        assert!((look.cpu_seconds - 3.0).abs() < 1e-9, "{look:?}");
    }
}
