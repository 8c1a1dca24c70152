//! What an operator is refused: each in one line that says what would allow it, and nothing has changed.

use crate::host::{Host, World, component, descriptor};
use crate::registry::{actor, jobs, named, stored, text};
use expect_test::expect;
use lockstep_ports::{
    ActivateRequest, Actor, CanaryRequest, ComponentService, Gates, GrantRequest, ServiceError,
};
use lockstep_types::{Descriptor, Digest, Grant, JsonText};

/// A host with some components of kind `writer`, and what it refuses.
struct Refusing {
    world: World,
    host: Host,
    names: Vec<(&'static str, Digest)>,
    before: String,
    told: String,
}

impl Refusing {
    fn new() -> Self {
        let world = World::new();
        let host = world.open();
        let greedy = Descriptor { effects: vec!["provision".to_owned()], ..descriptor("writer", "3") };
        let names = vec![
            ("NEWER", host.add(&descriptor("writer", "2"))),
            ("GREEDY", host.add(&greedy)),
            ("STOPPED", host.add(&descriptor("writer", "4"))),
            ("DAMAGED", host.add(&descriptor("writer", "5"))),
            ("OTHER", host.add(&descriptor("checker", "1"))),
        ];
        host.run(host.runtime.stop_component(&names[2].1.to_string(), actor())).unwrap();
        world.components.damage(&names[3].1);
        let before = stored(&world, &host);
        Self { world, host, names, before, told: String::new() }
    }

    fn digest(&self, name: &str) -> Digest {
        self.names.iter().find(|(known, _)| *known == name).unwrap().1
    }

    fn tell<T: std::fmt::Debug>(&mut self, refused: Result<T, ServiceError>) {
        let refused = text(refused);
        assert_eq!(stored(&self.world, &self.host), self.before, "{refused}");
        assert_eq!(refused.lines().count(), 1, "{refused}");
        self.told.push_str(&format!("{}\n", named(&refused, &self.names)));
    }

    fn canary(&mut self, kind: &str, digest: &Digest, share: Option<u8>, items: &[&str]) {
        let items = items.iter().map(|item| (*item).to_owned()).collect();
        let request = CanaryRequest { digest: digest.to_string(), share, items, ..CanaryRequest::default() };
        self.tell(self.host.canary(kind, request));
    }
}

#[test]
fn bytes_that_are_no_usable_component() {
    let mut refusing = Refusing::new();
    let whole = component(&descriptor("writer", "6"));
    let bad_schema =
        Descriptor { config_schema: JsonText::new(r#"{"type":5}"#).unwrap(), ..descriptor("writer", "6") };
    for bytes in [Vec::new(), b"rubbish".to_vec(), whole[..40].to_vec(), component(&bad_schema)] {
        refusing.tell(refusing.host.run(refusing.host.runtime.add_component(bytes.clone().into())));
        refusing.tell(refusing.host.run(refusing.host.runtime.inspect_component(bytes)));
    }
    expect![[r#"
        not a WebAssembly component: EOF while parsing a value at line 1 column 0
        not a WebAssembly component: EOF while parsing a value at line 1 column 0
        not a WebAssembly component: expected value at line 1 column 1
        not a WebAssembly component: expected value at line 1 column 1
        not a WebAssembly component: EOF while parsing a string at line 1 column 40
        not a WebAssembly component: EOF while parsing a string at line 1 column 40
        the component's descriptor is unusable: its config schema is no JSON Schema: 5 is not valid under any of the schemas listed in the 'anyOf' keyword: correct it and build the component again
        the component's descriptor is unusable: its config schema is no JSON Schema: 5 is not valid under any of the schemas listed in the 'anyOf' keyword: correct it and build the component again
    "#]].assert_eq(&refusing.told);
}

#[test]
fn components_that_a_kind_may_not_use() {
    let mut refusing = Refusing::new();
    let unknown = Digest::zero();
    let names = ["GREEDY", "STOPPED", "DAMAGED", "OTHER"];
    for digest in names.map(|name| refusing.digest(name)).iter().chain([&unknown]) {
        refusing.tell(refusing.host.activate("writer", digest));
        refusing.canary("writer", digest, Some(5), &[]);
    }
    let gates = Gates { require_identical: true, ..Gates::default() };
    let (kind, digest) = ("writer".to_owned(), refusing.digest("NEWER").to_string());
    let gated = ActivateRequest { kind, digest, gates, ..ActivateRequest::default() };
    refusing.tell(refusing.host.run(refusing.host.runtime.activate(gated)));
    expect![[r#"
        component GREEDY asks for more than kind writer is granted: allow it with `lockstep component activate writer GREEDY --grant-effect provision`
        component GREEDY asks for more than kind writer is granted: allow it with `lockstep component grant writer --effect provision`
        component STOPPED was stopped by ann (a test): allow it with `lockstep component resume-digest STOPPED`
        component STOPPED was stopped by ann (a test): allow it with `lockstep component resume-digest STOPPED`
        component DAMAGED in the store is damaged: repair it with `lockstep component add FILE`
        component DAMAGED in the store is damaged: repair it with `lockstep component add FILE`
        component OTHER implements kind checker, not writer: use `lockstep component activate checker OTHER`
        component OTHER implements kind checker, not writer: use `lockstep component canary checker OTHER --share 5%`
        no component begins with "0000000000000000000000000000000000000000000000000000000000000000": add it with `lockstep component add FILE`
        no component begins with "0000000000000000000000000000000000000000000000000000000000000000": add it with `lockstep component add FILE`
        no recorded call of kind writer shows what component NEWER would change: try again after some runs, or do without with `lockstep component activate writer NEWER`
    "#]].assert_eq(&refusing.told);
}

#[test]
fn canaries_that_would_reach_nobody() {
    let mut refusing = Refusing::new();
    let newer = refusing.digest("NEWER");
    refusing.canary("writer", &newer, None, &[]);
    refusing.canary("writer", &newer, Some(0), &[]);
    refusing.canary("writer", &newer, Some(101), &[]);
    refusing.canary("writer", &newer, Some(5), &["task"]);
    let other = refusing.digest("OTHER");
    refusing.canary("checker", &other, Some(5), &[]);
    refusing.tell(refusing.host.run(refusing.host.runtime.promote("writer", actor())));
    expect![[r#"
        say who gets the candidate: --share PERCENT or --item ITEM
        a share of 0% is not 1 to 100
        a share of 101% is not 1 to 100
        use either --share or --item
        kind checker has no active component beside which a canary could run: use `lockstep component activate checker OTHER`
        kind writer has no canary: begin one with `lockstep component canary writer DIGEST --share 10%`
    "#]].assert_eq(&refusing.told);
}

#[test]
fn grants_of_what_there_is_not() {
    let mut refusing = Refusing::new();
    for (kind, grant) in [
        ("No Kind", jobs(&["work"])),
        ("writer", jobs(&["Work!"])),
        ("writer", Grant { effects: vec!["merg".to_owned()], ..Grant::default() }),
        ("writer", Grant { imports: vec![String::new()], ..Grant::default() }),
        ("writer", Grant { jobs: (0..100).map(|n| format!("job-{n}")).collect(), ..Grant::default() }),
    ] {
        refusing.tell(refusing.host.grant(kind, GrantRequest { grant, ..GrantRequest::default() }));
    }
    expect![[r#"
        kind "No Kind" is not a name such as `ci-gate`
        job kind "Work!" is not a name such as `test` or `review-{role}`
        there is no effect "merg": use one of merge, update-branch, open-ticket, provision, annotate-incident
        import "" is not an interface such as `checks`
        kind writer would be granted more than 64 of a sort: take away what it does not need
    "#]]
    .assert_eq(&refusing.told);
}

#[test]
fn stops_and_signatures_that_say_nothing() {
    let mut refusing = Refusing::new();
    let (newer, stopped) = (refusing.digest("NEWER").short(), refusing.digest("STOPPED").short());
    let runtime = refusing.host.runtime.clone();
    refusing.tell(refusing.host.run(runtime.stop_component(&newer, Actor::default())));
    refusing.tell(refusing.host.run(runtime.stop_component(&stopped, actor())));
    refusing.tell(refusing.host.run(runtime.resume_component(&newer, actor())));
    refusing.tell(refusing.host.run(runtime.sign_component(&newer, "rubbish", actor())));
    expect![[r#"
        say why, for those whose runs stop: --reason TEXT
        component STOPPED is stopped already, by ann (a test)
        no component that begins with "NEWER" is stopped: see `lockstep component list`
        the signature of component NEWER is refused: it is not a signature file of `lockstep component sign`: it begins with "rubbish", not lockstep-signature-v1: sign it with `lockstep component sign`
    "#]].assert_eq(&refusing.told);
}
