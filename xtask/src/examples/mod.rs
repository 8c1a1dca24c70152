//! `cargo xtask examples`: the components of `examples/components` that are not Rust, and a new project of each language.
//!
//! Each is built as its README says, with the real binary, in `target/authors`; the component goes to `target/authored`,
//! where the end-to-end tests find it. What cannot be had on this machine is left out with a line that says why.

mod build;
mod tools;

pub(crate) use tools::{Found, venv};

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::demo::cargo_target;
use crate::workspace;

/// Folder of the components that were built, below `target`.
const BUILT: &str = "authored";
/// Folder where they are built, below `target`.
const WORK: &str = "authors";
/// Folders that a build makes in a project, which are not its source.
const MADE: [&str; 5] = ["build", "node_modules", "target", ".venv", "__pycache__"];

/// What a project is written in.
#[derive(Clone, Copy, PartialEq)]
enum Language {
    Rust,
    JavaScript,
    Python,
    C,
}

/// A project to build.
struct Project {
    name: String,
    language: Language,
    /// Its files by their path, relative to its folder.
    files: BTreeMap<PathBuf, Vec<u8>>,
}

/// Why a project is not built, other than by its own fault.
pub(crate) struct Missing(pub(crate) String);

/// How many were built and how many could not be.
#[derive(Clone, Copy, Default)]
pub(crate) struct Outcome {
    pub(crate) built: u64,
    pub(crate) skipped: u64,
}

/// Builds what changed since the last time.
pub(crate) fn build() -> Result<Outcome> {
    let root = workspace::root();
    let lockstep = cargo_target(&root).join("debug/lockstep");
    ensure!(lockstep.is_file(), "{} is missing: run `cargo build --package lockstep`", lockstep.display());
    let place =
        Place { built: root.join("target").join(BUILT), work: root.join("target").join(WORK), lockstep };
    fs::create_dir_all(&place.built).with_context(|| format!("cannot create {}", place.built.display()))?;
    let mut projects = examples(&root)?;
    projects.extend(new_projects(&place)?);
    let mut outcome = Outcome::default();
    let mut failed = Vec::new();
    for project in &projects {
        match place.bring_up_to_date(project) {
            Ok(None) => outcome.built += 1,
            Ok(Some(Missing(why))) => {
                outcome.skipped += 1;
                println!("{:<24} SKIPPED: {why}", project.name);
            }
            Err(error) => failed.push(format!("{}: {error:#}", project.name)),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    println!("examples: {} built, {} skipped", outcome.built, outcome.skipped);
    Ok(outcome)
}

/// Where things are.
struct Place {
    built: PathBuf,
    work: PathBuf,
    lockstep: PathBuf,
}

impl Place {
    /// Builds the project unless its component was made of the very same sources.
    fn bring_up_to_date(&self, project: &Project) -> Result<Option<Missing>> {
        let component = self.built.join(format!("{}.wasm", project.name));
        let (key_file, key) = (component.with_extension("key"), project.key());
        let skipped = component.with_extension("skipped");
        if component.is_file() && fs::read_to_string(&key_file).is_ok_and(|made_of| made_of == key) {
            println!("{:<24} {:>6} kB", project.name, fs::metadata(&component)?.len().div_ceil(1000));
            return Ok(None);
        }
        for old in [&component, &key_file, &skipped] {
            if old.exists() {
                fs::remove_file(old).with_context(|| format!("cannot remove {}", old.display()))?;
            }
        }
        let dir = self.work.join(&project.name);
        project.write(&dir)?;
        let begin = std::time::Instant::now();
        if let Some(missing) = build::build(project, &dir, self)? {
            // For the tests, which must tell what was left out from what was forgotten.
            fs::write(&skipped, &missing.0)?;
            return Ok(Some(missing));
        }
        let made = dir.join(format!("{}.wasm", project.name));
        let bytes = fs::read(&made).with_context(|| format!("the build made no {}", made.display()))?;
        crate::component::check_world(&bytes, true)?;
        fs::write(&component, &bytes)?;
        fs::write(&key_file, key)?;
        let (kilobytes, seconds) = (bytes.len().div_ceil(1000), begin.elapsed().as_secs_f64());
        println!("{:<24} {kilobytes:>6} kB  built in {seconds:.1} s", project.name);
        Ok(None)
    }
}

impl Project {
    /// Changes with every file, and with what the binary makes of them.
    fn key(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(include_bytes!("build.rs"));
        hash.update(include_bytes!("tools.rs"));
        for (path, bytes) in &self.files {
            hash.update(path.as_os_str().as_encoded_bytes());
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Writes the sources; what tools keep in the folder stays, and what is no source any more goes.
    fn write(&self, dir: &Path) -> Result<()> {
        let mut there = BTreeMap::new();
        read_all(dir, Path::new(""), &mut there)?;
        for path in there.keys().filter(|path| !self.files.contains_key(*path)) {
            fs::remove_file(dir.join(path))?;
        }
        for (path, bytes) in &self.files {
            let to = dir.join(path);
            fs::create_dir_all(to.parent().unwrap_or(dir))?;
            // An equal file keeps its time stamp, which compilers go by.
            if there.get(path) != Some(bytes) {
                fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
            }
        }
        Ok(())
    }
}

/// The examples that are no crates, each with the contract its world names.
fn examples(root: &Path) -> Result<Vec<Project>> {
    let mut projects = Vec::new();
    let dir = root.join("examples/components");
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry?.path();
        let Some(language) = language(&path) else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut files = BTreeMap::new();
        read_all(&path, Path::new(""), &mut files)?;
        let world = files.get(Path::new("wit/step.wit")).context("an example has no wit/step.wit")?;
        let version = contract_of(&String::from_utf8_lossy(world))?;
        read_all(&root.join(format!("wit/step@{version}")), Path::new("wit/deps/lockstep-step"), &mut files)?;
        projects.push(Project { name, language, files });
    }
    projects.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(projects)
}

/// By the file the step is in; none for a crate, which is built with the guests.
fn language(dir: &Path) -> Option<Language> {
    [("step.js", Language::JavaScript), ("step.py", Language::Python), ("step.c", Language::C)]
        .into_iter()
        .find_map(|(file, language)| dir.join(file).is_file().then_some(language))
}

/// `0.1.0` of `use lockstep:step/types@0.1.0.{…}`.
fn contract_of(world: &str) -> Result<String> {
    let rest = world.split_once("lockstep:step/types@").map(|(_, rest)| rest);
    let version = rest.and_then(|rest| rest.split_once(".{")).map(|(version, _)| version.to_owned());
    version.context("wit/step.wit uses no types of lockstep:step")
}

/// What `lockstep new step` writes in each language.
fn new_projects(place: &Place) -> Result<Vec<Project>> {
    let mut projects = Vec::new();
    for (word, language) in [
        ("rust", Language::Rust),
        ("js", Language::JavaScript),
        ("python", Language::Python),
        ("c", Language::C),
    ] {
        let name = format!("new-{word}");
        let dir = place.work.join("written").join(&name);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        let mut new = Command::new(&place.lockstep);
        new.args(["new", "step", &name, "--lang", word, "--dir"]).arg(&dir);
        workspace::output(&mut new)?;
        let mut files = BTreeMap::new();
        read_all(&dir, Path::new(""), &mut files)?;
        projects.push(Project { name, language, files });
    }
    Ok(projects)
}

/// Reads every file below `dir` under the path `to`.
fn read_all(dir: &Path, to: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && to.as_os_str().is_empty() => {
            return Ok(());
        }
        Err(error) => bail!("cannot list {}: {error}", dir.display()),
    };
    for entry in entries {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        let is_made = MADE.iter().any(|made| name == *made);
        if path.is_dir() {
            if !is_made {
                read_all(&path, &to.join(&name), files)?;
            }
        } else if path.extension().is_none_or(|extension| extension != "wasm") {
            files.insert(
                to.join(&name),
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?,
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::contract_of;

    #[test]
    fn the_contract_is_the_one_the_world_names() {
        let world = "world step {\n    use lockstep:step/types@0.1.0.{descriptor};\n}\n";
        assert_eq!(contract_of(world).expect("it is named"), "0.1.0");
        assert!(contract_of("world step {}").is_err());
    }
}
