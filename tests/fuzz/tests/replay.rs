//! The kept corpus and every past finding, in an ordinary test run: none of them is a finding today.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says at which input"
)]

use lockstep_fuzz::{TARGETS, path, samples, target};
use lockstep_types::{Capsule, Event, TurnRecord};
use std::path::Path;

/// The whole corpus is looked through by people and kept in the repository.
const CORPUS_BYTES_MAX: u64 = 160 << 10;

fn inputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let read =
        |entry: std::fs::DirEntry| (entry.path().display().to_string(), std::fs::read(entry.path()).unwrap());
    entries.map(read).collect()
}

fn replay(name: &str) {
    let target = target(name).unwrap();
    let corpus = inputs(&path("corpus").join(name));
    assert!(!corpus.is_empty(), "{name} has no corpus");
    for (file, bytes) in corpus.into_iter().chain(inputs(&path("findings").join(name))) {
        assert!(bytes.len() <= target.length_max, "{file} is longer than what its target takes");
        // Shown if the target panics.
        println!("{file}");
        (target.run)(&bytes);
    }
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

targets![
    api, capsule, cases, commands, component, hooks, journal, paths, pipeline, rows, scenario, signature, wit
];

#[test]
fn the_corpus_is_small() {
    let folders = TARGETS.iter().flat_map(|target| inputs(&path("corpus").join(target.name)));
    let bytes: u64 = folders.map(|(_, bytes)| bytes.len() as u64).sum();
    assert!(
        bytes <= CORPUS_BYTES_MAX,
        "{bytes} bytes: run `cargo xtask fuzz --keep`, which takes the fewest"
    );
}

/// Journals and capsules of today stand in the corpus, and are made anew by `UPDATE_EXPECT=1`.
#[test]
fn samples_of_today_are_in_the_corpus() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut kept = Vec::new();
    for sample in samples() {
        kept.push((format!("journal/{}", sample.name), sample.records.join(&b'\n')));
        kept.push((format!("rows/{}", sample.name), serde_json::to_vec(&sample.recorded.row()).unwrap()));
        let records: Vec<TurnRecord> =
            sample.records.iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect();
        let called = records.into_iter().flat_map(|record| record.events).find_map(|event| match event {
            Event::Invoked { invocation, .. } => Some(invocation),
            _ => None,
        });
        let capsule = Capsule::new("run-1".parse().unwrap(), 1, (*called.unwrap()).clone());
        kept.push((
            format!("capsule/{}", sample.name),
            lockstep_cli::reading::write_capsule(&capsule).into_bytes(),
        ));
    }
    for (name, bytes) in kept {
        let file = path("corpus").join(name);
        if update {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &bytes).unwrap();
        }
        let found = std::fs::read(&file).unwrap_or_default();
        assert_eq!(
            String::from_utf8_lossy(&found),
            String::from_utf8_lossy(&bytes),
            "{}: run with UPDATE_EXPECT=1, and keep the old one under another name",
            file.display()
        );
    }
}
