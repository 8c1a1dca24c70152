//! `lockstep component …` as people see it.

use crate::{Served, write};
use expect_test::expect;
use std::fs;

fn transcripts(served: &Served, lines: &[&str]) -> String {
    lines.iter().map(|line| served.transcript(line)).collect()
}

#[test]
fn components_are_looked_at() {
    let served = Served::new();
    write(served.folder.path(), "gate.wasm", "one");
    let text = transcripts(
        &served,
        &[
            "component show gate",
            "component show 7692",
            "component show none",
            "component inspect gate.wasm",
            "component inspect none",
        ],
    );
    expect![[r#"
        $ lockstep component show gate
        gate
          uses     7692c3ad3540 2 since 2026-01-05 09:00:00 by anna: first
          may      import log; effects merge
          granted  2026-01-05 09:00:00 by bert
          canary   3fc4ccfe7458 for 10% of runs since 2026-01-05 09:00:00 by anna: counts skipped checks
          moves    3
        = 0
        $ lockstep component show 7692
        7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed
          kind       gate 2 (state version 1)
          summary    looks
          world      lockstep:step/step@0.2.0
          size       3 B
          added      1970-01-01 00:00:00
          imports    checks
          exports    advance, describe, migrate
          jobs       ci-fixer
          effects    -
          config     checks*, wait
          limits     fuel 500,000,000, memory 64.0 MiB
          signed by  team (trusted, key abababababab)
          signed by  key efefefefefef (not trusted)
          activated  for gate at 2026-01-05 09:00:00 by anna: first
        warning: it asks for more than kind gate is granted: `lockstep component grant gate --import checks --job ci-fixer`
        = 0
        $ lockstep component show none
        ! lockstep: "none" is neither a step kind nor a component: see `lockstep component list`
        = 5
        $ lockstep component inspect gate.wasm
        7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed
          kind       gate 2 (state version 1)
          summary    looks
          world      lockstep:step/step@0.2.0
          size       3 B
          added      not added
          imports    checks
          exports    advance, describe, migrate
          jobs       ci-fixer
          effects    -
          config     checks*, wait
          limits     fuel 500,000,000, memory 64.0 MiB
          signed by  team (trusted, key abababababab)
          signed by  key efefefefefef (not trusted)
          activated  for gate at 2026-01-05 09:00:00 by anna: first
        warning: it asks for more than kind gate is granted: `lockstep component grant gate --import checks --job ci-fixer`
        = 0
        $ lockstep component inspect none
        ! lockstep: "none" is neither a file nor a stored component: see `lockstep component list`
        = 5
    "#]]
    .assert_eq(&text);
}

#[test]
fn kinds_and_what_happened_are_listed() {
    let served = Served::new();
    let text = transcripts(
        &served,
        &["component list", "component grant gate", "component audit --last 3", "component trust list"],
    );
    expect![[r#"
        $ lockstep component list
        DIGEST        KIND  VERSION  SIZE  USE              IMPORTS  SUMMARY
        7692c3ad3540  gate  2        3 B   -                checks   looks
        3fc4ccfe7458  gate  2        3 B   canary, stopped  checks   looks
        = 0
        $ lockstep component grant gate
        gate may: import log; effects merge
          since 2026-01-05 09:00:00 by bert
        = 0
        $ lockstep component audit --last 3
        NO  WHEN                 BY    WHAT  TO            HOW                  REASON
        7   2026-01-05 09:00:00  anna  add   7692c3ad3540  gate 2, 40000 bytes  nightly
        = 0
        $ lockstep component trust list
        policy require: a component needs the signature of a trusted key
        NAME  KEY                                                               SINCE                BY
        team  abababababababababababababababababababababababababababababababab  2026-01-05 09:00:00  anna
        = 0
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_kind_is_granted_and_pointed_at_a_component() {
    let served = Served::new();
    let text = transcripts(
        &served,
        &[
            "component activate gate 7692 --require-identical --max-changed 3 --max-fuel-growth 5%",
            "component grant gate --import checks --effect merge",
            "component grant gate --job ci-fixer --revoke --force",
            "component grant gate --revoke",
            "component grant gate --force",
        ],
    );
    expect![[r#"
        $ lockstep component activate gate 7692 --require-identical --max-changed 3 --max-fuel-growth 5%
        gate runs on 7692c3ad3540 from now on; live runs keep what they began with
          it may: import log
        warning: it refuses the config of step ci of pipeline "Quick"
        = 0
        $ lockstep component grant gate --import checks --effect merge
        gate may: import log; effects merge
          since 2026-01-05 09:00:00 by bert
        = 0
        $ lockstep component grant gate --job ci-fixer --revoke --force
        gate may: import log; effects merge
          since 2026-01-05 09:00:00 by bert
        = 0
        $ lockstep component grant gate --revoke
        ! lockstep: say what is taken away: --import, --job, --effect or --dir
        = 5
        $ lockstep component grant gate --force
        ! error: the following required arguments were not provided:
        !   --revoke
        ! 
        ! Usage: lockstep component grant --revoke --force --data <DIR> <KIND>
        ! 
        ! For more information, try '--help'.
        = 2
    "#]]
    .assert_eq(&text);
    expect![[r#"
        activate gate by Some("anna") None Gates { require_identical: true, max_changed: Some(3), max_fuel_growth: Some(5.0) }
        grant gate Grant { imports: ["checks"], jobs: [], effects: ["merge"], dirs: [] } revoke false force false by Some("anna")
        grant gate Grant { imports: [], jobs: ["ci-fixer"], effects: [], dirs: [] } revoke true force true by Some("anna")"#]]
    .assert_eq(&served.service.calls());
}

#[test]
fn a_canary_is_begun_watched_and_ended() {
    let served = Served::new();
    let text = transcripts(
        &served,
        &[
            "component canary gate 3fc4 --share 10%",
            "component canary gate 3fc4 --item 7 --item docs",
            "component canary gate 3fc4 --share 0",
            "component canary gate --share 10",
            "component canary gate",
            "component promote gate --reason better",
            "component rollback gate --reason worse",
        ],
    );
    expect![[r#"
        $ lockstep component canary gate 3fc4 --share 10%
        10% of runs of gate that start from now on get 3fc4ccfe7458
          see how they do: lockstep component canary gate
        = 0
        $ lockstep component canary gate 3fc4 --item 7 --item docs
        10% of runs of gate that start from now on get 3fc4ccfe7458
          see how they do: lockstep component canary gate
        = 0
        $ lockstep component canary gate 3fc4 --share 0
        ! error: invalid value '0' for '--share <PERCENT>': a percentage from 1% to 100% is expected
        ! 
        ! For more information, try '--help'.
        = 2
        $ lockstep component canary gate --share 10
        ! error: the following required arguments were not provided:
        !   <DIGEST>
        ! 
        ! Usage: lockstep component canary --share <PERCENT> --data <DIR> <KIND> <DIGEST>
        ! 
        ! For more information, try '--help'.
        = 2
        $ lockstep component canary gate
        gate canary 3fc4ccfe7458 for 10% of runs since 2026-01-05 09:00:00 by anna: counts skipped checks
        RUNS ON    ALL  DONE  FAILED  LIVE
        candidate  3    1     1       1
        others     27   25    0       2

        RUN       STATUS  STARTED              ITEM
        00000001  failed  2026-01-05 09:00:00  default-3

        CALL             STEP  DIFFERS IN  CANDIDATE       ACTIVE 3fc4ccfe7458
        00000000 call 4  ci    next        complete green  wait 500 ms
        and 1 more
        2 calls of the candidate: 1 the same with the active component, 1 otherwise, 1 of them decide otherwise
          all runs: lockstep component promote gate
          no more:  lockstep component rollback gate
        = 0
        $ lockstep component promote gate --reason better
        gate runs on 7692c3ad3540 from now on; live runs keep what they began with
          it may: import log
        = 0
        $ lockstep component rollback gate --reason worse
        the canary of gate on 3fc4ccfe7458 has ended; runs that have it keep it, and the pointer has not moved
        = 0
    "#]]
    .assert_eq(&text);
    expect![[r#"
        canary gate 3fc4 Some(10) [] by Some("anna")
        canary gate 3fc4 None ["default-7", "docs"] by Some("anna")
        backtest 7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed for gate, None None [RunId("run-019b8d1a2b30000000000001")] 200
        promote gate by Some("anna") because Some("better")
        rollback gate by Some("anna") because Some("worse")"#]]
    .assert_eq(&served.service.calls());
}

#[test]
fn components_are_stopped_collected_and_trusted() {
    let served = Served::new();
    let text = transcripts(
        &served,
        &[
            "component stop-digest 7692 --reason merges",
            "component stop-digest 7692",
            "component resume-digest 7692",
            "component gc --dry-run",
            "component gc",
            "component trust policy warn",
            "component trust policy perhaps",
            "component trust remove team",
        ],
    );
    expect![[r#"
        $ lockstep component stop-digest 7692 --reason merges
        7692c3ad3540 is stopped: no run calls it any more
        warning: kind gate still points to it: `lockstep component rollback gate`
        = 0
        $ lockstep component stop-digest 7692
        ! error: the following required arguments were not provided:
        !   --reason <TEXT>
        ! 
        ! Usage: lockstep component stop-digest --reason <TEXT> --data <DIR> <DIGEST>
        ! 
        ! For more information, try '--help'.
        = 2
        $ lockstep component resume-digest 7692
        7692c3ad3540 may be called again
        = 0
        $ lockstep component gc --dry-run
        would remove 1 component (39 KiB), 1 component is needed
        DIGEST        KIND  VERSION  SIZE    WHY
        7692c3ad3540  gate  2        39 KiB  goes: nothing needs it
        3fc4ccfe7458  gate  2        39 KiB  canary of gate; pinned by 2 runs
        would remove 1 granted folder that no grant and no run names any more
        = 0
        $ lockstep component gc
        removed 1 component (39 KiB), 1 component is needed
        DIGEST        KIND  VERSION  SIZE    WHY
        7692c3ad3540  gate  2        39 KiB  gone: nothing needs it
        3fc4ccfe7458  gate  2        39 KiB  canary of gate; pinned by 2 runs
        removed 1 granted folder that no grant and no run names any more
        = 0
        $ lockstep component trust policy warn
        policy off: signatures are not asked for
        no key is trusted: lockstep component trust add KEYFILE
        = 0
        $ lockstep component trust policy perhaps
        ! error: invalid value 'perhaps' for '[POLICY]'
        !   [possible values: off, warn, require]
        ! 
        ! For more information, try '--help'.
        = 2
        $ lockstep component trust remove team
        policy off: signatures are not asked for
        no key is trusted: lockstep component trust add KEYFILE
        = 0
    "#]]
    .assert_eq(&text);
    expect![[r#"
        stop 7692 by Some("anna") because Some("merges")
        resume 7692 by Some("anna") because None
        gc by Some("anna")
        gc by Some("anna")
        Policy(Warn) by Some("anna") because None
        Remove { name: "team" } by Some("anna") because None"#]]
    .assert_eq(&served.service.calls());
}

#[test]
fn a_folder_is_added_file_by_file() {
    let served = Served::new();
    let folder = served.folder.path();
    fs::create_dir(folder.join("built")).unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    write(folder, "built/a.wasm", "one");
    write(folder, "built/a.wasm.sig", "its signature");
    write(folder, "built/b.wasm", "bad");
    write(folder, "built/c.txt", "no component");
    // Its size alone is looked at: there is nothing in it to read.
    fs::File::create(folder.join("built/huge.wasm")).unwrap().set_len(500 << 20).unwrap();
    let text = transcripts(
        &served,
        &[
            "component add built",
            "component add empty",
            "component add built/huge.wasm",
            "component add built/b.wasm",
            "component add built --signature built/a.wasm.sig",
            "component add built/a.wasm --reason nightly",
        ],
    );
    expect![[r#"
        $ lockstep component add built
        added 7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed gate 2 (3 B)
          imports: checks
          jobs: ci-fixer
        nothing uses it yet: lockstep component activate gate 7692c3ad3540
        refused built/b.wasm: not a WebAssembly component: no magic number
        refused built/huge.wasm: it has 500.0 MiB, more than the 64.0 MiB a component may have
        ! lockstep: 2 of 3 files were refused
        = 5
        $ lockstep component add empty
        ! lockstep: empty holds no .wasm file: build the components first
        = 5
        $ lockstep component add built/huge.wasm
        ! lockstep: built/huge.wasm: it has 500.0 MiB, more than the 64.0 MiB a component may have
        = 5
        $ lockstep component add built/b.wasm
        ! lockstep: built/b.wasm: not a WebAssembly component: no magic number
        = 5
        $ lockstep component add built --signature built/a.wasm.sig
        ! lockstep: --signature is for one file: put the signature of each into FILE.sig
        = 5
        $ lockstep component add built/a.wasm --reason nightly
        added 7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed gate 2 (3 B)
          imports: checks
          jobs: ci-fixer
        nothing uses it yet: lockstep component activate gate 7692c3ad3540
        = 0
    "#]]
    .assert_eq(&text);
    expect![[r#"
        add 3 bytes, Some("its signature"), by Some("anna") because None
        add 3 bytes, None, by Some("anna") because None
        add 3 bytes, None, by Some("anna") because None
        add 3 bytes, Some("its signature"), by Some("anna") because Some("nightly")"#]]
    .assert_eq(&served.service.calls());
}

/// What is done with a pair of keys that is there, and what is refused.
const KEYS: [&str; 9] = [
    "component keygen team",
    "component keygen a/b%c",
    "component sign gate.wasm --key team.key",
    "component sign 7692 --key team.key",
    "component sign gate.wasm --key team.pub",
    "component sign gate.wasm --key gate.wasm",
    "component trust add team.pub",
    "component trust add rubbish",
    "component trust add team.key",
];

#[test]
fn keys_are_made_once_and_sign() {
    let served = Served::new();
    let folder = served.folder.path();
    write(folder, "gate.wasm", "one");
    let made = served.command("component keygen team --json").output().unwrap();
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&made["private"], &made["public"]), (&"team.key".into(), &"team.pub".into()));
    let private = fs::read_to_string(folder.join("team.key")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.join("team.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let key = made["key"].as_str().unwrap();
    let text = transcripts(&served, &KEYS);
    let short = &key[..12];
    expect![[r#"
        $ lockstep component keygen team
        ! lockstep: team.key is there already and is not replaced: use another name
        = 5
        $ lockstep component keygen a/b%c
        ! lockstep: "a/b%c" is no name for a key: use letters, digits, `-`, `_` and `.`, such as release-team
        = 5
        $ lockstep component sign gate.wasm --key team.key
        signed 7692c3ad3540 gate 2 by key SHORT: gate.wasm.sig
        = 0
        $ lockstep component sign 7692 --key team.key
        signed 7692c3ad3540 gate 2 by key SHORT: stored with it
        = 0
        $ lockstep component sign gate.wasm --key team.pub
        ! lockstep: team.pub: it is not a private key of `lockstep component keygen`: it begins with "lockstep-public-key-v1", not lockstep-private-key-v1
        = 5
        $ lockstep component sign gate.wasm --key gate.wasm
        ! lockstep: gate.wasm: it is not a private key of `lockstep component keygen`: it begins with "one", not lockstep-private-key-v1
        = 5
        $ lockstep component trust add team.pub
        policy off: signatures are not asked for
        no key is trusted: lockstep component trust add KEYFILE
        = 0
        $ lockstep component trust add rubbish
        ! lockstep: rubbish: it is not a public key file of `lockstep component keygen`, nor 64 hexadecimal digits: 64 hexadecimal digits are expected
        = 5
        $ lockstep component trust add team.key
        ! lockstep: team.key: it is not a public key file of `lockstep component keygen`, nor 64 hexadecimal digits: it begins with "lockstep-private-key-v1", not lockstep-public-key-v1
        = 5
    "#]].assert_eq(&text.replace(key, "KEY").replace(short, "SHORT"));
    assert_eq!(fs::read_to_string(folder.join("team.key")).unwrap(), private, "the key is not replaced");
    let signature = fs::read_to_string(folder.join("gate.wasm.sig")).unwrap();
    let words: Vec<usize> = signature.split_whitespace().map(str::len).collect();
    assert_eq!(words, ["lockstep-signature-v1".len(), 64, 128]);
    assert!(!text.contains(private.split(' ').nth(2).unwrap().trim()), "the private key is never shown");
    expect![[r#"
        inspect 3 bytes
        sign 64 with 3 words by Some("anna") because None
        Add { name: "team", key: "KEY" } by Some("anna") because None"#]]
    .assert_eq(&served.service.calls().replace(key, "KEY"));
}

#[test]
fn a_granted_folder_is_sent_as_it_is_now() {
    let served = Served::new();
    let folder = served.folder.path();
    fs::create_dir_all(folder.join("rules/more")).unwrap();
    fs::create_dir(folder.join("linked")).unwrap();
    write(folder, "rules/main.json", "{}");
    write(folder, "rules/more/a.txt", "a");
    std::os::unix::fs::symlink("/etc/passwd", folder.join("linked/passwd")).unwrap();
    let text = transcripts(
        &served,
        &[
            "component grant gate --dir /data=rules --import log",
            "component grant gate --dir /data",
            "component grant gate --dir /data=missing",
            "component grant gate --dir /data=linked",
            "component grant gate --dir /other --revoke",
        ],
    );
    expect![[r#"
        $ lockstep component grant gate --dir /data=rules --import log
        gate may: import log; effects merge
          since 2026-01-05 09:00:00 by bert
        = 0
        $ lockstep component grant gate --dir /data
        ! lockstep: --dir /data names no folder: give it as --dir /data=FOLDER
        = 5
        $ lockstep component grant gate --dir /data=missing
        ! lockstep: missing cannot be read: No such file or directory (os error 2)
        = 5
        $ lockstep component grant gate --dir /data=linked
        ! lockstep: linked/passwd is a link or a device: only files can be granted
        = 5
        $ lockstep component grant gate --dir /other --revoke
        ! lockstep: kind gate is granted no directory at /other
        = 5
    "#]]
    .assert_eq(&text);
    expect![[r#"
        keep-dir "lockstep-dir 1\n2 main.json\n{}1 more/a.txt\na"
        grant gate Grant { imports: ["log"], jobs: [], effects: [], dirs: [DirGrant { path: "/data", digest: 85f99927d4fb653326f6156946f1b4584a179f891d5ad9153868b846574fd4f1 }] } revoke false force false by Some("anna")"#]]
    .assert_eq(&served.service.calls());
}
