//! A component that asks WASI for everything that could differ from call to call, or reach beyond the call.

use crate::support::{Nobody, empty_sandbox, input, options, probe_wasi, sandbox_over, shown};
use async_trait::async_trait;
use expect_test::expect;
use lockstep_ports::{ComponentStoreError, DirStore, StepExecutor as _};
use lockstep_sandbox::{Limits, Sandbox};
use lockstep_types::{Digest, DirGrant, DirSnapshot, FailureClass, Grant, Invocation, Outcome, StepInput};
use std::sync::Arc;

/// One granted directory.
struct Shelf(DirSnapshot);

#[async_trait]
impl DirStore for Shelf {
    async fn keep_dir(&self, snapshot: DirSnapshot) -> Result<Digest, ComponentStoreError> {
        Ok(snapshot.digest())
    }

    async fn dir(&self, digest: &Digest) -> Result<Option<DirSnapshot>, ComponentStoreError> {
        Ok((self.0.digest() == *digest).then(|| self.0.clone()))
    }
}

fn folder() -> DirSnapshot {
    let mut snapshot = DirSnapshot::default();
    for (path, content) in [("b/c.txt", "deep"), ("a.txt", "flat"), ("b-first", "")] {
        snapshot.add(path, content.as_bytes().to_vec()).unwrap();
    }
    snapshot
}

fn granted() -> Grant {
    let dir = DirGrant { path: "/data".to_owned(), digest: folder().digest() };
    Grant { imports: Vec::new(), dirs: vec![dir], ..Grant::default() }
}

fn sandbox() -> Sandbox {
    sandbox_over([probe_wasi()], options(Limits::default())).with_dirs(Arc::new(Shelf(folder())))
}

async fn call(sandbox: &Sandbox, grant: &Grant, input: StepInput) -> Invocation {
    sandbox.invoke(Digest::of(&probe_wasi()), grant, input, &Nobody).await
}

fn output(invocation: &Invocation) -> String {
    shown(invocation).replace("\\n", "\n").replace("\\\"", "\"")
}

#[tokio::test]
async fn what_it_sees_follows_from_the_input_and_the_grant() {
    let seen = call(&sandbox(), &granted(), input(r#""ask""#)).await;
    expect![[""]].assert_eq(&output(&seen));
}

#[tokio::test]
async fn the_same_call_gives_the_same_bytes() {
    let first = call(&sandbox(), &granted(), input(r#""ask""#)).await;
    let other = sandbox();
    assert_eq!(call(&other, &granted(), input(r#""ask""#)).await, first, "in another sandbox");
    assert_eq!(call(&other, &granted(), input(r#""ask""#)).await, first, "a second time");
    let json = serde_json::to_string(&first.input).unwrap();
    assert_eq!(call(&other, &granted(), serde_json::from_str(&json).unwrap()).await, first, "from its record");
}

#[tokio::test]
async fn another_call_gets_other_random_numbers() {
    let sandbox = sandbox();
    let mut later = input(r#""ask""#);
    later.run.now.0 += 1;
    let mut other = input(r#""ask""#);
    other.run.id = "run-2".to_owned();
    let mut seen = Vec::new();
    for input in [input(r#""ask""#), later, other] {
        let text = output(&call(&sandbox, &granted(), input).await);
        seen.push(text.lines().find(|line| line.starts_with("random: ")).unwrap().to_owned());
    }
    seen.dedup();
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[tokio::test]
async fn a_component_describes_itself_the_same_everywhere() {
    let describe = async || empty_sandbox(Limits::default()).inspect(&probe_wasi()).await.unwrap();
    let inspected = describe().await;
    assert_eq!(inspected, describe().await);
    assert_eq!(inspected.imports, Vec::<String>::new(), "what WASI offers needs no grant by name");
}

#[tokio::test]
async fn what_it_says_on_standard_error_is_why_it_stopped() {
    let panicked = call(&sandbox(), &granted(), input(r#""panic""#)).await;
    expect![[""]].assert_eq(&output(&panicked));
    let Outcome::Fault(fault) = &panicked.outcome else { panic!("no fault") };
    assert!(fault.backtrace.as_deref().is_some_and(|trace| trace.contains("advance")), "{fault:?}");
    let exited = call(&sandbox(), &granted(), input(r#""exit""#)).await;
    expect![[""]].assert_eq(&output(&exited));
}

#[tokio::test]
async fn much_output_is_cut_off() {
    let chatter = call(&sandbox(), &granted(), input(r#""chatter""#)).await;
    assert!(matches!(chatter.outcome, Outcome::Transition(_)), "{}", shown(&chatter));
    assert_eq!(chatter.logs.len(), Limits::default().log_lines);
    expect!["(what it wrote after this was not kept)"].assert_eq(&chatter.logs.last().unwrap().message);
}

#[tokio::test]
async fn what_the_host_copies_is_bounded() {
    let hoard = call(&sandbox(), &granted(), input(r#""hoard""#)).await;
    expect![[""]].assert_eq(&shown(&hoard));
}

#[tokio::test]
async fn a_directory_that_is_not_there_stops_the_call_before_it_runs() {
    let grant = Grant {
        dirs: vec![DirGrant { path: "/data".to_owned(), digest: Digest::zero() }],
        ..Grant::default()
    };
    let invocation = call(&sandbox(), &grant, input(r#""ask""#)).await;
    expect![[""]].assert_eq(&shown(&invocation));
    let Outcome::Fault(fault) = &invocation.outcome else { panic!("no fault") };
    assert_eq!((fault.class, invocation.fuel), (FailureClass::Unloadable, 0));
}
