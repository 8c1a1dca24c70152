use crate::support::{empty_sandbox, from_text, probe};
use expect_test::{Expect, expect};
use lockstep_ports::StepExecutor as _;
use lockstep_sandbox::{Limits, OFFERED};
use lockstep_types::Digest;

async fn refused(bytes: &[u8], reason: Expect) {
    let sandbox = empty_sandbox(Limits::default());
    reason.assert_eq(&sandbox.inspect(bytes).await.unwrap_err().to_string());
}

#[tokio::test]
async fn a_step_component_tells_what_it_is() {
    let inspected = empty_sandbox(Limits::default()).inspect(&probe()).await.unwrap();
    assert_eq!(inspected.digest, Digest::of(&probe()));
    assert_eq!(inspected.imports, OFFERED.map(str::to_owned), "the probe uses everything");
    assert_eq!(inspected.descriptor.kind, "probe");
}

#[tokio::test]
async fn what_is_not_webassembly_is_refused() {
    refused(b"#!/bin/sh", expect!["not a WebAssembly component: it does not begin as WebAssembly does"])
        .await;
    refused(b"", expect!["not a WebAssembly component: it does not begin as WebAssembly does"]).await;
}

#[tokio::test]
async fn a_core_module_is_refused_with_the_way_out() {
    refused(
        &from_text("(module)"),
        expect!["not a WebAssembly component: it is a core module; make a component of it with `wasm-tools component new MODULE -o COMPONENT`"],
    )
    .await;
}

#[tokio::test]
async fn a_torn_component_is_refused() {
    let bytes = probe();
    let sandbox = empty_sandbox(Limits::default());
    for end in [6, 8, bytes.len() / 2, bytes.len() - 1] {
        let error = sandbox.inspect(&bytes[..end]).await.unwrap_err().to_string();
        // At 8 bytes it is a whole component again: an empty one.
        let expected =
            if end == 8 { "the component does not implement world" } else { "not a WebAssembly component: " };
        assert!(error.starts_with(expected), "{end}: {error}");
        assert!(!error.contains('\n'), "{end}: {error}");
    }
}

#[tokio::test]
async fn a_missing_export_is_named_with_those_there_are() {
    refused(&from_text("(component)"), expect!["the component does not implement world lockstep:step/step@0.2.0: export `describe` is missing; it exports nothing"]).await;
    let function = r#"(core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func (export "run") (canon lift (core func $i "f")))
        (func (export "stop") (canon lift (core func $i "f")))"#;
    refused(&from_text(&format!("(component {function})")), expect!["the component does not implement world lockstep:step/step@0.2.0: export `describe` is missing; it exports run, stop"]).await;
}

#[tokio::test]
async fn an_export_of_another_type_is_named() {
    let component = r#"(component
        (core module $m (func (export "f") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func (export "describe") (result u32) (canon lift (core func $i "f"))))"#;
    refused(&from_text(component), expect!["the component does not implement world lockstep:step/step@0.2.0: export `describe` has another type: expected `record` found `u32`"]).await;
}

#[tokio::test]
async fn a_foreign_import_is_named() {
    refused(&from_text(r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#), expect!["the component imports wasi:cli/environment@0.2.0, which is not granted: a step component may import only checks, environments, history, log, mergeability, release-health, workspace of lockstep:step@0.1.0 or 0.2.0"]).await;
    refused(&from_text(r#"(component (import "lockstep:step/secrets@0.1.0" (instance)))"#), expect!["the component imports lockstep:step/secrets@0.1.0, which is not granted: a step component may import only checks, environments, history, log, mergeability, release-health, workspace of lockstep:step@0.1.0 or 0.2.0"]).await;
    refused(&from_text(r#"(component (import "lockstep:step/log@0.3.0" (instance)))"#), expect!["the component imports lockstep:step/log@0.3.0, which is not granted: a step component may import only checks, environments, history, log, mergeability, release-health, workspace of lockstep:step@0.1.0 or 0.2.0"]).await;
}

#[tokio::test]
async fn too_large_a_component_is_refused_unread() {
    let limits = Limits { component_bytes: 100, ..Limits::default() };
    let error = empty_sandbox(limits).inspect(&probe()).await.unwrap_err().to_string();
    assert!(error.ends_with("bytes, more than the 100 allowed"), "{error}");
}

#[tokio::test]
async fn a_component_that_cannot_describe_itself_in_its_limits_is_refused() {
    let limits = Limits { fuel: 10, ..Limits::default() };
    let error = empty_sandbox(limits).inspect(&probe()).await.unwrap_err().to_string();
    expect![
        "the component's descriptor is unusable: out-of-fuel: it used up its 10 units of fuel: does it loop?"
    ]
    .assert_eq(&error);
}

#[tokio::test]
async fn the_standard_components_load() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components");
    let sandbox = empty_sandbox(Limits::default());
    let mut kinds = Vec::new();
    for path in
        std::fs::read_dir(&folder).expect("run `cargo xtask guests` first").map(|entry| entry.unwrap().path())
    {
        if path.extension().is_some_and(|extension| extension == "wasm") {
            let inspected = sandbox.inspect(&std::fs::read(&path).unwrap()).await;
            kinds.push(
                inspected.unwrap_or_else(|error| panic!("{}: {error}", path.display())).descriptor.kind,
            );
        }
    }
    assert!(kinds.contains(&"ci-gate".to_owned()), "{kinds:?}: run `cargo xtask guests` first");
}
