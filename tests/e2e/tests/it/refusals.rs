//! What bad input gets: one line, a status of its own, nothing half-done.

use crate::host::{Ran, root};
use crate::shop::Shop;

const REFUSED: Option<i32> = Some(5);
const FAILED: Option<i32> = Some(3);

fn start(shop: &Shop, pipeline: &str, branch: &str) -> Ran {
    let pipeline = shop.write_pipeline(pipeline);
    let repo = shop.repo();
    shop.host.run(&shop.run_args(pipeline.to_str().unwrap(), repo.to_str().unwrap(), branch))
}

fn refused(ran: &Ran, says: &[&str]) {
    assert_eq!(ran.status, REFUSED, "{ran:?}");
    for text in says {
        assert!(ran.err.contains(text), "{text:?} is not in: {}", ran.err);
    }
}

#[test]
fn a_bad_pipeline_is_refused_with_file_line_and_fix() {
    let shop = Shop::new();
    let step = "[[steps]]\nkind = \"ci-gate\"\n";
    let unknown = start(&shop, "name = \"p\"\n[[steps]]\nkind = \"ci-gat\"\n", "discount");
    refused(&unknown, &["pipeline.toml:3:8", "unknown step kind \"ci-gat\"", "did you mean \"ci-gate\""]);
    let config = start(&shop, &format!("name = \"p\"\n{step}config = {{ max_attempts = 51 }}\n"), "discount");
    refused(&config, &["pipeline.toml:4:", "max_attempts"]);
    let circle = format!("name = \"p\"\n{step}name = \"a\"\nneeds = [\"b\"]\n{step}name = \"b\"\n");
    refused(&start(&shop, &circle, "discount"), &["pipeline.toml:", "circle", "a -> b -> a"]);
    refused(&start(&shop, "name = ", "discount"), &["pipeline.toml:1:"]);
    assert_eq!(shop.host.json(&["runs", "list"]).as_array().map(Vec::len), Some(0), "nothing was started");
}

#[test]
fn a_repository_that_does_not_fit_is_refused() {
    let shop = Shop::new();
    let pipeline = "name = \"p\"\n[[steps]]\nkind = \"ci-gate\"\n";
    refused(&start(&shop, pipeline, "discuont"), &["discuont", "discount"]);
    let file = shop.write_pipeline(pipeline);
    let (file, repo) = (file.to_string_lossy().into_owned(), shop.repo().to_string_lossy().into_owned());
    let option = ["run", "--pipeline", &file, "--repo", &repo, "--branch=--upload-pack=touch"];
    refused(&shop.host.run(&option), &["--upload-pack"]);
    std::fs::write(shop.repo().join("src/lib.rs"), "changed by hand").unwrap();
    refused(&start(&shop, pipeline, "discount"), &["uncommitted", "commit or stash"]);
    let nowhere = shop.write_pipeline(pipeline);
    let args = ["run", "--pipeline", nowhere.to_str().unwrap(), "--repo", "/nowhere", "--branch", "main"];
    refused(&shop.host.run(&args), &["/nowhere", "cannot be opened"]);
}

#[test]
fn a_job_command_that_does_not_exist_fails_the_run_with_a_line() {
    let shop = Shop::new();
    let pipeline = "name = \"p\"\n[jobs.coder]\ncommand = [\"no-such-agent\"]\n[[steps]]\nkind = \"agent\"\nrole = \"coder\"\n";
    let ran = start(&shop, pipeline, "discount");
    assert_eq!(ran.status, FAILED, "{ran:?}");
    assert!(ran.out.contains("no-such-agent") && ran.out.contains("[jobs.coder]"), "{}", ran.out);
}

#[test]
fn components_at_fault_fail_their_own_run_with_a_class() {
    let shop = Shop::new();
    let probe = root().join("target/probes/probe.wasm");
    let added = shop.host.json(&["component", "add", probe.to_str().unwrap()]);
    let digest = added["digest"].as_str().unwrap();
    let bare = shop.host.run(&["component", "activate", "probe", digest]);
    assert_eq!(bare.status, REFUSED, "{bare:?}");
    assert!(bare.err.contains("--grant-effect merge"), "{}", bare.err);
    let flags: Vec<&str> =
        bare.err.split_whitespace().skip_while(|word| !word.starts_with("--grant")).collect();
    let flags: Vec<&str> = flags.iter().map(|word| word.trim_matches(['`', '\''])).collect();
    let mut args = vec!["component", "activate", "probe", digest];
    args.extend(flags);
    let granted = shop.host.run(&args);
    assert_eq!(granted.status, Some(0), "the printed flags allow it: {args:?} {granted:?}");

    // More than any limit of size or number lets through.
    let n = 8_000_000;
    for (action, class) in [
        ("trap", "trapped"),
        ("loop", "out-of-fuel"),
        ("eat-memory", "out-of-memory"),
        ("recurse", "stack-overflow"),
        ("error", "bad-output"),
        ("bad-state", "bad-output"),
        ("huge-output", "too-much-output"),
        ("host-calls", "too-many-host-calls"),
        ("log-flood", "too-much-output"),
    ] {
        let pipeline =
            format!("name = \"p\"\n[[steps]]\nkind = \"probe\"\nconfig = {{ do = \"{action}\", n = {n} }}\n");
        let ran = start(&shop, &pipeline, "discount");
        assert_eq!(ran.status, FAILED, "{action}: {ran:?}");
        assert!(ran.out.contains(class), "{action} is not {class}: {}", ran.out);
    }
    let ran = start(&shop, "name = \"p\"\n[[steps]]\nkind = \"probe\"\n", "discount");
    assert_eq!(ran.status, Some(0), "and the host goes on: {ran:?}");
}

#[test]
fn bytes_that_are_no_component_are_refused() {
    let shop = Shop::new();
    let file = shop.write_pipeline("not wasm");
    refused(&shop.host.run(&["component", "add", file.to_str().unwrap()]), &["not a WebAssembly component"]);
}
