use crate::support::{call, shown};
use lockstep_sandbox::Limits;
use lockstep_types::{FailureClass, Invocation, Outcome};

fn class(invocation: &Invocation) -> Option<FailureClass> {
    match &invocation.outcome {
        Outcome::Fault(fault) => Some(fault.class),
        Outcome::Transition(_) => None,
    }
}

#[tokio::test]
async fn a_loop_ends_with_its_fuel() {
    let limits = Limits { fuel: 5_000_000, ..Limits::default() };
    let invocation = call(limits.clone(), r#"{"do":"loop"}"#).await;
    assert_eq!(shown(&invocation), "out-of-fuel: it used up its 5000000 units of fuel: does it loop?");
    assert_eq!(invocation.fuel, limits.fuel, "all of it");
}

#[tokio::test]
async fn endless_recursion_ends_with_its_stack() {
    let invocation = call(Limits::default(), r#"{"do":"recurse"}"#).await;
    assert_eq!(class(&invocation), Some(FailureClass::StackOverflow), "{}", shown(&invocation));
}

#[tokio::test]
async fn greed_ends_with_its_memory() {
    let limits = Limits { memory_bytes: 8 << 20, ..Limits::default() };
    let invocation = call(limits.clone(), r#"{"do":"eat-memory"}"#).await;
    assert_eq!(class(&invocation), Some(FailureClass::OutOfMemory), "{}", shown(&invocation));
    assert!(invocation.peak_memory <= limits.memory_bytes as u64);
    assert!(invocation.peak_memory > 4 << 20, "{}", invocation.peak_memory);
}

#[tokio::test]
async fn a_memory_too_small_to_begin_with_is_a_fault_too() {
    let limits = Limits { memory_bytes: 64 << 10, ..Limits::default() };
    let invocation = call(limits, r#"{"do":"complete"}"#).await;
    assert_eq!(class(&invocation), Some(FailureClass::OutOfMemory), "{}", shown(&invocation));
}

#[tokio::test]
async fn too_much_output_is_refused() {
    let invocation = call(Limits::default(), r#"{"do":"huge-output","n":3000000}"#).await;
    assert_eq!(shown(&invocation), "too-much-output: it returned more than the 2097152 bytes allowed");
}

#[tokio::test]
async fn too_large_a_state_is_refused() {
    let limits = Limits { state_bytes: 1000, ..Limits::default() };
    let invocation = call(limits, r#"{"do":"huge-state","n":999}"#).await;
    assert_eq!(
        shown(&invocation),
        "too-much-output: it returned a state of 1001 bytes, more than the 1000 allowed"
    );
}

#[tokio::test]
async fn too_many_host_calls_end_the_call() {
    let limits = Limits { host_calls: 3, ..Limits::default() };
    let invocation = call(limits, r#"{"do":"host-calls","n":4}"#).await;
    assert_eq!(class(&invocation), Some(FailureClass::TooManyHostCalls), "{}", shown(&invocation));
    assert_eq!(invocation.observations.len(), 3, "those that were answered");
}

#[tokio::test]
async fn a_flood_of_log_lines_ends_the_call() {
    let limits = Limits { log_lines: 5, ..Limits::default() };
    let invocation = call(limits, r#"{"do":"log-flood","n":1000}"#).await;
    assert_eq!(class(&invocation), Some(FailureClass::TooMuchOutput), "{}", shown(&invocation));
    assert_eq!(invocation.logs.len(), 5);
}

#[tokio::test]
async fn log_bytes_are_bounded_as_well() {
    let limits = Limits { log_bytes: 4500, ..Limits::default() };
    let invocation = call(limits, r#"{"do":"log-flood","n":1000}"#).await;
    assert_eq!(class(&invocation), Some(FailureClass::TooMuchOutput), "{}", shown(&invocation));
    assert_eq!(invocation.logs.len(), 4, "lines of 1000 bytes");
}

#[tokio::test]
async fn more_than_may_be_handed_over_at_once_is_not_even_copied() {
    let limits = Limits { output_bytes: 1 << 20, ..Limits::default() };
    let invocation = call(limits, r#"{"do":"huge-output","n":10000000}"#).await;
    assert_eq!(
        shown(&invocation),
        "too-much-output: it handed the host more than the 1048576 bytes allowed at once"
    );
}

#[tokio::test]
async fn too_large_an_input_is_not_handed_over() {
    let limits = Limits { input_bytes: 100, ..Limits::default() };
    let invocation = call(limits, r#"{"do":"complete"}"#).await;
    assert_eq!(class(&invocation), Some(FailureClass::OutOfMemory));
    assert_eq!(invocation.fuel, 0);
}
