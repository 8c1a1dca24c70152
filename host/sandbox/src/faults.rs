use crate::config::BACKTRACE_FRAMES;
use crate::state::{Breach, HostState};
use lockstep_types::{FailureClass, Fault};
use std::fmt::Write as _;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// Bytes of a fault's message: a line of a terminal or two.
const MESSAGE_BYTES_MAX: usize = 500;

/// Bytes of a backtrace: mangled names of generic functions run to hundreds of bytes each.
const BACKTRACE_BYTES_MAX: usize = 8 << 10;

/// Frames of one function, of those kept, from which its calls are taken for a recursion. A cycle of a few functions
/// comes to as many.
const RECURSIVE_FRAMES_MIN: usize = 5;

/// What was being done when a component failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Instantiate,
    Call,
}

/// A fault without a backtrace.
pub(crate) fn fault(class: FailureClass, message: &str) -> Fault {
    Fault { class, message: one_line(message), backtrace: None }
}

/// What an error of wasmtime says of the component.
pub(crate) fn from_wasmtime(error: &wasmtime::Error, stage: Stage, state: &HostState) -> Fault {
    let trace: Option<&WasmBacktrace> = error.downcast_ref();
    let (class, message) = if let Some(breach) = error.downcast_ref::<Breach>() {
        (breach.class(), breach.to_string())
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        from_trap(*trap, trace, state)
    } else if let Some(exit) = error.downcast_ref::<I32Exit>() {
        let reason = state.logs().reason().unwrap_or_else(|| "and did not say why".to_owned());
        (FailureClass::Trapped, format!("it ended itself with exit status {}: {reason}", exit.0))
    } else if format!("{:#}", error.root_cause()).contains("fuel allocated for hostcalls") {
        // The error has no public type. It is raised before the host allocates what the component announced.
        let limit = state.limits().output_bytes;
        (
            FailureClass::TooMuchOutput,
            format!("it handed the host more than the {limit} bytes allowed at once"),
        )
    } else {
        let cause = error.root_cause();
        match stage {
            Stage::Instantiate => (FailureClass::Unloadable, format!("it cannot be instantiated: {cause}")),
            Stage::Call => {
                (FailureClass::BadOutput, format!("what it handed the host cannot be read: {cause}"))
            }
        }
    };
    Fault { backtrace: trace.and_then(backtrace), ..fault(class, &message) }
}

fn from_trap(trap: Trap, trace: Option<&WasmBacktrace>, state: &HostState) -> (FailureClass, String) {
    let limits = state.limits();
    match trap {
        // Compilers keep part of the stack at the beginning of the memory; below it is nothing.
        Trap::MemoryOutOfBounds if trace.is_some_and(recurses) => (
            FailureClass::StackOverflow,
            "it called itself until its stack reached the end of its memory: does it recurse?".to_owned(),
        ),
        Trap::OutOfFuel => {
            (FailureClass::OutOfFuel, format!("it used up its {} units of fuel: does it loop?", limits.fuel))
        }
        Trap::StackOverflow => (
            FailureClass::StackOverflow,
            format!("it used up its {} bytes of stack: does it recurse?", limits.stack_bytes),
        ),
        Trap::Interrupt => {
            (FailureClass::Trapped, "the host stopped it after minutes without end".to_owned())
        }
        // A panic in Rust, an assertion in C: whoever logs the reason does it just before.
        Trap::UnreachableCodeReached => {
            let message = state.logs().reason().unwrap_or_else(|| {
                "it stopped itself (a panic or a failed assertion) and did not log why".to_owned()
            });
            (FailureClass::Trapped, message)
        }
        other => {
            let text = other.to_string();
            (FailureClass::Trapped, text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned())
        }
    }
}

/// Whether the frames are as many as are kept, and one function has a large part of them.
fn recurses(trace: &WasmBacktrace) -> bool {
    let frames = trace.frames();
    let most = frames
        .iter()
        .map(|frame| frames.iter().filter(|other| other.func_index() == frame.func_index()).count());
    frames.len() >= BACKTRACE_FRAMES.get() && most.max().unwrap_or(0) >= RECURSIVE_FRAMES_MIN
}

/// The frames as text, innermost first; none if no frame has a name.
fn backtrace(trace: &WasmBacktrace) -> Option<String> {
    let mut text = String::new();
    for frame in trace.frames() {
        let Some(name) = frame.func_name() else { continue };
        let at = frame.module_offset().map_or_else(String::new, |at| format!(" at {at:#x}"));
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{:#}{at}", rustc_demangle::demangle(name));
        if text.len() > BACKTRACE_BYTES_MAX {
            break;
        }
    }
    let end = text.floor_char_boundary(BACKTRACE_BYTES_MAX);
    text.truncate(end);
    (!text.is_empty()).then(|| text.trim_end().to_owned())
}

/// `text` as one line of bounded length.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MESSAGE_BYTES_MAX + 4));
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > MESSAGE_BYTES_MAX {
            line.truncate(line.floor_char_boundary(MESSAGE_BYTES_MAX));
            line.push('…');
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE_BYTES_MAX, from_trap, one_line};
    use crate::Limits;
    use crate::state::HostState;
    use expect_test::expect;
    use lockstep_types::{FailureClass, LogLevel};
    use std::sync::Arc;
    use wasmtime::Trap;

    #[test]
    fn a_panic_says_why_where_the_component_logged_it() {
        let state = HostState::new(Arc::new(Limits::default()), Arc::default(), None);
        let (class, silent) = from_trap(Trap::UnreachableCodeReached, None, &state);
        assert_eq!(class, FailureClass::Trapped);
        expect!["it stopped itself (a panic or a failed assertion) and did not log why"].assert_eq(&silent);
        state.logs().log(LogLevel::Error, "panicked at lib.rs:7: no such index".to_owned()).unwrap();
        let (_, told) = from_trap(Trap::UnreachableCodeReached, None, &state);
        expect!["panicked at lib.rs:7: no such index"].assert_eq(&told);
        state.logs().log(LogLevel::Info, "by the way".to_owned()).unwrap();
        assert_eq!(
            from_trap(Trap::UnreachableCodeReached, None, &state).1,
            silent,
            "that was about something else"
        );
    }

    #[test]
    fn other_traps_speak_for_themselves() {
        let state = HostState::new(Arc::new(Limits::default()), Arc::default(), None);
        let said =
            [Trap::IntegerDivisionByZero, Trap::MemoryOutOfBounds, Trap::StackOverflow, Trap::OutOfFuel]
                .map(|trap| from_trap(trap, None, &state))
                .map(|(class, message)| format!("{class}: {message}"));
        expect![[r#"
            trapped: integer divide by zero
            trapped: out of bounds memory access
            stack-overflow: it used up its 524288 bytes of stack: does it recurse?
            out-of-fuel: it used up its 500000000 units of fuel: does it loop?"#]]
        .assert_eq(&said.join("\n"));
    }

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        assert_eq!(one_line("  two\n lines\t"), "two lines");
        let long = one_line(&"ü".repeat(MESSAGE_BYTES_MAX));
        assert!(long.len() <= MESSAGE_BYTES_MAX + '…'.len_utf8());
        assert!(long.ends_with('…'));
    }
}
