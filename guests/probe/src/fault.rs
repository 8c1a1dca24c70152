//! What a component must not do, and what the host has to stop.
//!
//! | `do` | what happens |
//! |---|---|
//! | `loop` | never returns |
//! | `recurse` | overflows its stack |
//! | `eat-memory` | grows its memory until it is stopped |
//! | `trap` | panics with `text` |
//! | `error` | returns the error `text` |
//! | `huge-output`, `huge-state` | returns `n` bytes |
//! | `bad-state`, `bad-fact` | returns a text that is not JSON |
//! | `host-calls` | asks for the checks `n` times |
//! | `log-flood` | logs `n` lines of 1 kB |
//! | `undeclared-job`, `undeclared-effect` | asks for what its descriptor does not name |

use crate::{Config, completed, to};
use lockstep_sdk::bindings::Transition;
use lockstep_sdk::bindings::lockstep::step::log;
use lockstep_sdk::{Access, Completion, Effect, EffectRequest, JobRequest, NewFact, checks};
use std::hint::black_box;

/// Bytes taken at once when eating memory.
const BITE: usize = 1 << 20;

pub(crate) fn commit(config: &Config) -> Result<Transition, String> {
    let n = config.n.unwrap_or(1_000_000);
    let size = usize::try_from(n).unwrap_or(usize::MAX);
    Ok(match config.action.as_str() {
        "loop" => loop {
            black_box(n);
        },
        "recurse" => completed(recurse(n).to_string()),
        "eat-memory" => eat_memory(),
        "trap" => panic!("{}", config.text("told to")),
        "error" => return Err(config.text("told to")),
        "huge-output" => completed("x".repeat(size)),
        "huge-state" => to(format!("\"{}\"", "x".repeat(size)), Completion::new()),
        "bad-state" => to("not json", Completion::new()),
        "bad-fact" => {
            let mut transition = completed("ok".to_owned());
            transition.facts.push(NewFact { name: "probe".to_owned(), value: "not json".to_owned() });
            transition
        }
        "host-calls" => {
            let answered = (0..n).filter(|_| checks::read().is_ok()).count();
            completed(format!("{answered} of {n} answered"))
        }
        "log-flood" => {
            let line = "x".repeat(1000);
            (0..n).for_each(|_| log::write(log::Level::Info, &line));
            completed(format!("{n} lines"))
        }
        "undeclared-job" => to("{}", JobRequest::new("undeclared", Access::Write)),
        "undeclared-effect" => to("{}", EffectRequest::new(Effect::UpdateBranch)),
        other => return Err(format!("`{other}` is nothing a probe can do")),
    })
}

/// As deep as the stack allows, whatever the compiler would like to make of it.
#[allow(unconditional_recursion, reason = "to overflow the stack is its purpose")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(black_box(depth.wrapping_add(1))) + frame[63]
}

fn eat_memory() -> ! {
    let mut eaten = Vec::new();
    loop {
        eaten.push(black_box(vec![1_u8; BITE]));
    }
}
