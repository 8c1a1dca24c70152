//! Compares the dependencies the manifests declare with `xtask/arrows.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::{Dependency, DependencyKind, Package, TargetKind};

use crate::workspace;

/// Where the allowed edges are written down, from the root.
const ARROWS: &str = "xtask/arrows.txt";

const SDK: &str = "lockstep-sdk";

const GUEST_RULE: &str =
    "guests use lockstep-sdk and libraries of the guest workspace, and the sdk none of ours";

type Edge = (String, String);

/// The allowed edges.
#[derive(Default, Debug)]
struct Arrows {
    normal: BTreeSet<Edge>,
    dev: BTreeSet<Edge>,
    /// Outside crate, and the one crate that may name it.
    only: BTreeMap<String, String>,
}

/// Adds a problem for every edge that is not allowed; gives the number of edges looked at.
pub(super) fn check(root: &Path, problems: &mut Vec<String>) -> Result<usize> {
    let text = fs::read_to_string(root.join(ARROWS)).with_context(|| format!("cannot read {ARROWS}"))?;
    let arrows = parse(&text)?;
    let mut edges = 0;
    for package in workspace::metadata(root)?.workspace_packages() {
        for dependency in &package.dependencies {
            edges += usize::from(dependency.path.is_some());
            problems.extend(problem(&arrows, &package.name, dependency));
        }
    }
    edges += check_guests(root, problems)?;
    if !root.join("host/engine/clippy.toml").is_file() {
        problems.push(
            "host/engine/clippy.toml is missing: it keeps clocks, files and threads out of the engine".into(),
        );
    }
    Ok(edges)
}

/// Guests share code through the sdk and the libraries over it, and know neither each other nor the host.
fn check_guests(root: &Path, problems: &mut Vec<String>) -> Result<usize> {
    let dir = root.join("guests");
    if !dir.join("Cargo.toml").is_file() {
        return Ok(0);
    }
    let metadata = workspace::metadata(&dir)?;
    let members = metadata.workspace_packages();
    let is_library =
        |package: &&&Package| !package.targets.iter().any(|target| target.kind.contains(&TargetKind::CDyLib));
    let libraries: BTreeSet<_> =
        members.iter().filter(is_library).map(|package| package.name.as_str()).collect();
    let mut edges = 0;
    for package in &members {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            edges += 1;
            let (from, to) = (package.name.as_str(), dependency.name.as_str());
            if from == SDK || !libraries.contains(to) {
                problems.push(format!("guest {from} -> {to} is not allowed; {GUEST_RULE}"));
            }
        }
    }
    Ok(edges)
}

fn problem(arrows: &Arrows, from: &str, dependency: &Dependency) -> Option<String> {
    let to = &dependency.name;
    if dependency.path.is_none() {
        let owner = arrows.only.get(to).filter(|owner| *owner != from)?;
        return Some(format!(
            "{from} depends on {to}, which only {owner} may; go through a trait in lockstep-ports"
        ));
    }
    let edge = (from.to_owned(), to.clone());
    let is_dev = dependency.kind == DependencyKind::Development;
    if arrows.normal.contains(&edge) || is_dev && arrows.dev.contains(&edge) {
        return None;
    }
    let arrow = if is_dev { "-dev->" } else { "->" };
    Some(format!(
        "{from} {arrow} {to} is not allowed; remove it from {from}'s Cargo.toml, or, if the design changed, \
         add it to {ARROWS} and ARCHITECTURE.md"
    ))
}

fn parse(text: &str) -> Result<Arrows> {
    let mut arrows = Arrows::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if !line.is_empty() {
            parse_line(line, &mut arrows).with_context(|| format!("{ARROWS}:{}", index + 1))?;
        }
    }
    Ok(arrows)
}

fn parse_line(line: &str, arrows: &mut Arrows) -> Result<()> {
    let (from, is_dev, to) = match (line.split_once(" -dev-> "), line.split_once(" -> ")) {
        (Some((from, to)), _) => (from, true, to),
        (None, Some((from, to))) => (from, false, to),
        (None, None) => bail!("expected `a -> b`, `a -dev-> b` or `only a -> x`, found `{line}`"),
    };
    for to in to.split_whitespace().map(str::to_owned) {
        if let Some(owner) = from.strip_prefix("only ") {
            let before = arrows.only.insert(to.clone(), owner.to_owned());
            ensure!(before.is_none(), "{to} has two owners");
        } else {
            let edges = if is_dev { &mut arrows.dev } else { &mut arrows.normal };
            ensure!(edges.insert((from.to_owned(), to.clone())), "{from} -> {to} is listed twice");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a -> b c # why\na -dev-> kit\n\nonly c -> sled\n";

    fn dependency(name: &str, kind: &str, path: Option<&str>) -> Dependency {
        let mut manifest = serde_json::json!({
            "name": name, "req": "*", "kind": kind, "optional": false, "uses_default_features": true,
            "features": [], "target": null, "rename": null, "registry": null, "source": null,
        });
        if let Some(path) = path {
            manifest["path"] = path.into();
        }
        serde_json::from_value(manifest).expect("the shape cargo prints")
    }

    #[test]
    fn an_edge_must_be_listed_for_its_kind() -> Result<()> {
        let arrows = parse(TEXT)?;
        let is_allowed = |from, to, kind| problem(&arrows, from, &dependency(to, kind, Some("/p"))).is_none();
        assert!(is_allowed("a", "b", "normal") && is_allowed("a", "c", "build"));
        assert!(is_allowed("a", "b", "dev"), "what a crate may use, its tests may");
        assert!(is_allowed("a", "kit", "dev"));
        assert!(!is_allowed("a", "kit", "normal"));
        assert!(!is_allowed("b", "a", "normal"));
        Ok(())
    }

    #[test]
    fn an_owned_crate_has_one_user() -> Result<()> {
        let arrows = parse(TEXT)?;
        assert!(problem(&arrows, "c", &dependency("sled", "normal", None)).is_none());
        assert!(problem(&arrows, "a", &dependency("serde", "normal", None)).is_none());
        let refused = problem(&arrows, "a", &dependency("sled", "dev", None)).expect("a is not its owner");
        assert_eq!(refused, "a depends on sled, which only c may; go through a trait in lockstep-ports");
        Ok(())
    }

    #[test]
    fn a_line_that_says_nothing_is_an_error() {
        let error = parse("a -> b\na => b").expect_err("not an arrow");
        assert_eq!(
            format!("{error:#}"),
            "xtask/arrows.txt:2: expected `a -> b`, `a -dev-> b` or `only a -> x`, found `a => b`"
        );
    }
}
