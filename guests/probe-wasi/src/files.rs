//! Every way into and out of the directories it was granted.

use crate::bindings::wasi::filesystem::preopens::get_directories;
use crate::bindings::wasi::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags,
};
use std::fmt::Write as _;

/// Bytes read of a file.
const READ_MAX: u64 = 100;

pub(crate) fn ask() -> String {
    let mut text = String::new();
    for (dir, path) in get_directories() {
        let _ = writeln!(text, "{path}");
        list(&dir, 1, &mut text);
        let hash = dir.metadata_hash().map(|hash| (hash.lower, hash.upper));
        let _ = writeln!(text, "  hash {hash:?}");
        for name in ["..", "../etc/passwd", "/etc/passwd", "a/../../x", "./a.txt", "a.txt/x", "nothing", ""] {
            let found = open(&dir, name, OpenFlags::empty(), DescriptorFlags::READ).map(|file| read(&file));
            let _ = writeln!(text, "  open {name:?}: {found:?}");
        }
        let made = open(&dir, "new", OpenFlags::CREATE, DescriptorFlags::WRITE).map(drop);
        let written = open(&dir, "a.txt", OpenFlags::TRUNCATE, DescriptorFlags::WRITE).map(drop);
        let linked = dir.symlink_at("/etc/passwd", "link");
        let (folder, gone) = (dir.create_directory_at("new"), dir.unlink_file_at("a.txt"));
        let _ = writeln!(text, "  change {made:?} {written:?} {linked:?} {folder:?} {gone:?}");
        let _ = writeln!(text, "  link {:?}", dir.readlink_at("a.txt"));
    }
    text
}

fn open(
    dir: &Descriptor,
    path: &str,
    how: OpenFlags,
    flags: DescriptorFlags,
) -> Result<Descriptor, ErrorCode> {
    dir.open_at(PathFlags::SYMLINK_FOLLOW, path, how, flags)
}

fn read(file: &Descriptor) -> String {
    match file.read_via_stream(0) {
        Ok(stream) => stream
            .blocking_read(READ_MAX)
            .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => format!("{error:?}"),
    }
}

fn list(dir: &Descriptor, depth: usize, text: &mut String) {
    let Ok(entries) = dir.read_directory() else { return };
    while let Ok(Some(entry)) = entries.read_directory_entry() {
        let stat = dir.stat_at(PathFlags::empty(), &entry.name);
        let stat = stat.map(|stat| (stat.size, stat.data_modification_timestamp.map(|time| time.seconds)));
        let _ = writeln!(text, "{}{} {stat:?}", "  ".repeat(depth), entry.name);
        if let Ok(below) = open(dir, &entry.name, OpenFlags::DIRECTORY, DescriptorFlags::READ) {
            list(&below, depth + 1, text);
        }
    }
}
