//! A folder that builds, tests and becomes a step component by the commands its README gives.

use crate::embedded::{C, CASES, CONTRACT, CONTRACT_VERSION, File, JS, PYTHON, RUST, SDK, WORLD};
use crate::language::Language;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Bytes of a name: what the host takes for a kind.
const NAME_BYTES_MAX: usize = 64;

/// Names that a Rust crate cannot have, or that would hide one that everything needs.
const NOT_FOR_CRATES: [&str; 12] = [
    "alloc",
    "core",
    "crate",
    "fn",
    "lockstep-sdk",
    "mod",
    "proc-macro",
    "self",
    "std",
    "super",
    "test",
    "type",
];

/// What project to make.
#[derive(Clone, Debug)]
pub struct StepRequest {
    /// Name of the project: of its folder, crate or package, and of the file its component has.
    pub name: String,
    /// Kind the component implements; none: the name.
    pub kind: Option<String>,
    /// The language it is written in.
    pub language: Language,
}

/// A project, not yet written anywhere.
#[derive(Clone, Debug)]
pub struct Project {
    files: Vec<(PathBuf, String)>,
    commands: Vec<String>,
}

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// A name the project or its kind cannot have.
    #[error(
        "{what} {name:?} {problem}; write lowercase letters, digits and single hyphens, such as `freeze-window`"
    )]
    Name {
        /// Which name: `name` or `kind`.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something is there already.
    #[error("{} is there already and not an empty folder; nothing was written, name another with --dir", .0.display())]
    Exists(PathBuf),
    /// The disk refuses.
    #[error("cannot write {}", path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// Why it was not.
        #[source]
        source: std::io::Error,
    },
}

impl Project {
    /// The project of a small step: a large change needs a person's consent.
    ///
    /// # Errors
    /// A name that cannot be.
    pub fn of_step(request: &StepRequest) -> Result<Self, ProjectError> {
        let StepRequest { name, kind, language } = request;
        let kind = kind.as_ref().unwrap_or(name);
        check_name("name", name)?;
        check_name("kind", kind)?;
        if *language == Language::Rust && NOT_FOR_CRATES.contains(&name.as_str()) {
            let problem = "cannot be the name of a crate".to_owned();
            return Err(ProjectError::Name { what: "name", name: name.clone(), problem });
        }
        let commands = commands(*language, name, kind);
        let fill = |text: &str| {
            text.replace("{{name}}", name)
                .replace("{{kind}}", kind)
                .replace("{{type}}", &type_name(name))
                .replace("{{contract}}", CONTRACT_VERSION)
                .replace("{{commands}}", &format!("    {}", commands.join("\n    ")))
        };
        let mut files = Vec::new();
        let mut put = |below: &str, carried: &[File], is_template: bool| {
            for (path, text) in carried {
                let text = if is_template { fill(text) } else { (*text).to_owned() };
                files.push((Path::new(below).join(path), text));
            }
        };
        put("cases", CASES, true);
        match language {
            Language::Rust => {
                put("", RUST, true);
                put("vendor/lockstep-sdk", SDK, false);
                // Where the SDK looks for it.
                put(&format!("wit/step@{CONTRACT_VERSION}"), CONTRACT, false);
            }
            Language::JavaScript => put("", JS, true),
            Language::Python => put("", PYTHON, true),
            Language::C => put("", C, true),
        }
        if *language != Language::Rust {
            put("wit", WORLD, true);
            put("wit/deps/lockstep-step", CONTRACT, false);
        }
        files.sort();
        Ok(Self { files, commands })
    }

    /// Its files, relative to the project's folder, sorted by path.
    #[must_use]
    pub fn files(&self) -> &[(PathBuf, String)] {
        &self.files
    }

    /// What to type in its folder, in order, until runs can have such a step.
    #[must_use]
    pub fn commands(&self) -> &[String] {
        &self.commands
    }

    /// Writes the files into `dir`, which is made.
    ///
    /// # Errors
    /// `dir` is there and not an empty folder, or it cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), ProjectError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| ProjectError::Io { path, source }
        };
        match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Ok(false) => return Err(ProjectError::Exists(dir.to_path_buf())),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(ProjectError::Exists(dir.to_path_buf()));
            }
            Err(error) => return Err(failed(dir)(error)),
        }
        for (path, text) in &self.files {
            let path = dir.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(failed(parent))?;
            }
            let file = fs::OpenOptions::new().write(true).create_new(true).open(&path);
            file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed(&path))?;
        }
        Ok(())
    }
}

fn check_name(what: &'static str, name: &str) -> Result<(), ProjectError> {
    let is_letter = |c: char| c.is_ascii_lowercase();
    let problem = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > NAME_BYTES_MAX {
        format!("is longer than {NAME_BYTES_MAX} bytes")
    } else if !name.starts_with(is_letter) {
        "does not begin with a lowercase letter".to_owned()
    } else if let Some(c) = name.chars().find(|c| !is_letter(*c) && !c.is_ascii_digit() && *c != '-') {
        format!("has the character {c:?}")
    } else if name.ends_with('-') || name.contains("--") {
        "has a hyphen too many".to_owned()
    } else {
        return Ok(());
    };
    Err(ProjectError::Name { what, name: name.to_owned(), problem })
}

/// `freeze-window` as Rust names a type: `FreezeWindow`.
fn type_name(name: &str) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    name.split('-').filter(|word| !word.is_empty()).map(capital).collect()
}

/// What builds, tests and activates it.
fn commands(language: Language, name: &str, kind: &str) -> Vec<String> {
    let build: &[&str] = match language {
        Language::Rust => &[
            "cargo test",
            "cargo build --release --target wasm32-unknown-unknown",
            "lockstep component wrap target/wasm32-unknown-unknown/release/{{module}}.wasm -o {{name}}.wasm",
        ],
        Language::JavaScript => &["npm install", "npm run build"],
        Language::Python => &[
            "python3 -m venv .venv && .venv/bin/pip install --requirement requirements.txt",
            ".venv/bin/componentize-py --wit-path wit --world step componentize step --output {{name}}.wasm",
        ],
        Language::C => &["make"],
    };
    let activate = [
        "lockstep step test {{name}}.wasm cases",
        "lockstep component add {{name}}.wasm",
        "lockstep component activate {{kind}} DIGEST --grant-import workspace",
    ];
    let module = name.replace('-', "_");
    let fill =
        |text: &&str| text.replace("{{name}}", name).replace("{{module}}", &module).replace("{{kind}}", kind);
    build.iter().chain(&activate).map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::{Language, Project, ProjectError, StepRequest};

    fn project(language: Language, name: &str, kind: Option<&str>) -> Result<Project, ProjectError> {
        let (name, kind) = (name.to_owned(), kind.map(str::to_owned));
        Project::of_step(&StepRequest { name, kind, language })
    }

    #[test]
    fn a_project_has_everything_its_commands_need() {
        let mut text = String::new();
        for language in Language::ALL {
            let project = project(language, "big-change", Some("size-gate")).expect("the names are good");
            text.push_str(&format!("{language}\n"));
            for (path, content) in project.files() {
                if !path.starts_with("vendor") && !path.to_string_lossy().contains("lockstep-step/") {
                    assert!(!content.contains("{{"), "{language}: {} is not filled in", path.display());
                    text.push_str(&format!("    {}\n", path.display()));
                }
            }
            for command in project.commands() {
                text.push_str(&format!("  $ {command}\n"));
            }
        }
        expect_test::expect_file!["projects.txt"].assert_eq(&text);
    }

    #[test]
    fn names_that_cannot_be_are_explained() {
        let mut text = String::new();
        for name in ["", "Big", "9lives", "a_b", "a--b", "a-", "../x", &"a".repeat(65), "core"] {
            let error = project(Language::Rust, name, None).expect_err("it cannot be").to_string();
            text.push_str(&format!("{}\n", error.split(';').next().unwrap_or_default()));
        }
        let kind = project(Language::C, "core", Some("Core")).expect_err("the kind cannot be").to_string();
        text.push_str(&kind);
        expect_test::expect![[r#"
            name "" is empty
            name "Big" does not begin with a lowercase letter
            name "9lives" does not begin with a lowercase letter
            name "a_b" has the character '_'
            name "a--b" has a hyphen too many
            name "a-" has a hyphen too many
            name "../x" does not begin with a lowercase letter
            name "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is longer than 64 bytes
            name "core" cannot be the name of a crate
            kind "Core" does not begin with a lowercase letter; write lowercase letters, digits and single hyphens, such as `freeze-window`"#]].assert_eq(&text);
    }

    #[test]
    fn nothing_is_ever_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = project(Language::C, "a", None).expect("the name is good");
        let dir = folder.path().join("a");
        project.write(&dir).expect("it is written into a new folder");
        assert!(matches!(project.write(&dir), Err(ProjectError::Exists(_))));
        let file = dir.join("README.md");
        assert!(matches!(project.write(&file), Err(ProjectError::Exists(_))));
    }
}
