//! The registry an operator works with: grants, canaries, stops, signatures, collection, the audit log.

use crate::host::{Host, World, component, descriptor, fail, request};
use expect_test::expect;
use lockstep_ports::{
    ActivateRequest, Actor, AddRequest, CanaryRequest, ComponentService, ComponentStore, GrantRequest,
    RolledBack, RunService, ServiceError, TrustChange,
};
use lockstep_runtime::signature::{PrivateKey, write_signature};
use lockstep_types::{
    Access, Descriptor, Digest, DirGrant, DirSnapshot, Grant, JsonText, RunStatus, Signature, TrustPolicy,
};

pub(crate) fn actor() -> Actor {
    Actor { by: Some("ann".to_owned()), reason: Some("a test".to_owned()) }
}

pub(crate) fn jobs(names: &[&str]) -> Grant {
    Grant { jobs: names.iter().map(|name| (*name).to_owned()).collect(), ..Grant::default() }
}

impl Host {
    pub(crate) fn add(&self, descriptor: &Descriptor) -> Digest {
        self.run(self.runtime.add_component(component(descriptor).into())).unwrap().info.digest
    }

    pub(crate) fn activate(&self, kind: &str, digest: &Digest) -> Result<Vec<String>, ServiceError> {
        let (kind, digest) = (kind.to_owned(), digest.to_string());
        let request = ActivateRequest { kind, digest, ..ActivateRequest::default() };
        self.run(self.runtime.activate(request)).map(|activated| activated.warnings)
    }

    pub(crate) fn grant(&self, kind: &str, request: GrantRequest) -> Result<Grant, ServiceError> {
        self.run(self.runtime.grant(kind, request)).map(|view| view.grant)
    }

    pub(crate) fn canary(&self, kind: &str, request: CanaryRequest) -> Result<Vec<String>, ServiceError> {
        self.run(self.runtime.begin_canary(kind, request)).map(|begun| begun.warnings)
    }

    /// What steps of kind `writer` of a new run are pinned to.
    fn used(&self, item: &str) -> Digest {
        let run = self.run(self.runtime.start(request(item, &["build"]))).unwrap().id;
        self.settle();
        self.get(&run).steps[0].digest
    }

    fn active(&self, kind: &str) -> Digest {
        self.run(self.runtime.kind(kind)).unwrap().active.unwrap().digest
    }

    /// The audit log without its beginning, a line for each entry.
    fn audit(&self, after: usize) -> String {
        let entries = self.run(self.runtime.audit(1000)).unwrap();
        let line = |entry: &lockstep_types::AuditEntry| {
            let subject: String = entry.subject.chars().take(12).collect();
            let action = entry.action.word();
            format!("{} {action} {subject}: {} ({})\n", entry.by, entry.detail, entry.reason)
        };
        entries.iter().skip(after).map(line).collect()
    }

    fn audited(&self) -> usize {
        self.run(self.runtime.audit(1000)).unwrap().len()
    }
}

/// Everything that is stored about components.
pub(crate) fn stored(world: &World, host: &Host) -> String {
    let store = &world.components;
    host.run(async {
        let (list, registry) = (store.list().await.unwrap(), store.registry().await.unwrap());
        format!("{list:?} {registry:?} {:?}", store.audit(1000).await.unwrap())
    })
}

pub(crate) fn text<T: std::fmt::Debug>(refused: Result<T, ServiceError>) -> String {
    refused.unwrap_err().to_string()
}

/// With digests by the names they were added under.
pub(crate) fn named(text: &str, digests: &[(&str, Digest)]) -> String {
    digests.iter().fold(text.to_owned(), |text, (name, digest)| {
        text.replace(&digest.to_string(), name).replace(&digest.short(), name)
    })
}

#[test]
fn a_grant_is_there_before_its_kind_has_a_component_and_stays() {
    let mut world = World::new();
    let host = world.open();
    let wanted =
        GrantRequest { grant: jobs(&["review"]), by: Some("ann".to_owned()), ..GrantRequest::default() };
    assert_eq!(host.grant("checker", wanted), Ok(jobs(&["review"])));
    let view = host.run(host.runtime.kind("checker")).unwrap();
    assert_eq!((view.active, view.moves), (None, 0));
    let checker = Descriptor { jobs: vec!["review".to_owned()], ..descriptor("checker", "1") };
    let digest = host.add(&checker);
    assert_eq!(host.activate("checker", &digest), Ok(Vec::new()));
    let host = world.crash(host);
    assert_eq!(host.run(host.runtime.kind("checker")).unwrap().grant, jobs(&["review"]));
    let more = GrantRequest { grant: jobs(&["work", "review"]), ..GrantRequest::default() };
    assert_eq!(host.grant("checker", more), Ok(jobs(&["review", "work"])));
    let nothing = GrantRequest::default();
    assert_eq!(host.grant("checker", nothing), Ok(jobs(&["review", "work"])), "it only says what there is");
}

#[test]
fn what_a_component_in_use_asks_for_is_not_taken_away_by_mistake() {
    let world = World::new();
    let host = world.open();
    let without = GrantRequest { grant: jobs(&["work"]), revoke: true, ..GrantRequest::default() };
    let digest = host.active("writer");
    expect!["the active component WRITER of kind writer asks for job work: use another component first, or let its runs fail with `lockstep component grant writer --job work --revoke --force`"]
        .assert_eq(&named(&text(host.grant("writer", without.clone())), &[("WRITER", digest)]));
    expect!["kind writer is not granted job play: see `lockstep component grant writer`"].assert_eq(&text(
        host.grant(
            "writer",
            GrantRequest { grant: jobs(&["play"]), revoke: true, ..GrantRequest::default() },
        ),
    ));
    let forced = GrantRequest { force: true, ..without };
    assert_eq!(host.grant("writer", forced), Ok(Grant::default()));
    let pins = host.run(host.runtime.start(request("task", &["build"]))).unwrap();
    host.settle();
    assert_eq!(host.status(&pins.id), RunStatus::Done, "a run that asks for nothing goes on");
}

#[test]
fn an_operators_grant_outlives_a_newer_standard_component() {
    let mut world = World::new();
    let host = world.open();
    let taken = GrantRequest { grant: jobs(&["work"]), revoke: true, force: true, ..GrantRequest::default() };
    host.grant("writer", taken).unwrap();
    let before = host.audited();
    let host = world.crash(host);
    assert_eq!(host.run(host.runtime.kind("writer")).unwrap().grant, Grant::default());
    assert_eq!(host.audit(before), "", "opening again changes nothing");
}

#[test]
fn going_back_goes_back_step_by_step() {
    let world = World::new();
    let host = world.open();
    let first = host.active("writer");
    let (second, third) = (host.add(&descriptor("writer", "2")), host.add(&descriptor("writer", "3")));
    host.activate("writer", &second).unwrap();
    host.activate("writer", &third).unwrap();
    let names = [("FIRST", first), ("SECOND", second), ("THIRD", third)];
    let before = host.audited();
    for expected in [second, first] {
        let back = host.run(host.runtime.rollback("writer", actor())).unwrap();
        assert!(matches!(back, RolledBack::Pointer(moved) if moved.activation.digest == expected));
        assert_eq!(host.used(&expected.short()), expected);
    }
    expect!["kind writer has used nothing before what it uses now: choose with `lockstep component activate writer DIGEST`, see `lockstep component list`"]
        .assert_eq(&text(host.run(host.runtime.rollback("writer", actor()))));
    expect!["there is no step kind nobody: add a component of it with `lockstep component add FILE`"]
        .assert_eq(&text(host.run(host.runtime.rollback("nobody", actor()))));
    expect![[r#"
        ann rollback writer: THIRD -> SECOND 2 (a test)
        ann rollback writer: SECOND -> FIRST 1 (a test)
    "#]]
    .assert_eq(&named(&host.audit(before), &names));
}

#[test]
fn a_canary_gets_its_share_of_runs_and_says_how_they_do() {
    let mut world = World::new();
    let host = world.open();
    let active = host.active("writer");
    let candidate = host.add(&descriptor("writer", "2"));
    let wanted = |share| CanaryRequest { digest: candidate.to_string(), share, ..CanaryRequest::default() };
    assert_eq!(host.canary("writer", wanted(Some(50))), Ok(Vec::new()));
    // Opened again, the same runs would get it: it is stored, and their ids decide.
    let host = world.crash(host);
    let used: Vec<Digest> = (0..40).map(|n| host.used(&format!("item-{n}"))).collect();
    let on_candidate = used.iter().filter(|digest| **digest == candidate).count();
    assert!((1..40).contains(&on_candidate), "{on_candidate} of 40");
    assert!(used.iter().all(|digest| [active, candidate].contains(digest)));
    world.says("build", [fail()]);
    while host.used("failing") != candidate {
        world.says("build", [fail()]);
    }
    let report = host.run(host.runtime.canary("writer")).unwrap();
    assert_eq!(report.candidate.runs as usize, on_candidate + 1);
    assert_eq!((report.candidate.failed, report.candidate.done as usize), (1, on_candidate));
    assert_eq!(report.others.done as usize, 40 - on_candidate);
    let failed: Vec<_> = report.runs.iter().filter(|run| run.status == RunStatus::Failed).collect();
    assert_eq!(host.get(&failed[0].run).steps[0].digest, candidate);
    assert_eq!((failed.len(), report.runs.len()), (1, on_candidate + 1));

    let back = host.run(host.runtime.rollback("writer", actor())).unwrap();
    assert!(matches!(back, RolledBack::Canary(canary) if canary.digest == candidate));
    assert_eq!(host.active("writer"), active, "the pointer has not moved");
    assert!((0..10).all(|n| host.used(&format!("later-{n}")) == active));
    expect![
        "kind writer has no canary: begin one with `lockstep component canary writer DIGEST --share 10%`"
    ]
    .assert_eq(&text(host.run(host.runtime.canary("writer"))));
}

#[test]
fn a_canary_for_items_is_promoted_or_stopped() {
    let world = World::new();
    let host = world.open();
    let active = host.active("writer");
    let candidate = host.add(&descriptor("writer", "2"));
    let items = vec!["chosen".to_owned()];
    let wanted = CanaryRequest { digest: candidate.short(), items, ..CanaryRequest::default() };
    host.canary("writer", wanted).unwrap();
    assert_eq!((host.used("chosen"), host.used("other")), (candidate, active));
    host.run(host.runtime.stop_component(&candidate.short(), actor())).unwrap();
    assert_eq!(host.used("chosen"), active, "a stopped candidate is given to nobody");
    expect!["component CANDIDATE was stopped by ann (a test): allow it with `lockstep component resume-digest CANDIDATE`"]
        .assert_eq(&named(&text(host.run(host.runtime.promote("writer", actor()))), &[("CANDIDATE", candidate)]));
    host.run(host.runtime.resume_component(&candidate.short(), actor())).unwrap();
    assert_eq!(host.used("chosen"), candidate);
    host.run(host.runtime.promote("writer", actor())).unwrap();
    assert_eq!((host.active("writer"), host.used("other")), (candidate, candidate));
    assert!(host.run(host.runtime.canary("writer")).is_err(), "what all have is no canary");
}

#[test]
fn signatures_count_as_the_policy_says() {
    let world = World::new();
    let host = world.open();
    let key = PrivateKey::from_random(&[3; 32]);
    let newer = descriptor("writer", "2");
    let digest = host.add(&newer);
    let policy = |policy| host.run(host.runtime.change_trust(TrustChange::Policy(policy), actor())).unwrap();
    let names = [("DIGEST", digest)];
    let mut told = String::new();
    let mut tell = |refused: String| told.push_str(&format!("{}\n", named(&refused, &names)));
    policy(TrustPolicy::Warn);
    tell(host.activate("writer", &digest).unwrap().join("; "));
    policy(TrustPolicy::Require);
    tell(text(host.activate("writer", &digest)));
    let back = host.run(host.runtime.rollback("writer", actor()));
    assert!(back.is_ok(), "the binary vouches for the components it carries: {back:?}");

    let info = host.run(host.runtime.component(&digest.short())).unwrap().view.info;
    let other = host.run(host.runtime.component(&host.active("writer").to_string())).unwrap().view.info;
    let add = |signature: &str| {
        let signature = Some(signature.to_owned());
        host.run(host.runtime.add_component(AddRequest {
            bytes: component(&newer),
            signature,
            ..AddRequest::default()
        }))
    };
    let before = stored(&world, &host);
    tell(text(add("rubbish")));
    tell(text(add(&write_signature(&key.sign(&other)))).replace(&key.public()[..12], "KEY"));
    assert_eq!(stored(&world, &host), before, "what is refused changes nothing");
    add(&write_signature(&key.sign(&info))).unwrap();
    tell(
        text(host.activate("writer", &digest))
            .replace(&key.public(), "PUBLIC")
            .replace(&key.public()[..12], "KEY"),
    );
    let trust = |name: &str, key: String| {
        host.run(host.runtime.change_trust(TrustChange::Add { name: name.to_owned(), key }, actor()))
    };
    trust("team", key.write_public("whatever")).unwrap();
    assert_eq!(host.activate("writer", &digest), Ok(Vec::new()));
    tell(text(trust("again", key.public())));
    tell(text(trust("team", PrivateKey::from_random(&[4; 32]).public())));
    tell(text(trust("a name", PrivateKey::from_random(&[4; 32]).public())));
    tell(text(trust("private", key.write("team"))));
    let remove = |name: &str| {
        host.run(host.runtime.change_trust(TrustChange::Remove { name: name.to_owned() }, actor()))
    };
    tell(text(remove("nobody")));
    remove("team").unwrap();
    assert!(host.activate("writer", &digest).is_err(), "a key that is no longer trusted signs nothing");
    expect![[r#"
        component DIGEST has no signature: add one with `lockstep component sign DIGEST --key FILE`
        component DIGEST has no signature: add one with `lockstep component sign DIGEST --key FILE`
        the signature of component DIGEST is refused: it is not a signature file of `lockstep component sign`: it begins with "rubbish", not lockstep-signature-v1: sign it with `lockstep component sign`
        the signature of component DIGEST is refused: it is not a signature of this component by key KEY: sign it with `lockstep component sign`
        component DIGEST is signed only by key KEY, which is not trusted: trust it with `lockstep component trust add PUBLIC --name NAME`
        the key is trusted already, as team
        another trusted key is called team: use another name, or remove it with `lockstep component trust remove team`
        "a name" is no name for a key: 1 to 64 characters without spaces
        the key is refused: it is not a public key file of `lockstep component keygen`, nor 64 hexadecimal digits: it begins with "lockstep-private-key-v1", not lockstep-public-key-v1
        no trusted key is called "nobody": see `lockstep component trust list`
    "#]].assert_eq(&told);
}

#[test]
fn only_what_nothing_needs_is_collected() {
    let world = World::new();
    let host = world.open();
    let versions: Vec<Digest> = (2..12).map(|n| host.add(&descriptor("writer", &n.to_string()))).collect();
    let alone = host.add(&descriptor("nobodys", "1"));
    host.activate("writer", &versions[0]).unwrap();
    // It is out of the last five of the history soon, but a run was pinned to it.
    let pinned = host.used("task");
    assert_eq!(pinned, versions[0]);
    for digest in &versions[1..8] {
        host.activate("writer", digest).unwrap();
    }
    let wanted =
        CanaryRequest { digest: versions[8].to_string(), share: Some(1), ..CanaryRequest::default() };
    host.canary("writer", wanted).unwrap();

    let before = stored(&world, &host);
    let planned = host.run(host.runtime.collect_components(true, None)).unwrap();
    assert_eq!(stored(&world, &host), before, "a dry run changes nothing");
    let audited = host.audited();
    let report = host.run(host.runtime.collect_components(false, Some("ann".to_owned()))).unwrap();
    assert_eq!((planned.removed, planned.kept), (report.removed.clone(), report.kept.clone()));
    let mut kept: Vec<String> = report
        .kept
        .iter()
        .map(|entry| format!("{} {}: {}\n", entry.kind, entry.version, entry.needed_by.join("; ")))
        .collect();
    kept.sort();
    expect![[r#"
        merger 1: active for merger; part of this lockstep
        writer 10: canary of writer
        writer 1: part of this lockstep
        writer 2: pinned by a run
        writer 5: among the last 5 of writer
        writer 6: among the last 5 of writer
        writer 7: among the last 5 of writer
        writer 8: among the last 5 of writer
        writer 9: active for writer
    "#]]
    .assert_eq(&kept.concat());
    let mut removed: Vec<String> =
        report.removed.iter().map(|entry| format!("{} {}", entry.kind, entry.version)).collect();
    removed.sort();
    assert_eq!(removed, ["nobodys 1", "writer 11", "writer 3", "writer 4"]);
    assert_eq!(host.audit(audited).lines().count(), 4);
    assert!(host.run(host.runtime.component(&alone.to_string())).is_err());
    let run = host.run(host.runtime.list(lockstep_ports::RunQuery::default())).unwrap().runs[0].id.clone();
    assert_eq!(host.run(host.runtime.replay(&run)).unwrap().differences, [], "old runs are replayed still");
    let again = host.run(host.runtime.collect_components(false, None)).unwrap();
    assert_eq!(again.removed, []);
}

#[test]
fn folders_that_no_grant_and_no_run_names_are_collected() {
    let world = World::new();
    let host = world.open();
    let folder = |name: &str| {
        let mut dir = DirSnapshot::default();
        dir.add(name, Vec::new()).unwrap();
        host.run(host.runtime.keep_dir(dir.encode())).unwrap()
    };
    let grant = |digest| {
        let dirs = vec![DirGrant { path: "/data".to_owned(), digest }];
        host.run(host.runtime.grant(
            "writer",
            GrantRequest { grant: Grant { dirs, ..Grant::default() }, ..GrantRequest::default() },
        ))
        .unwrap();
    };
    let (pinned, granted, nobodys) = (folder("pinned"), folder("granted"), folder("nobodys"));
    grant(pinned);
    host.used("task");
    grant(granted);
    let planned = host.run(host.runtime.collect_components(true, None)).unwrap();
    assert_eq!(planned.removed_dirs, [nobodys]);
    assert_eq!(host.run(world.components.dirs()).unwrap().len(), 3, "a dry run changes nothing");
    host.run(host.runtime.collect_components(false, None)).unwrap();
    let mut kept = vec![pinned, granted];
    kept.sort();
    assert_eq!(host.run(world.components.dirs()).unwrap(), kept);
}

#[test]
fn a_component_that_refuses_a_stored_config_is_used_with_a_warning() {
    let world = World::new();
    let host = world.open();
    host.pipeline(&["build"]);
    let schema = r#"{"type":"object","required":["rounds"]}"#;
    let strict = Descriptor { config_schema: JsonText::new(schema).unwrap(), ..descriptor("writer", "2") };
    let digest = host.add(&strict);
    expect![[r#"it refuses the config of step build of pipeline "p" in workspace default: "rounds" is a required property"#]].assert_eq(&host.activate("writer", &digest).unwrap().join("\n"));
}

#[test]
fn a_component_is_told_whole() {
    let world = World::new();
    let host = world.open();
    let reader = Descriptor { access: Access::ReadOnly, ..descriptor("reader", "1") };
    let bytes = component(&reader);
    let detail = host.run(host.runtime.inspect_component(bytes.clone())).unwrap();
    assert_eq!(
        (detail.is_stored, detail.beyond_grant, detail.activations.len()),
        (false, jobs(&["work"]), 0)
    );
    let digest = host.add(&reader);
    let key = PrivateKey::from_random(&[3; 32]);
    let signature: Signature = key.sign(&detail.view.info);
    host.run(host.runtime.sign_component(&digest.short(), &write_signature(&signature), actor())).unwrap();
    host.grant("reader", GrantRequest { grant: jobs(&["work"]), ..GrantRequest::default() }).unwrap();
    host.activate("reader", &digest).unwrap();
    let detail = host.run(host.runtime.inspect_component(bytes)).unwrap();
    assert_eq!((detail.is_stored, detail.beyond_grant), (true, Grant::default()));
    assert_eq!((detail.view.active_for, detail.activations.len()), (vec!["reader".to_owned()], 1));
    assert_eq!((&detail.signatures[0].signature, &detail.signatures[0].trusted_as), (&signature, &None));
    let kinds = host.run(host.runtime.kinds()).unwrap();
    let kinds: Vec<&str> = kinds.iter().map(|view| view.kind.as_str()).collect();
    assert_eq!(kinds, ["merger", "reader", "writer"]);
}
