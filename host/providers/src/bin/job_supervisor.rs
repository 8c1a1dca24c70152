//! Runs `lockstep_providers::supervise` on the folder it is given, for the tests of this crate.

fn main() {
    let code = std::env::args_os().nth(1).map_or(2, |dir| lockstep_providers::supervise(dir.as_ref()));
    std::process::exit(code);
}
