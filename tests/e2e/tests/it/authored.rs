//! Components in JavaScript, Python, C and Rust, as `cargo xtask examples` builds them: their cases, and runs with them.

use crate::host::{Host, Ran, root};
use crate::shop::Shop;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

const DONE: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(3);
const WAITS: Option<i32> = Some(4);

/// The component of that name; none where its tools cannot be had, which is said on the terminal even if all is well.
#[allow(clippy::explicit_write, reason = "what `eprintln!` says is not shown of a test that passes")]
fn authored(name: &str) -> Option<PathBuf> {
    let built = root().join("target/authored");
    let component = built.join(format!("{name}.wasm"));
    if component.is_file() {
        return Some(component);
    }
    let why = std::fs::read_to_string(component.with_extension("skipped"));
    let why =
        why.unwrap_or_else(|_| panic!("{} is missing: run `cargo xtask examples`", component.display()));
    writeln!(std::io::stderr(), "skipped: {name}: {why}").unwrap();
    None
}

/// The cases that lie beside the sources, by the command its author types.
fn passes_its_cases(component: &Path, cases: &Path) {
    let host = Host { data: PathBuf::from("unused") };
    let ran = host.run(&["step", "test", component.to_str().unwrap(), cases.to_str().unwrap()]);
    assert_eq!(ran.status, DONE, "{ran:?}");
}

/// Adds and activates it, as the commands that `lockstep new step` prints do.
fn activate(shop: &Shop, kind: &str, component: &Path) {
    let added = shop.host.json(&["component", "add", component.to_str().unwrap()]);
    let digest = added["digest"].as_str().unwrap();
    let mut args = vec!["component", "activate", kind, digest];
    if kind != "freeze-window" {
        let refused = shop.host.run(&args);
        assert!(refused.err.contains("--grant-import workspace"), "it says what would allow it: {refused:?}");
        args.extend(["--grant-import", "workspace"]);
    }
    let activated = shop.host.run(&args);
    assert_eq!(activated.status, DONE, "{activated:?}");
}

/// A run of one step, over what the branch changes.
fn run(shop: &Shop, kind: &str, config: &str, branch: &str) -> Ran {
    let text = format!(
        "name = \"p\"\n[policy]\ngate_interval_ms = 1000\n[[steps]]\nkind = \"{kind}\"\nconfig = {{ {config} }}\n"
    );
    let (pipeline, repo) = (shop.write_pipeline(&text), shop.repo());
    shop.host.run(&shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), branch))
}

fn replays(shop: &Shop) {
    let replayed = shop.host.run(&["replay", "latest"]);
    assert_eq!(replayed.status, DONE, "{replayed:?}");
}

/// A branch with these files, changed from main.
fn branch(shop: &Shop, name: &str, files: &[(&str, &str)]) {
    shop.git(&["switch", "--quiet", "--create", name, "main"]);
    for (path, text) in files {
        let path = shop.repo().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    shop.commit(name);
    shop.git(&["switch", "--quiet", "main"]);
}

/// What `lockstep new step` writes: a small change goes on, a large one waits for a person.
fn a_new_step_works(language: &str) {
    let kind = format!("new-{language}");
    let Some(component) = authored(&kind) else { return };
    passes_its_cases(&component, &root().join("target/authors").join(&kind).join("cases"));
    let shop = Shop::new();
    activate(&shop, &kind, &component);
    let small = run(&shop, &kind, "max_lines = 400", "receipt");
    assert_eq!(small.status, DONE, "{small:?}");
    assert!(small.out.contains("at most 400"), "{}", small.out);
    let large = run(&shop, &kind, "max_lines = 10", "receipt");
    assert_eq!(large.status, WAITS, "{large:?}");
    let answered = shop.host.run(&["runs", "answer", "latest", "--choose", "take it"]);
    assert_eq!(answered.status, DONE, "{answered:?}");
    let resumed = shop.host.run(&["run", "--resume", "latest"]);
    assert_eq!(resumed.status, DONE, "{resumed:?}");
    replays(&shop);
    let large = run(&shop, &kind, "max_lines = 10", "discount");
    assert_eq!(large.status, WAITS, "{large:?}");
    shop.host.run(&["runs", "answer", "latest", "--choose", "stop"]);
    let stopped = shop.host.run(&["run", "--resume", "latest"]);
    assert_eq!(stopped.status, FAILED, "{stopped:?}");
    assert!(stopped.out.contains("a person did not take the large change"), "{}", stopped.out);
}

#[test]
fn a_new_step_in_rust_works() {
    a_new_step_works("rust");
}

#[test]
fn a_new_step_in_javascript_works() {
    a_new_step_works("js");
}

#[test]
fn a_new_step_in_python_works() {
    a_new_step_works("python");
}

#[test]
fn a_new_step_in_c_works() {
    a_new_step_works("c");
}

#[test]
fn licences_are_checked_on_what_a_change_adds() {
    let component = root().join("target/examples/licence-check.wasm");
    assert!(component.is_file(), "{} is missing: run `cargo xtask guests`", component.display());
    passes_its_cases(&component, &root().join("examples/components/licence-check/cases"));
    let shop = Shop::new();
    activate(&shop, "licence-check", &component);
    branch(&shop, "bare", &[("src/tax.rs", "pub fn tax() {}\n")]);
    branch(&shop, "marked", &[("src/tax.rs", "// SPDX-License-Identifier: MIT\npub fn tax() {}\n")]);
    let config = "accepted = [\"MIT\"], header_extensions = [\"rs\"]";
    let bare = run(&shop, "licence-check", config, "bare");
    assert_eq!(bare.status, FAILED, "{bare:?}");
    assert!(bare.out.contains("src/tax.rs: no `SPDX-License-Identifier:`"), "{}", bare.out);
    replays(&shop);
    let marked = run(&shop, "licence-check", config, "marked");
    assert_eq!(marked.status, DONE, "{marked:?}");
    replays(&shop);
}

#[test]
fn files_of_another_team_wait_for_one_of_its_members() {
    let Some(component) = authored("ownership-gate") else { return };
    passes_its_cases(&component, &root().join("examples/components/ownership-gate/cases"));
    let shop = Shop::new();
    activate(&shop, "ownership-gate", &component);
    std::fs::write(shop.repo().join(".lockstep/OWNERS"), "*  @shop\n/billing/  @payments\n").unwrap();
    shop.commit("owners");
    branch(&shop, "own", &[("src/cart.rs", "pub fn cart() {}\n")]);
    branch(&shop, "foreign", &[("billing/tax.rs", "pub fn tax() {}\n")]);
    let own = run(&shop, "ownership-gate", "team = \"shop\"", "own");
    assert_eq!(own.status, DONE, "{own:?}");
    let config = "team = \"shop\", members = { payments = [\"ada\"] }";
    let foreign = run(&shop, "ownership-gate", config, "foreign");
    assert_eq!(foreign.status, WAITS, "{foreign:?}");
    assert!(foreign.out.contains("Changes files of payments"), "{}", foreign.out);
    let denied = shop.host.run(&["runs", "act", "latest", "approve"]);
    assert_ne!(denied.status, DONE, "only a member may: {denied:?}");
    assert!(denied.err.contains("payments has ada"), "{denied:?}");
    replays(&shop);
}

#[test]
fn a_change_that_lowers_the_coverage_waits_for_a_person() {
    let Some(component) = authored("coverage-gate") else { return };
    passes_its_cases(&component, &root().join("examples/components/coverage-gate/cases"));
    let shop = Shop::new();
    activate(&shop, "coverage-gate", &component);
    std::fs::write(shop.repo().join("baseline"), "90\n").unwrap();
    shop.commit("baseline");
    branch(&shop, "tested", &[("coverage.json", "{\"totals\": {\"percent_covered\": 91.0}}")]);
    branch(&shop, "untested", &[("coverage.json", "{\"totals\": {\"percent_covered\": 80.0}}")]);
    let tested = run(&shop, "coverage-gate", "baseline = \"baseline\"", "tested");
    assert_eq!(tested.status, DONE, "{tested:?}");
    assert!(tested.out.contains("91 %, 90 % in baseline"), "{}", tested.out);
    replays(&shop);
    let untested = run(&shop, "coverage-gate", "baseline = \"baseline\"", "untested");
    assert_eq!(untested.status, WAITS, "{untested:?}");
    assert!(untested.out.contains("falls by more than 0.5 points"), "{}", untested.out);
    replays(&shop);
}

#[test]
fn a_freeze_holds_a_run_until_a_person_overrides_it() {
    let Some(component) = authored("freeze-window") else { return };
    passes_its_cases(&component, &root().join("examples/components/freeze-window/cases"));
    let shop = Shop::new();
    activate(&shop, "freeze-window", &component);
    let past =
        "windows = [{ from = \"2001-01-01T00:00Z\", until = \"2001-01-02T00:00Z\", reason = \"long ago\" }]";
    let open = run(&shop, "freeze-window", past, "receipt");
    assert_eq!(open.status, DONE, "{open:?}");
    replays(&shop);
    let now = "windows = [{ from = \"2001-01-01T00:00Z\", until = \"2199-01-01T00:00Z\", reason = \"an age of ice\" }]";
    let text = format!("name = \"p\"\n[[steps]]\nkind = \"freeze-window\"\nconfig = {{ {now} }}\n");
    let (pipeline, repo) = (shop.write_pipeline(&text), shop.repo());
    let args = shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), "receipt");
    let mut watching = shop.host.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.contains("frozen until 2199-01-01")), "it waits, and says for what");
    // The run is durable: whoever watched it may go.
    watching.kill().unwrap();
    watching.wait().unwrap();
    let act = ["runs", "act", "latest", "override", "--step", "freeze-window"];
    let bare = shop.host.run(&act);
    assert!(bare.err.contains("an override needs a reason"), "{bare:?}");
    let acted = shop.host.run(&[&act[..], &["reason=the shop is down"]].concat());
    assert_eq!(acted.status, DONE, "{acted:?}");
    let resumed = shop.host.run(&["run", "--resume", "latest"]);
    assert_eq!(resumed.status, DONE, "{resumed:?}");
    assert!(resumed.out.contains("the shop is down"), "{}", resumed.out);
    replays(&shop);
}
