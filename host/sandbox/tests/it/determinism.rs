use crate::support::{Nobody, everything, input, options, probe, sandbox};
use lockstep_ports::StepExecutor as _;
use lockstep_sandbox::{Allocation, Limits, Sandbox, SandboxOptions};
use lockstep_types::{Digest, Invocation, Outcome};
use std::fs;
use std::path::{Path, PathBuf};

const CONFIGS: [&str; 6] = [
    r#"{"do":"complete"}"#,
    r#"{"do":"loop"}"#,
    r#"{"do":"trap"}"#,
    r#"{"do":"recurse"}"#,
    r#"{"do":"eat-memory"}"#,
    r#"{"do":"host-calls","n":3}"#,
];

fn limits() -> Limits {
    Limits { fuel: 20_000_000, ..Limits::default() }
}

async fn calls(sandbox: &Sandbox) -> Vec<Invocation> {
    let mut done = Vec::new();
    for config in CONFIGS {
        done.push(sandbox.invoke(Digest::of(&probe()), &everything(), input(config), &Nobody).await);
    }
    done
}

fn compiled_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() { found.extend(compiled_in(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn the_same_call_gives_the_same_record_wherever_it_is_made() {
    let warm = sandbox(options(limits()));
    let first = calls(&warm).await;
    assert_eq!(first, calls(&warm).await, "again in the same sandbox");

    let cold = SandboxOptions { cache_dir: None, limits: limits(), allocation: Allocation::Pooled };
    assert_eq!(first, calls(&sandbox(cold)).await, "in another, compiled anew, with pooled instances");
}

#[tokio::test]
async fn calls_at_the_same_time_do_not_touch_each_other() {
    let sandbox = sandbox(options(limits()));
    let alone = calls(&sandbox).await;
    let (a, b, c) = tokio::join!(calls(&sandbox), calls(&sandbox), calls(&sandbox));
    assert_eq!([&a, &b, &c], [&alone; 3]);
}

#[tokio::test]
async fn damaged_compiled_code_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let options = || SandboxOptions { cache_dir: Some(folder.path().to_owned()), ..options(limits()) };
    let call = async || {
        let sandbox = sandbox(options());
        sandbox.invoke(Digest::of(&probe()), &everything(), input(CONFIGS[0]), &Nobody).await
    };
    let first = call().await;
    let files = compiled_in(folder.path());
    let [file] = &files[..] else { panic!("{files:?}") };
    let whole = fs::read(file).unwrap();

    fs::write(file, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(call().await, first);
    assert_eq!(fs::read(file).unwrap().len(), whole.len(), "the file is whole again");
    assert_eq!(compiled_in(folder.path()).len(), 1, "nothing else is left behind");
}

#[tokio::test]
async fn compiled_code_is_used_when_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let options = || SandboxOptions { cache_dir: Some(folder.path().to_owned()), ..options(limits()) };
    let digest = Digest::of(&probe());
    sandbox(options()).inspect(&probe()).await.unwrap();
    let file = compiled_in(folder.path()).remove(0);
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    let invocation = sandbox(options()).invoke(digest, &everything(), input(CONFIGS[0]), &Nobody).await;
    assert!(matches!(invocation.outcome, Outcome::Transition(_)));
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written, "not compiled again");
}
