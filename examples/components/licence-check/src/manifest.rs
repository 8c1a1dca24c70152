//! Dependencies and licences in the files of package managers, as far as a change adds them.

use crate::diff::Lines;
use std::collections::BTreeSet;

/// What a change adds to a manifest or lock file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Added {
    /// Names of dependencies that were not there before.
    pub(crate) dependencies: BTreeSet<String>,
    /// Licences that are named.
    pub(crate) licences: BTreeSet<String>,
}

/// Which reader a path has; none for other files.
pub(crate) fn reader(path: &str) -> Option<fn(&str, &Lines<'_>) -> Added> {
    match path.rsplit('/').next()? {
        "Cargo.toml" => Some(cargo),
        "package.json" => Some(npm),
        "package-lock.json" => Some(lock),
        _ => None,
    }
}

/// `file` is the whole new file: a section begins above what a diff shows.
fn cargo(file: &str, lines: &Lines<'_>) -> Added {
    let mut added = Added::default();
    let removed: BTreeSet<_> = lines.removed.iter().filter_map(|line| key(line, '=')).collect();
    let mut section = "";
    for (line, number) in file.lines().zip(1..) {
        if let Some(name) = line.trim().strip_prefix('[') {
            section = name.trim_end_matches(']');
        }
        if !lines.added.contains_key(&number) {
            continue;
        }
        // [dependencies.NAME] is a dependency too.
        let (table, name) = section.rsplit_once("dependencies").unwrap_or((section, ""));
        let is_dependencies = table.len() + "dependencies".len() <= section.len();
        let key = key(line, '=');
        if is_dependencies && line.trim_start().starts_with('[') {
            if let Some(name) = name.strip_prefix('.') {
                added.dependencies.insert(name.trim_matches('"').to_owned());
            }
        } else if is_dependencies && name.is_empty() {
            let name = key.map(|key| key.split('.').next().unwrap_or(key));
            added.dependencies.extend(name.filter(|name| !removed.contains(name)).map(str::to_owned));
        } else if section.ends_with("package") && key == Some("license") {
            added.licences.extend(quoted(line).last());
        }
    }
    added
}

fn npm(file: &str, lines: &Lines<'_>) -> Added {
    let mut added = Added::default();
    let manifest: serde_json::Value = serde_json::from_str(file).unwrap_or_default();
    let mut known = BTreeSet::new();
    for section in ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"] {
        known.extend(manifest[section].as_object().into_iter().flat_map(|names| names.keys().cloned()));
    }
    let removed: BTreeSet<_> = lines.removed.iter().filter_map(|line| key(line, ':')).collect();
    for line in lines.added.values() {
        let Some(key) = key(line, ':') else { continue };
        if known.contains(key) && !removed.contains(key) {
            added.dependencies.insert(key.to_owned());
        } else if key == "license" {
            added.licences.extend(quoted(line).last());
        }
    }
    added
}

/// npm keeps the licence of each package beside it.
fn lock(_file: &str, lines: &Lines<'_>) -> Added {
    let of_licences = lines.added.values().filter(|line| key(line, ':') == Some("license"));
    Added { licences: of_licences.filter_map(|line| quoted(line).last()).collect(), ..Added::default() }
}

/// What is left of the first `separator`, without quotes.
fn key(line: &str, separator: char) -> Option<&str> {
    let (key, _) = line.split_once(separator)?;
    Some(key.trim().trim_matches('"')).filter(|key| !key.is_empty() && !key.starts_with('#'))
}

/// Texts in double quotes.
fn quoted(line: &str) -> impl Iterator<Item = String> {
    line.split('"').skip(1).step_by(2).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(path: &str, file: &str, diff: &str) -> (Vec<String>, Vec<String>) {
        let added = reader(path).expect("it is a manifest")(file, &Lines::of(diff));
        (added.dependencies.into_iter().collect(), added.licences.into_iter().collect())
    }

    #[test]
    fn cargo_dependencies_are_those_of_their_sections() {
        let file = "[package]\nname = \"a\"\nlicense = \"GPL-3.0-only\"\n\n[dependencies]\nserde = \"2\"\nsled.workspace = true\n\n[dev-dependencies.rand]\nversion = \"1\"\n";
        let diff = "@@ -1,3 +1,10 @@\n [package]\n-name = \"b\"\n+name = \"a\"\n+license = \"GPL-3.0-only\"\n \n [dependencies]\n-serde = \"1\"\n+serde = \"2\"\n+sled.workspace = true\n \n+[dev-dependencies.rand]\n+version = \"1\"\n";
        assert_eq!(
            added("sub/Cargo.toml", file, diff),
            (vec!["rand".into(), "sled".into()], vec!["GPL-3.0-only".into()])
        );
    }

    #[test]
    fn npm_dependencies_are_named_in_the_manifest() {
        let file = r#"{"name":"x","dependencies":{"left-pad":"1","react":"19"}}"#;
        let diff = "@@ -3,3 +3,4 @@\n-  \"react\": \"18\",\n+  \"react\": \"19\",\n+  \"left-pad\": \"1\",\n+  \"version\": \"2\"\n";
        assert_eq!(added("package.json", file, diff), (vec!["left-pad".into()], vec![]));
        let diff = "@@ -3,3 +3,4 @@\n+      \"license\": \"GPL-2.0\",\n";
        assert_eq!(added("web/package-lock.json", "", diff), (vec![], vec!["GPL-2.0".into()]));
    }
}
