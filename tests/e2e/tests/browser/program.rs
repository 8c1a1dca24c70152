//! The browser: the machine's own, or the one that `cargo xtask test` unpacked.
#![allow(clippy::print_stdout, reason = "a test that skips itself says so")]

use crate::host::root;
use std::path::PathBuf;

/// The program that starts the browser; none, with a line that says so, where there is none.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let installed = std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name)));
    let unpacked = root().join("target/tools/chromium/chromium");
    let found = std::env::var_os("LOCKSTEP_CHROMIUM").map(PathBuf::from).into_iter().chain(installed);
    let found = found.chain([unpacked]).find(|file| file.is_file());
    if found.is_none() {
        println!("skipped: no chromium here; `cargo xtask test` unpacks one where apt can");
    }
    found
}
