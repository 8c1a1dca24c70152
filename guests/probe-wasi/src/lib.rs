//! Step kind `probe-wasi`: asks WASI for everything that could differ from call to call or reach beyond the call, and
//! completes with the answers. Its config is a JSON string: a word for what else to do, `ask` for nothing.
//!
//! | config | what happens |
//! |---|---|
//! | `"ask"` | time, sleeping, random numbers, environment, sockets, files |
//! | `"panic"`, `"exit"` | writes why to standard error, and traps or exits |
//! | `"chatter"` | writes a thousand lines to standard output |
//! | `"hoard"` | asks for more random bytes than there are |
#![cfg_attr(
    not(target_family = "wasm"),
    allow(dead_code, reason = "it is exported where it is compiled for wasm")
)]

#[allow(
    unreachable_pub,
    unsafe_code,
    clippy::allow_attributes_without_reason,
    clippy::needless_pass_by_value,
    clippy::use_self,
    reason = "generated; the canonical ABI is raw memory"
)]
#[rustfmt::skip]
mod bindings {
    wit_bindgen::generate!({ path: ["../../wit/step@0.2.0", "wit"], world: "lockstep:probe-wasi/probe", generate_all });

    #[cfg(target_family = "wasm")]
    export!(Probe with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Probe;
}

mod files;

use bindings::lockstep::step::types::{Access, Completion, Descriptor, Next, StepInput};
use bindings::wasi::cli::{environment, exit, stderr, stdout};
use bindings::wasi::clocks::{monotonic_clock, wall_clock};
use bindings::wasi::io::poll;
use bindings::wasi::random::{insecure, insecure_seed, random};
use bindings::wasi::sockets::network::IpAddressFamily;
use bindings::wasi::sockets::tcp_create_socket::create_tcp_socket;
use bindings::{Guest, Transition};
use std::fmt::Write as _;

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// The component.
struct Probe;

impl Guest for Probe {
    fn describe() -> Descriptor {
        Descriptor {
            kind: "probe-wasi".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state_version: 1,
            summary: format!("Asks WASI; its first random number is {}.", random::get_random_u64()),
            config_schema: "{}".to_owned(),
            jobs: Vec::new(),
            effects: Vec::new(),
            access: Access::ReadOnly,
            documents: Vec::new(),
            grades: Vec::new(),
            needs: Vec::new(),
        }
    }

    fn advance(input: StepInput) -> Result<Transition, String> {
        match input.step.config.trim_matches('"') {
            "panic" => {
                print_error(
                    "\nthread 'main' panicked at src/lib.rs:7:5:\nno such index\nnote: run with more\n",
                );
                panic!("its own message goes nowhere on this target");
            }
            "exit" => {
                print_error("Traceback:\nValueError: no such name");
                exit::exit(Err(()));
            }
            "chatter" => (0..1000).for_each(|line| print(&format!("line {line}\n"))),
            "hoard" => (0..1000).for_each(|_| drop(random::get_random_bytes(1 << 20))),
            _ => {}
        }
        Ok(completed(ask()))
    }

    fn migrate(_from_version: u32, state: String) -> Result<String, String> {
        Ok(state)
    }
}

fn print(text: &str) {
    drop(stdout::get_stdout().blocking_write_and_flush(text.as_bytes()));
}

fn print_error(text: &str) {
    drop(stderr::get_stderr().blocking_write_and_flush(text.as_bytes()));
}

/// Everything, a line each.
fn ask() -> String {
    let mut text = String::new();
    let mut line = |what: &str, told: &dyn std::fmt::Debug| {
        let _ = writeln!(text, "{what}: {told:?}");
    };
    let wall = wall_clock::now();
    line("wall", &(wall.seconds, wall.nanoseconds));
    let (before, still) = (monotonic_clock::now(), monotonic_clock::now());
    line("the clock stands still", &(before == still));
    monotonic_clock::subscribe_duration(5 * SECOND).block();
    line("slept", &(monotonic_clock::now() - before));
    let (late, soon) =
        (monotonic_clock::subscribe_duration(9 * SECOND), monotonic_clock::subscribe_duration(SECOND));
    line("first of two", &poll::poll(&[&late, &soon]));
    line("slept", &(monotonic_clock::now() - before));
    line("is the other over", &late.ready());
    line("random", &random::get_random_u64());
    line("bytes", &random::get_random_bytes(5));
    line("insecure", &insecure::get_insecure_random_u64());
    line("seed", &insecure_seed::insecure_seed());
    line("environment", &environment::get_environment());
    line("arguments", &environment::get_arguments());
    line("folder", &environment::initial_cwd());
    line("socket", &create_tcp_socket(IpAddressFamily::Ipv4).map(drop));
    text.push_str(&files::ask());
    print("asked\n");
    text
}

fn completed(output: String) -> Transition {
    let completion = Completion {
        output: Some(output),
        artifact: None,
        item_status: None,
        on_behalf_of: Vec::new(),
        approved: false,
    };
    Transition {
        state: "{}".to_owned(),
        note: None,
        progress: None,
        facts: Vec::new(),
        notices: Vec::new(),
        settled_notices: Vec::new(),
        documents: Vec::new(),
        teardowns: Vec::new(),
        next: Next::Complete(completion),
    }
}
