//! Files that are no component a team may use: each is refused in one line, and the registry stays as it was.

use crate::host::{Host, root};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Bytes of a file that is far too large: a sparse one, so that nothing but its size is there to look at.
const HUGE_BYTES: u64 = 500 << 20;
/// A component without a single import or export.
const EMPTY_COMPONENT: &[u8] = b"\0asm\r\0\x01\0";

/// A component that is shipped, with a text in it replaced by another of the same length.
fn gate_with(text: &str, by: &str) -> Vec<u8> {
    let file = root().join("target/components/ci-gate.wasm");
    let mut bytes = fs::read(&file).unwrap_or_else(|error| {
        panic!("{}: {error}: run `cargo xtask guests` first", file.display());
    });
    assert_eq!(text.len(), by.len(), "nothing else may move");
    let found: Vec<usize> =
        (0..bytes.len() - text.len()).filter(|at| bytes[*at..].starts_with(text.as_bytes())).collect();
    assert!(!found.is_empty(), "{text:?} is not in the component");
    for at in found {
        bytes[at..at + by.len()].copy_from_slice(by.as_bytes());
    }
    bytes
}

/// All that is known about components.
fn registry(host: &Host) -> [Value; 3] {
    [
        host.json(&["component", "list"]),
        host.json(&["component", "audit", "--last", "1000"]),
        host.json(&["component", "trust", "list"]),
    ]
}

fn refused(host: &Host, args: &[&str], says: &str) {
    let ran = host.run(args);
    assert_eq!((ran.status, ran.out.as_str()), (Some(5), ""), "{args:?}: {ran:?}");
    assert_eq!(ran.err.trim_end().lines().count(), 1, "{args:?}: {}", ran.err);
    assert!(ran.err.contains(says), "{args:?}: {says:?} is not in: {}", ran.err);
}

fn bad_files(folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let whole = gate_with("ci-gate", "ci-gate");
    let noise: Vec<u8> = (0_u32..50_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let files = [
        ("empty", Vec::new(), "it does not begin as WebAssembly does"),
        ("noise", noise.clone(), "it does not begin as WebAssembly does"),
        ("noisy", [EMPTY_COMPONENT, &noise].concat(), "not a WebAssembly component"),
        ("torn", whole[..whole.len() / 2].to_vec(), "not a WebAssembly component"),
        ("world", EMPTY_COMPONENT.to_vec(), "describe"),
        ("import", gate_with("lockstep:step/checks@", "lockstep:step/chucks@"), "lockstep:step/chucks@"),
        ("schema", gate_with("  \"type\": \"object\"", "  \"type\": \"objekt\""), "is no JSON Schema"),
        ("kind", gate_with("ci-gate", "CI gate"), "kind \"CI gate\" is not a name"),
    ];
    let mut bad = vec![(folder.join("huge.wasm"), "it has 500.0 MiB, more than the 64.0 MiB")];
    File::create(&bad[0].0).and_then(|file| file.set_len(HUGE_BYTES)).unwrap();
    for (name, bytes, says) in files {
        let file = folder.join(name).with_extension("wasm");
        fs::write(&file, bytes).unwrap();
        bad.push((file, says));
    }
    bad.push((folder.join("missing.wasm"), "cannot be read"));
    bad
}

/// One test: a new data folder costs the compilation of all shipped components.
#[test]
fn what_is_refused_leaves_the_registry_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host { data: folder.path().join("data") };
    let before = registry(&host);
    for (file, says) in bad_files(folder.path()) {
        let path = file.to_str().unwrap();
        refused(&host, &["component", "add", path], says);
        if file.exists() {
            refused(&host, &["component", "inspect", path], says);
        }
    }
    assert_eq!(registry(&host), before);
    refused_until_granted(&host, folder.path());
}

/// A component of another kind than it is activated for, and one that wishes for more than its kind may.
fn refused_until_granted(host: &Host, folder: &Path) {
    let file = folder.join("gate.wasm");
    fs::write(&file, gate_with("ci-gate", "my-gate")).unwrap();
    let added = host.json(&["component", "add", file.to_str().unwrap()]);
    let digest = added["digest"].as_str().unwrap_or_else(|| panic!("no digest in {added}"));
    let before = registry(host);
    let activate = |kind| ["component", "activate", kind, digest];
    refused(host, &activate("ci-gate"), "implements kind my-gate, not ci-gate");
    refused(host, &activate("no-gate"), "implements kind my-gate, not no-gate");
    let granted = format!("my-gate {} --grant-import checks --grant-job ci-fixer`", &digest[..12]);
    refused(host, &activate("my-gate"), &granted);
    assert_eq!(registry(host), before);
    // What it says would allow it does.
    let grants = ["--grant-import", "checks", "--grant-job", "ci-fixer", "--reason", "ours"];
    let moved = host.json(&[&activate("my-gate")[..], &grants].concat());
    assert_eq!(moved["reason"], "ours", "{moved}");
}
