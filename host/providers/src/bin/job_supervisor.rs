//! Runs `lockstep_providers::supervise` on the folder it is given, for the tests of this crate.
//!
//! A job outlives its host on purpose; a test that is killed has nobody who comes back for it. So this supervisor, unlike
//! that of the binary, ends its program when whoever started it is gone.

use rustix::process::{Signal, getpid, getppid, kill_process};
use std::time::Duration;

/// Between two looks at whether the test is still there.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

fn main() {
    let test = getppid();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(LOOK_INTERVAL);
            if getppid() != test {
                kill_process(getpid(), Signal::TERM).ok();
            }
        }
    });
    let code = std::env::args_os().nth(1).map_or(2, |dir| lockstep_providers::supervise(dir.as_ref()));
    std::process::exit(code);
}
