//! One target under libFuzzer: `LOCKSTEP_FUZZ_TARGET` names it, the arguments are libFuzzer's. `cargo xtask fuzz` builds
//! and starts it.
#![no_main]
#![allow(unsafe_code, reason = "the entry points libFuzzer calls are exported under its names")]

use lockstep_fuzz::{Target, target};
use std::sync::OnceLock;

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fn choose() {
    let name = std::env::var("LOCKSTEP_FUZZ_TARGET").unwrap_or_default();
    let target = target(&name).unwrap_or_else(|| panic!("LOCKSTEP_FUZZ_TARGET={name} is no target"));
    // What is made once (components compiled, a runtime) is no part of the first input's time.
    (target.run)(b"");
    CHOSEN.set(target).ok();
}

libfuzzer_sys::fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(target) = CHOSEN.get()
        && data.len() <= target.length_max
    {
        (target.run)(data);
    }
});
