//! Components of both versions of the contract under one host.

use crate::observing::World;
use crate::support::{
    empty_sandbox, everything, first_probe, from_text, input, options, probe, sandbox_over, shown,
};
use expect_test::expect;
use lockstep_ports::StepExecutor as _;
use lockstep_sandbox::{Limits, Sandbox};
use lockstep_types::Digest;

async fn output(sandbox: &Sandbox, component: &[u8], config: &str) -> String {
    let digest = Digest::of(component);
    let invocation = sandbox.invoke(digest, &everything(), input(config), &World).await;
    shown(&invocation).replace("\\n", "\n").replace("\\\"", "\"")
}

#[tokio::test]
async fn each_is_told_what_its_version_has() {
    let (old, new) = (first_probe(), probe());
    let sandbox = sandbox_over([old.clone(), new.clone()], options(Limits::default()));
    let worlds = [sandbox.inspect(&old).await.unwrap().world, sandbox.inspect(&new).await.unwrap().world];
    assert_eq!(worlds, ["lockstep:step/step@0.1.0", "lockstep:step/step@0.2.0"]);

    let old = output(&sandbox, &old, "{}").await;
    expect![[r#"
        {"state":"{}","next":{"complete":{"output":"RunInfo { id: "run-1", item: "task-1", title: "Add a greeting", description: "It should greet.", change: Change { repository: "/srv/greeter", base-branch: "main", head-branch: "lockstep/run-1", head-commit: Some("c0ffee"), pull-request: None }, facts: [], outputs: [], item-status: ItemStatus::InProgress, documents: [], is-errand: false, now: 1767603600000 }
        changed Ok([ChangedFile { path: "a.rs", status: FileStatus::Renamed, lines-added: 3, lines-removed: 4 }])","approved":false}}}
        asked workspace.changed-files"#]].assert_eq(&old);
    let new = output(&sandbox, &new, r#"{"do":"echo"}"#).await;
    assert!(new.contains("is-errand: false, initiator: \"ann\", now: "), "{new}");
}

#[tokio::test]
async fn versions_do_not_mix() {
    let mixed = r#"(component
        (import "lockstep:step/log@0.1.0" (instance))
        (import "lockstep:step/checks@0.2.0" (instance)))"#;
    let error = empty_sandbox(Limits::default()).inspect(&from_text(mixed)).await.unwrap_err();
    expect!["the component does not implement world lockstep:step/step@0.2.0: it mixes versions: it imports lockstep:step/log@0.1.0 and lockstep:step/checks@0.2.0"].assert_eq(&error.to_string());
}
