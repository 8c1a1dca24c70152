use crate::support::{Nobody, call, everything, input, options, probe, sandbox, shown};
use expect_test::expect;
use lockstep_ports::StepExecutor as _;
use lockstep_sandbox::Limits;
use lockstep_types::{Digest, FailureClass, JsonText, Outcome};

#[tokio::test]
async fn a_call_is_recorded_whole() {
    let sandbox = sandbox(options(Limits::default()));
    let digest = Digest::of(&probe());
    let given = input(r#"{"do":"complete"}"#);
    let invocation = sandbox.invoke(digest, &everything(), given.clone(), &Nobody).await;
    assert_eq!(invocation.digest, digest);
    assert_eq!(invocation.fingerprint, sandbox.fingerprint());
    assert_eq!(invocation.input, given);
    assert!(matches!(invocation.outcome, Outcome::Transition(_)), "{}", shown(&invocation));
    assert!(invocation.fuel > 0 && invocation.fuel < 10_000_000, "{}", invocation.fuel);
    assert!(invocation.peak_memory >= 64 << 10, "{}", invocation.peak_memory);
}

#[tokio::test]
async fn an_error_of_the_component_is_a_fault() {
    let invocation = call(Limits::default(), r#"{"do":"error"}"#).await;
    assert_eq!(shown(&invocation), "bad-output: its `advance` gave up: told to");
}

#[tokio::test]
async fn a_trap_names_where_it_was() {
    let invocation = call(Limits::default(), r#"{"do":"trap"}"#).await;
    let Outcome::Fault(fault) = &invocation.outcome else { panic!("no fault") };
    assert_eq!(fault.class, FailureClass::Trapped);
    let backtrace = fault.backtrace.as_deref().unwrap();
    assert!(backtrace.contains("advance"), "{backtrace}");
    assert!(invocation.fuel > 0);
}

#[tokio::test]
async fn a_state_that_is_not_json_is_refused() {
    let invocation = call(Limits::default(), r#"{"do":"bad-state"}"#).await;
    expect!["bad-output: the state it returned is not JSON: expected ident at line 1 column 2"]
        .assert_eq(&shown(&invocation));
}

#[tokio::test]
async fn a_fact_that_is_not_json_is_refused_by_its_name() {
    let invocation = call(Limits::default(), r#"{"do":"bad-fact"}"#).await;
    expect!["bad-output: the fact `probe` it returned is not JSON: expected ident at line 1 column 2"]
        .assert_eq(&shown(&invocation));
}

#[tokio::test]
async fn an_import_that_is_not_granted_stops_the_call_before_it_runs() {
    let sandbox = sandbox(options(Limits::default()));
    let mut granted = everything();
    granted.imports.retain(|name| name != "workspace");
    let digest = Digest::of(&probe());
    let invocation = sandbox.invoke(digest, &granted, input("{}"), &Nobody).await;
    assert_eq!(
        shown(&invocation).replace(&digest.short(), "DIGEST"),
        "unloadable: component DIGEST imports workspace, which kind `probe` is not granted: activate it with that \
         import or activate another version"
    );
    assert_eq!((invocation.fuel, invocation.peak_memory), (0, 0));
}

#[tokio::test]
async fn a_component_that_is_not_stored_is_a_fault() {
    let sandbox = sandbox(options(Limits::default()));
    let invocation = sandbox.invoke(Digest::zero(), &everything(), input("{}"), &Nobody).await;
    expect!["unloadable: component 0000000000000000000000000000000000000000000000000000000000000000 is not in the store: add it with `lockstep component add FILE`"].assert_eq(&shown(&invocation));
}

#[tokio::test]
async fn a_state_is_migrated_or_refused_with_a_reason() {
    let sandbox = sandbox(options(Limits::default()));
    let digest = Digest::of(&probe());
    let inspected = sandbox.inspect(&probe()).await.unwrap();
    let current = inspected.descriptor.state_version;
    let state = JsonText::new(r#"{"n":1}"#).unwrap();
    assert_eq!(sandbox.migrate(digest, current - 1, &state).await.unwrap(), state);
    let refused = sandbox.migrate(digest, current + 1, &JsonText::null()).await.unwrap_err();
    assert_eq!(refused.class, FailureClass::BadOutput);
    assert!(refused.message.starts_with("its `migrate` gave up: "), "{}", refused.message);
}
