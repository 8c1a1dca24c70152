//! Which component a run uses, and what guards the pointer.

use crate::host::{Host, World, ask, choose, component, descriptor, request};
use expect_test::expect;
use lockstep_ports::{ActivateRequest, Activated, ComponentService, Gates, RunService, ServiceError};
use lockstep_types::{Descriptor, Digest, Grant, JsonText, RunStatus};

fn activate(host: &Host, digest: &str, grant: Option<Grant>) -> Result<Activated, ServiceError> {
    let (kind, digest) = ("writer".to_owned(), digest.to_owned());
    host.run(host.runtime.activate(ActivateRequest { kind, digest, grant, ..ActivateRequest::default() }))
}

fn add(host: &Host, descriptor: &Descriptor) -> Digest {
    host.run(host.runtime.add_component(component(descriptor).into())).unwrap().info.digest
}

#[test]
fn an_activation_moves_only_new_runs() {
    let world = World::new();
    world.says("pick", [ask()]);
    let host = world.open();
    let old = host.start(&["pick"]);
    let digest = add(&host, &descriptor("writer", "2"));
    activate(&host, &digest.short(), None).unwrap();
    host.act(&old, choose("A", None)).unwrap();
    assert_eq!(host.status(&old), RunStatus::Done);
    assert_eq!(
        host.run(host.runtime.component_bytes(&digest.short())),
        Ok(component(&descriptor("writer", "2")))
    );
    let new = host.start(&["pick"]);
    let used: Vec<bool> = world.executor.calls().iter().map(|(called, _)| *called == digest).collect();
    assert_eq!(used, [false, false, true]);
    assert_eq!(host.get(&new).steps[0].digest, digest);
    let moved: Vec<String> =
        host.run(host.runtime.activations("writer")).unwrap().into_iter().map(|moved| moved.by).collect();
    assert_eq!(moved, ["lockstep", "operator"]);
}

#[test]
fn a_component_that_asks_for_more_is_refused_with_what_would_allow_it() {
    let world = World::new();
    let host = world.open();
    let mut greedy = descriptor("writer", "2");
    greedy.jobs.push("review".to_owned());
    greedy.effects.extend(["provision".to_owned(), "teardown".to_owned()]);
    let digest = add(&host, &greedy);
    let Err(ServiceError::Conflict(text)) = activate(&host, &digest.to_string(), None) else { panic!() };
    expect![[r#"component DIGEST asks for more than kind writer is granted: allow it with `lockstep component activate writer DIGEST --grant-job review --grant-effect provision --grant-effect teardown`"#]]
        .assert_eq(&text.replace(&digest.short(), "DIGEST"));
    let in_part = ActivateRequest {
        kind: "writer".to_owned(),
        digest: digest.to_string(),
        grant: Some(Grant { jobs: greedy.jobs.clone(), ..Grant::default() }),
        skip_migration: true,
        gates: Gates { max_changed: Some(2), ..Gates::default() },
        ..ActivateRequest::default()
    };
    let Err(ServiceError::Conflict(text)) = host.run(host.runtime.activate(in_part)) else { panic!() };
    // What was given is given again, or the command that is named would be refused too.
    expect!["component DIGEST asks for more than kind writer is granted: allow it with `lockstep component activate writer DIGEST --grant-job review --skip-migration --grant-effect provision --grant-effect teardown --max-changed 2`"].assert_eq(&text.replace(&digest.short(), "DIGEST"));
    let run = host.start(&["build"]);
    assert_ne!(host.get(&run).steps[0].digest, digest, "the pointer has not moved");
    let all = Grant { imports: Vec::new(), jobs: greedy.jobs, effects: greedy.effects, dirs: Vec::new() };
    assert_eq!(activate(&host, &digest.to_string(), Some(all)).unwrap().activation.digest, digest);
}

#[test]
fn a_component_is_activated_for_its_own_kind() {
    let world = World::new();
    let host = world.open();
    let digest = add(&host, &descriptor("other", "1"));
    assert!(matches!(activate(&host, &digest.to_string(), None), Err(ServiceError::Conflict(_))));
    assert!(matches!(activate(&host, "ffff", None), Err(ServiceError::NotFound(_))));
    assert!(matches!(host.run(host.runtime.component_bytes("ffff")), Err(ServiceError::NotFound(_))));
    assert!(matches!(activate(&host, "", None), Err(ServiceError::Conflict(_) | ServiceError::NotFound(_))));
}

#[test]
fn a_standard_component_gives_way_to_what_an_operator_activated() {
    let mut world = World::new();
    let host = world.open();
    let digest = add(&host, &descriptor("writer", "2"));
    activate(&host, &digest.to_string(), None).unwrap();
    let host = world.crash(host);
    let run = host.start(&["build"]);
    assert_eq!(host.get(&run).steps[0].digest, digest);
}

#[test]
fn a_pipeline_that_cannot_run_is_refused_with_line_and_column() {
    let world = World::new();
    let host = world.open();
    let mut request = request("task", &["build"]);
    request.pipeline = "name = \"p\"\n[[steps]]\nkind = \"writter\"\n[[steps]]\nname = \"b\"\nkind = \"writer\"\nneeds = [\"a\"]\n".to_owned();
    request.pipeline_file = Some("p.toml".to_owned());
    let Err(ServiceError::Invalid(text)) = host.run(host.runtime.start(request.clone())) else { panic!() };
    expect![[r#"
        p.toml:3:8: unknown step kind "writter": did you mean "writer"?
        p.toml:7:10: unknown step "a": did you mean "b"?"#]]
    .assert_eq(&text);
    let checked = host.run(host.runtime.check_pipeline(&request.pipeline, "p.toml"));
    assert_eq!(checked, Err(ServiceError::Invalid(text)));
    assert_eq!(host.run(host.runtime.feed_end()), 0);
}

#[test]
fn a_component_whose_config_schema_is_none_is_not_added() {
    let world = World::new();
    let host = world.open();
    let mut wrong = descriptor("writer", "2");
    wrong.config_schema = JsonText::new(r#"{"type": 5}"#).unwrap();
    let added = host.run(host.runtime.add_component(component(&wrong).into()));
    let Err(ServiceError::Invalid(text)) = added else { panic!("{added:?}") };
    assert!(text.contains("config schema is no JSON Schema"), "{text}");
    assert_eq!(host.run(host.runtime.components()).unwrap().len(), 2, "only those it came with");
}
