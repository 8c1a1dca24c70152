//! Holds the released versions of the step contract against the digests they were released with.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A line for each released version: its number and the digest of its folder.
const VERSIONS: &str = "wit/versions.txt";

/// Adds a problem for every released version that is not what it was.
pub(super) fn check(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    let versions =
        fs::read_to_string(root.join(VERSIONS)).with_context(|| format!("cannot read {VERSIONS}"))?;
    for line in versions.lines().filter(|line| !line.starts_with('#')) {
        let Some((number, released)) = line.split_once(' ') else {
            problems.push(format!("{VERSIONS}: `{line}` is not a version and a digest"));
            continue;
        };
        let folder = format!("wit/step@{number}");
        let digest = digest(&root.join(&folder))?;
        if digest != released {
            problems.push(format!(
                "{folder} is released and has changed (its digest is {digest} now): undo that and begin a new version, \
                 as wit/README.md says"
            ));
        }
    }
    Ok(())
}

/// SHA-256 of the names and texts of the files, in the order of their names. Line ends are those of a checkout.
fn digest(folder: &Path) -> Result<String> {
    let cannot = || format!("cannot read {}", folder.display());
    let entries = fs::read_dir(folder).with_context(cannot)?;
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .with_context(cannot)?;
    paths.sort();
    let mut hash = Sha256::new();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(cannot)?.replace("\r\n", "\n");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        hash.update(format!("{name} {}\n", text.len()));
        hash.update(text);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_word_of_a_released_version_is_found() {
        let root = std::env::temp_dir().join(format!("lockstep-contract-{}", std::process::id()));
        let folder = root.join("wit/step@0.1.0");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("log.wit"), "interface log {}\n").expect("a file");
        let released = digest(&folder).expect("it is there");
        fs::write(root.join(VERSIONS), format!("# released\n0.1.0 {released}\n")).expect("a file");
        let mut problems = Vec::new();
        check(&root, &mut problems).expect("it is there");
        assert!(problems.is_empty(), "{problems:?}");
        fs::write(folder.join("log.wit"), "interface log { }\n").expect("a file");
        check(&root, &mut problems).expect("it is there");
        assert!(problems[0].starts_with("wit/step@0.1.0 is released and has changed"), "{problems:?}");
        fs::remove_dir_all(&root).expect("it is ours");
    }
}
