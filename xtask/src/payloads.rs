//! `cargo xtask payloads`: the payloads of webhooks that GitHub's users published, from npm into `target/tools` and nowhere
//! else.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace;

const PACKAGE: &str = "@octokit/webhooks-examples";
const VERSION: &str = "7.6.1";

/// Fetches them, unless they are there.
pub(crate) fn fetch() -> Result<()> {
    let folder = workspace::root().join("target/tools/webhooks-examples");
    let complete = folder.join(VERSION);
    if complete.is_file() {
        return Ok(());
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(folder.join("package.json"), "{\"private\": true}")?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    npm.arg(format!("{PACKAGE}@{VERSION}")).current_dir(&folder);
    workspace::output(&mut npm).with_context(|| format!("{PACKAGE} {VERSION} cannot be had from npm"))?;
    fs::write(complete, "")?;
    Ok(())
}
