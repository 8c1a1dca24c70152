//! Components that do harm on purpose: each ends as one line that says what it did, and the sandbox answers on.

use crate::support::{
    Nobody, empty_sandbox, everything, from_text, input, options, probe, sandbox_over, shown,
};
use crate::written::{SOUND, Written, descriptor, tight, with_descriptor, written};
use expect_test::{Expect, expect};
use lockstep_ports::StepExecutor as _;
use lockstep_sandbox::Sandbox;
use lockstep_types::{Digest, JsonText, Outcome};

/// Never ends.
const LOOP: &str = "(loop (br 0)) unreachable";

async fn answers(sandbox: &Sandbox) {
    let next = sandbox.invoke(Digest::of(&probe()), &everything(), input("{}"), &Nobody).await;
    assert!(matches!(next.outcome, Outcome::Transition(_)), "{}", shown(&next));
}

/// Calls `advance` of a component, and then another component of the same sandbox.
async fn advances(component: Vec<u8>, expected: Expect) {
    let digest = Digest::of(&component);
    let sandbox = sandbox_over([component, probe()], options(tight()));
    let call = async || sandbox.invoke(digest, &everything(), input("{}"), &Nobody).await;
    let invocation = call().await;
    expected.assert_eq(&shown(&invocation));
    assert_eq!(call().await, invocation, "the same call again");
    answers(&sandbox).await;
}

async fn refused(component: &[u8], expected: Expect) {
    let sandbox = sandbox_over([probe()], options(tight()));
    let error = sandbox.inspect(component).await.unwrap_err().to_string();
    expected.assert_eq(&error);
    assert!(!error.contains('\n'));
    answers(&sandbox).await;
}

#[tokio::test]
async fn a_sound_component_is_accepted() {
    let descriptor = empty_sandbox(tight()).inspect(&written(&SOUND)).await.unwrap().descriptor;
    assert_eq!((descriptor.kind.as_str(), descriptor.version.as_str()), ("probe", "1"));
}

#[tokio::test]
async fn an_endless_loop() {
    let component = written(&Written { advance: LOOP, ..SOUND });
    advances(component, expect!["out-of-fuel: it used up its 20000000 units of fuel: does it loop?"]).await;
}

#[tokio::test]
async fn an_endless_recursion() {
    let component = written(&Written {
        more: "(func $deeper (param i32) (result i32) (i32.add (call $deeper (local.get 0)) (i32.const 1)))",
        advance: "(call $deeper (i32.const 0))",
        ..SOUND
    });
    advances(component, expect!["stack-overflow: it used up its 524288 bytes of stack: does it recurse?"])
        .await;
}

#[tokio::test]
async fn growth_of_memory() {
    let component = written(&Written {
        advance: "(loop (drop (memory.grow (i32.const 16))) (br 0)) unreachable",
        ..SOUND
    });
    advances(
        component,
        expect!["out-of-memory: it wanted 67239936 bytes of memory, more than the 67108864 allowed"],
    )
    .await;
}

#[tokio::test]
async fn growth_of_a_table() {
    let component = written(&Written {
        more: "(table $t 0 funcref)",
        advance: "(loop (drop (table.grow $t (ref.null func) (i32.const 1000))) (br 0)) unreachable",
        ..SOUND
    });
    advances(
        component,
        expect!["out-of-memory: it wanted 21000 table elements, more than the 20000 allowed"],
    )
    .await;
}

#[tokio::test]
async fn filling_its_memory_over_and_over_costs_fuel_by_the_byte() {
    let fill = "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 131072)) (br 0)) unreachable";
    advances(
        written(&Written { advance: fill, ..SOUND }),
        expect!["out-of-fuel: it used up its 20000000 units of fuel: does it loop?"],
    )
    .await;
}

#[tokio::test]
async fn output_that_is_nowhere() {
    advances(
        written(&Written { advance: "(i32.const -8)", ..SOUND }),
        expect!["bad-output: what it handed the host cannot be read: pointer out of bounds of memory"],
    )
    .await;
}

#[tokio::test]
async fn an_error_as_large_as_its_memory() {
    let error = "(i32.store8 (i32.const 0) (i32.const 1)) (i32.store (i32.const 12) (i32.const 0x3f00000))
        (i32.store (i32.const 8) (i32.const 65536)) (drop (memory.grow (i32.const 1020))) (i32.const 0)";
    let component = written(&Written { advance: error, ..SOUND });
    advances(
        component,
        expect!["too-much-output: it handed the host more than the 2097152 bytes allowed at once"],
    )
    .await;
}

#[tokio::test]
async fn a_trap_in_each_export() {
    let trap = "(i32.div_u (i32.const 1) (i32.const 0))";
    refused(
        &written(&Written { describe: trap, ..SOUND }),
        expect!["the component's descriptor is unusable: trapped: integer divide by zero"],
    )
    .await;
    let component = written(&Written { advance: trap, migrate: trap, ..SOUND });
    advances(component.clone(), expect!["trapped: integer divide by zero"]).await;
    let sandbox = sandbox_over([component.clone(), probe()], options(tight()));
    let fault = sandbox.migrate(Digest::of(&component), 1, &JsonText::null()).await.unwrap_err();
    expect!["trapped: integer divide by zero"].assert_eq(&format!("{}: {}", fault.class, fault.message));
    answers(&sandbox).await;
}

#[tokio::test]
async fn an_endless_loop_in_the_other_exports() {
    refused(
        &written(&Written { describe: LOOP, ..SOUND }),
        expect!["the component's descriptor is unusable: out-of-fuel: it used up its 20000000 units of fuel: does it loop?"],
    )
    .await;
    let component = written(&Written { migrate: LOOP, ..SOUND });
    let sandbox = sandbox_over([component.clone(), probe()], options(tight()));
    let fault = sandbox.migrate(Digest::of(&component), 1, &JsonText::null()).await.unwrap_err();
    expect!["out-of-fuel: it used up its 20000000 units of fuel: does it loop?"]
        .assert_eq(&format!("{}: {}", fault.class, fault.message));
    answers(&sandbox).await;
}

#[tokio::test]
async fn a_descriptor_of_huge_or_senseless_texts() {
    let large = with_descriptor(&SOUND, &descriptor((65536, 65536), (2060, 2)));
    refused(
        &large,
        expect!["the component's descriptor is unusable: summary is not one line of at most 300 bytes"],
    )
    .await;
    let schema = with_descriptor(&SOUND, &descriptor((2056, 1), (2048, 5)));
    refused(&schema, expect!["the component's descriptor is unusable: the config-schema it returned is not JSON: expected value at line 1 column 1"]).await;
    let beyond = with_descriptor(&SOUND, &descriptor((65536, 0x7fff_ffff), (2060, 2)));
    refused(&beyond, expect!["the component's descriptor is unusable: what it handed the host cannot be read: string pointer/length out of bounds of memory"]).await;
}

#[tokio::test]
async fn a_descriptor_that_counts_its_calls_is_always_the_same() {
    let component = written(&Written {
        describe: "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (i32.store8 (i32.const 2056) (global.get $calls)) (i32.const 1024)",
        ..SOUND
    });
    let sandbox = empty_sandbox(tight());
    for _ in 0..3 {
        assert_eq!(sandbox.inspect(&component).await.unwrap().descriptor.version, "1");
    }
}

#[tokio::test]
async fn more_memories_tables_and_instances_than_there_may_be() {
    let many = |what: &str, count: usize| {
        let module = format!("(core module $m {what})");
        let instances: String = (0..count).map(|_| "(core instance (instantiate $m))").collect();
        from_text(&format!("(component {module} {instances})"))
    };
    for (component, what) in [
        (many("(memory 1)", 5), "memories"),
        (many("(table 1 funcref)", 17), "tables"),
        (many("", 65), "instances"),
    ] {
        let error = empty_sandbox(tight()).inspect(&component).await.unwrap_err().to_string();
        assert!(!error.contains('\n'), "{what}: {error}");
    }
}

#[tokio::test]
async fn a_nan_has_the_same_bits_however_it_came_about() {
    // Stops itself if the bits of any of them are others.
    let nan = |made: &str| {
        format!(
            "(if (i64.ne (i64.reinterpret_f64 {made}) (i64.const 0x7ff8000000000000)) (then (loop (br 0))))"
        )
    };
    let zero = "(f64.const 0)";
    let made = [
        format!("(f64.div {zero} {zero})"),
        "(f64.sqrt (f64.const -1))".to_owned(),
        "(f64.sub (f64.const inf) (f64.const inf))".to_owned(),
        "(f64.add (f64.const nan:0x4000000000001) (f64.const 1))".to_owned(),
        "(f64.promote_f32 (f32.const -nan))".to_owned(),
    ];
    let advance = made.iter().map(|made| nan(made)).collect::<String>() + "unreachable";
    let component = written(&Written { advance: &advance, ..SOUND });
    advances(
        component,
        expect!["trapped: it stopped itself (a panic or a failed assertion) and did not log why"],
    )
    .await;
}
