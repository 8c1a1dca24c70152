//! `cargo xtask tidy`: the rules of the workspace that no compiler checks.

mod arrows;
mod contract;
mod sources;

use anyhow::{Result, bail};

use crate::workspace;

/// Prints every broken rule with what to do about it.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let mut problems = Vec::new();
    let edges = arrows::check(&root, &mut problems)?;
    contract::check(&root, &mut problems)?;
    let files = sources::check(&root, &mut problems)?;
    for problem in &problems {
        eprintln!("tidy: {problem}");
    }
    if !problems.is_empty() {
        bail!("{} problems in {edges} dependency edges and {files} files", problems.len());
    }
    println!("tidy: {edges} dependency edges and {files} files are as the rules say");
    Ok(())
}
