//! A component that asks WASI for everything that could differ from call to call, or reach beyond the call.

use crate::support::{Nobody, empty_sandbox, input, options, probe_wasi, sandbox_with_dirs, shown};
use expect_test::expect;
use lockstep_ports::StepExecutor as _;
use lockstep_sandbox::{Limits, Sandbox};
use lockstep_types::{Digest, DirGrant, DirSnapshot, FailureClass, Grant, Invocation, Outcome, StepInput};

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
    sandbox_with_dirs([probe_wasi()], vec![folder()], options(Limits::default()))
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
    expect![[r#"
        {"state":"{}","next":{"complete":{"output":"wall: (1767603600, 0)
        the clock stands still: true
        slept: 5000000000
        first of two: [1]
        slept: 6000000000
        is the other over: false
        random: 12884879853084954136
        bytes: [5, 41, 178, 69, 209]
        insecure: 15468213872890292941
        seed: (5821465359254296037, 1969106785310471626)
        environment: []
        arguments: []
        folder: None
        socket: Err(ErrorCode { code: 1, name: "access-denied", message: "" })
        /data
          a.txt Ok((4, Some(315532800)))
          b Ok((0, Some(315532800)))
            c.txt Ok((4, Some(315532800)))
          b-first Ok((0, Some(315532800)))
          hash Ok((9965424568986809783, 13091423951416656477))
          open "..": Err(ErrorCode { code: 31, name: "not-permitted", message: "" })
          open "../etc/passwd": Err(ErrorCode { code: 31, name: "not-permitted", message: "" })
          open "/etc/passwd": Err(ErrorCode { code: 31, name: "not-permitted", message: "" })
          open "a/../../x": Err(ErrorCode { code: 20, name: "no-entry", message: "" })
          open "./a.txt": Ok("flat")
          open "a.txt/x": Err(ErrorCode { code: 24, name: "not-directory", message: "" })
          open "nothing": Err(ErrorCode { code: 20, name: "no-entry", message: "" })
          open "": Err(ErrorCode { code: 20, name: "no-entry", message: "" })
          change Err(ErrorCode { code: 33, name: "read-only", message: "" }) Err(ErrorCode { code: 33, name: "read-only", message: "" }) Err(ErrorCode { code: 33, name: "read-only", message: "" }) Err(ErrorCode { code: 33, name: "read-only", message: "" }) Err(ErrorCode { code: 33, name: "read-only", message: "" })
          link Err(ErrorCode { code: 12, name: "invalid", message: "" })
        ","approved":false}}}
        logged Info: asked"#]].assert_eq(&output(&seen));
}

#[tokio::test]
async fn the_same_call_gives_the_same_bytes() {
    let first = call(&sandbox(), &granted(), input(r#""ask""#)).await;
    let other = sandbox();
    assert_eq!(call(&other, &granted(), input(r#""ask""#)).await, first, "in another sandbox");
    assert_eq!(call(&other, &granted(), input(r#""ask""#)).await, first, "a second time");
    let json = serde_json::to_string(&first.input).unwrap();
    assert_eq!(
        call(&other, &granted(), serde_json::from_str(&json).unwrap()).await,
        first,
        "from its record"
    );
}

#[tokio::test]
async fn a_call_made_again_reads_the_directory_as_it_was_granted() {
    let mut later = DirSnapshot::default();
    later.add("a.txt", b"changed".to_vec()).unwrap();
    let sandbox =
        sandbox_with_dirs([probe_wasi()], vec![folder(), later.clone()], options(Limits::default()));
    let first = call(&sandbox, &granted(), input(r#""ask""#)).await;
    let mut again = granted();
    again.dirs[0].digest = later.digest();
    let other = output(&call(&sandbox, &again, input(r#""ask""#)).await);
    assert!(other.contains(r#"Ok("changed")"#), "{other}");
    assert_eq!(call(&sandbox, &granted(), input(r#""ask""#)).await, first, "by the grant of then");
    let none = output(&call(&sandbox, &Grant::default(), input(r#""ask""#)).await);
    assert!(!none.contains("/data"), "{none}");
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
    expect![[r#"
        trapped: thread 'main' panicked at src/lib.rs:7:5: no such index
        logged Error: thread 'main' panicked at src/lib.rs:7:5:
        logged Error: no such index
        logged Error: note: run with more"#]]
    .assert_eq(&output(&panicked));
    let Outcome::Fault(fault) = &panicked.outcome else { panic!("no fault") };
    assert!(fault.backtrace.as_deref().is_some_and(|trace| trace.contains("advance")), "{fault:?}");
    let exited = call(&sandbox(), &granted(), input(r#""exit""#)).await;
    expect![[r#"
        trapped: it ended itself with exit status 1: ValueError: no such name
        logged Error: Traceback:
        logged Error: ValueError: no such name"#]]
    .assert_eq(&output(&exited));
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
    let limits = Limits { wasi_bytes: 32 << 20, ..Limits::default() };
    let sandbox = sandbox_with_dirs([probe_wasi()], vec![folder()], options(limits));
    let hoard = call(&sandbox, &granted(), input(r#""hoard""#)).await;
    expect!["too-many-host-calls: it had the host hand it more than the 33554432 bytes of files and random numbers allowed"].assert_eq(&shown(&hoard));
}

#[tokio::test]
async fn a_directory_that_is_not_there_stops_the_call_before_it_runs() {
    let grant = Grant {
        dirs: vec![DirGrant { path: "/data".to_owned(), digest: Digest::zero() }],
        ..Grant::default()
    };
    let invocation = call(&sandbox(), &grant, input(r#""ask""#)).await;
    expect!["unloadable: the directory 000000000000 granted as /data is not in the store: grant it again"]
        .assert_eq(&shown(&invocation));
    let Outcome::Fault(fault) = &invocation.outcome else { panic!("no fault") };
    assert_eq!((fault.class, invocation.fuel), (FailureClass::Unloadable, 0));
}
