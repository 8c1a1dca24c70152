use super::LicenceCheck;
use lockstep_sdk::testing::{Bench, check_schema};
use lockstep_sdk::workspace::{ChangedFile, FileStatus};

const CARGO: &str = "[package]\nname = \"shop\"\n\n[dependencies]\nserde = \"1\"\nleftpad = \"1\"\n";
const CARGO_DIFF: &str =
    "@@ -1,4 +1,6 @@\n [package]\n name = \"shop\"\n \n [dependencies]\n+serde = \"1\"\n+leftpad = \"1\"\n";

fn bench(config: &str, files: &[(&str, FileStatus, &str)]) -> Bench<LicenceCheck> {
    let mut bench = Bench::new(config);
    for (path, status, content) in files {
        let (path, status) = ((*path).to_owned(), *status);
        bench.host.add_file(ChangedFile { path, status, lines_added: 1, lines_removed: 0 }, *content);
    }
    bench
}

#[test]
fn new_files_say_their_licence() {
    let header = format!("/* {} Apache-2.0 OR GPL-2.0-only */\nint x;\n", super::MARK);
    let files = [
        ("a.c", FileStatus::Added, header.as_str()),
        ("b.rs", FileStatus::Modified, ""),
        ("c.md", FileStatus::Added, ""),
    ];
    expect_test::expect![[r#"
        complete 1 file looked at, all accepted
    "#]]
    .assert_eq(&bench("{}", &files).started());

    let files = [("a.rs", FileStatus::Added, "fn a() {}"), ("vendor/b.rs", FileStatus::Added, "")];
    expect_test::expect![[r#"
        fail     Agent: a.rs: no `SPDX-License-Identifier:` in the first 20 lines
        detail   - a.rs: no `SPDX-License-Identifier:` in the first 20 lines
        note     1 file looked at, 1 not accepted
    "#]]
    .assert_eq(&bench(r#"{"exempt":["vendor/"]}"#, &files).started());
    let reworked = bench(r#"{"producers":["coder"],"exempt":["vendor/"]}"#, &files).started();
    assert!(reworked.starts_with("rework   coder: Licences are not as they have to be:\n"), "{reworked}");
}

#[test]
fn the_licence_of_a_new_dependency_is_in_the_ledger_or_asked() {
    let ledger = (".lockstep/licences.json", FileStatus::Added, r#"{"serde":"MIT OR Apache-2.0"}"#);
    let mut asked = bench("{}", &[("Cargo.toml", FileStatus::Modified, CARGO), ledger]);
    asked.host.set_diff("Cargo.toml", CARGO_DIFF);
    expect_test::expect![[r#"
        ask      Decision: Are the licences of these accepted? [accept, refuse]
        proposal - Cargo.toml: dependency leftpad is new and not in .lockstep/licences.json
        note     1 file looked at, 1 not known
    "#]]
    .assert_eq(&asked.started());
    expect_test::expect![[r#"
        fail     Cancelled: a person refused: Cargo.toml: dependency leftpad is new and not in .lockstep/licences.json
    "#]]
    .assert_eq(&asked.answered("refuse"));

    let ledger = (".lockstep/licences.json", FileStatus::Added, r#"{"serde":"MIT","leftpad":"WTFPL"}"#);
    let mut refused = bench("{}", &[("Cargo.toml", FileStatus::Modified, CARGO), ledger]);
    refused.host.set_diff("Cargo.toml", CARGO_DIFF);
    let refused = refused.started();
    assert!(refused.contains("dependency leftpad is under WTFPL, which is not accepted"), "{refused}");
}

#[test]
fn the_schema_fits_the_config() {
    check_schema::<LicenceCheck>();
}
