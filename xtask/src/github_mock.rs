//! `cargo xtask github-mock`: GitHub's published description and a mock server of it, from npm into `target/tools`, and the
//! tests that check the provider's requests against them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace;

/// Folder of what is installed, below `target/tools`, where the tests look for it.
const FOLDER: &str = "github-mock";
/// The one description of those in the package that is used; the others take 350 MB.
const DESCRIPTION: &str = "api.github.com.json";

/// Fetches what is missing and runs the tests that need it.
pub(crate) fn run() -> Result<()> {
    fetch()?;
    let mut tests = workspace::cargo(&workspace::root());
    tests.args(["test", "--locked", "--package", "lockstep-providers", "--test", "it", "github::"]);
    workspace::run(&mut tests)
}

/// Installs exactly what the lock file says, once.
pub(crate) fn fetch() -> Result<()> {
    let root = workspace::root();
    let (source, folder) = (root.join("xtask").join(FOLDER), root.join("target/tools").join(FOLDER));
    let (lock, complete) = (source.join("package-lock.json"), folder.join("complete"));
    let wanted = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    if fs::read(&complete).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if folder.is_dir() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(source.join(file), folder.join(file)).with_context(|| format!("cannot copy {file}"))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]).current_dir(&folder);
    if let Err(error) = workspace::output(&mut npm) {
        // The tests take what is there for whole.
        fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
        return Err(error);
    }
    remove_all_but(DESCRIPTION, &folder.join("node_modules/@octokit/openapi/generated"))?;
    fs::write(&complete, wanted).with_context(|| format!("cannot write {}", complete.display()))
}

fn remove_all_but(kept: &str, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name != kept) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}
