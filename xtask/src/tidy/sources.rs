//! Rules for the text of the repository's files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace;

/// Longer files hide their structure.
const MAX_FILE_LINES: usize = 600;

/// Longer functions do more than one thing.
const MAX_FUNCTION_LINES: usize = 70;

/// Directories that hold no source; looked at only where git cannot say what is tracked.
const NOT_SOURCE: [&str; 3] = [".git", "node_modules", "target"];

// In two halves, so that this file keeps its own rule.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
const UNFINISHED: [&str; 2] = [concat!("to", "do!("), concat!("unimple", "mented!(")];

/// Adds a problem for every broken rule; gives the number of files looked at.
pub(super) fn check(root: &Path, problems: &mut Vec<String>) -> Result<usize> {
    let files = files(root)?;
    for file in &files {
        // A file that is not text, or was deleted but is still tracked, has nothing to check.
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        let found = look(&text, file.extension().is_some_and(|ext| ext == "rs"));
        problems.extend(found.into_iter().map(|found| format!("{}{found}", file.display())));
    }
    Ok(files.len())
}

/// Every file git tracks or would track; every file there is if this is no git checkout.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    if let Ok(names) = workspace::output(&mut git) {
        return Ok(names.split_terminator('\0').map(PathBuf::from).collect());
    }
    let mut found = Vec::new();
    let mut dirs = vec![PathBuf::new()];
    while let Some(dir) = dirs.pop() {
        let absolute = root.join(&dir);
        for entry in fs::read_dir(&absolute).with_context(|| format!("cannot list {}", absolute.display()))? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_file() {
                found.push(path);
            } else if kind.is_dir() && !NOT_SOURCE.iter().any(|name| entry.file_name() == *name) {
                dirs.push(path);
            }
        }
    }
    Ok(found)
}

/// The problems of one file, each beginning with `:line` or `:`.
fn look(text: &str, is_rust: bool) -> Vec<String> {
    let mut problems = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for path in MACHINE_PATHS.into_iter().filter(|path| names_path(line, path)) {
            problems.push(format!(":{number}: names {path}, a path of one machine; write a relative one"));
        }
        for word in UNFINISHED.into_iter().filter(|word| is_rust && line.contains(word)) {
            problems.push(format!(":{number}: `{word})` is unfinished work; finish it or leave it out"));
        }
    }
    if is_rust {
        let lines = text.lines().count();
        if lines > MAX_FILE_LINES {
            problems.push(format!(": {lines} lines; split it, {MAX_FILE_LINES} is the most"));
        }
        problems.extend(long_functions(text));
    }
    problems
}

/// Whether the line names the absolute path, rather than a part of a longer one.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !".-_~}>*".contains(c))
    })
}

/// In formatted code a function ends at the first closing brace that is indented as its first line.
fn long_functions(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut open: Vec<(usize, usize, &str)> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if let Some(name) = function_name(code).filter(|_| !line.ends_with('}') && !line.ends_with(';')) {
            open.push((number, indent, name));
        } else if let Some(&(start, depth, name)) = open.last()
            && depth == indent
            && (code == "}" || code.ends_with(';'))
        {
            open.pop();
            let lines = number - start + 1;
            if lines > MAX_FUNCTION_LINES {
                problems.push(format!(
                    ":{start}: {name} has {lines} lines; split it, {MAX_FUNCTION_LINES} is the most"
                ));
            }
        }
    }
    problems
}

fn function_name(code: &str) -> Option<&str> {
    let (before, after) = code.split_once("fn ")?;
    let is_qualifier = |word: &str| {
        ["pub", "const", "async", "unsafe", "extern", "default", "\"C\""].contains(&word)
            || word.starts_with("pub(")
            || word.ends_with(')')
    };
    let name = after.split(['(', '<']).next()?;
    (before.split_whitespace().all(is_qualifier) && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_absolute_path_of_a_machine_is_refused() {
        let path = MACHINE_PATHS[0];
        assert!(names_path(&format!("open(\"{path}x\")"), path));
        assert!(names_path(&format!("{path}x"), path));
        assert!(!names_path(&format!("https://example.org{path}x"), path));
        assert!(!names_path(&format!("$ROOT/../some{path}x"), path));
    }

    #[test]
    fn a_long_function_is_named_with_its_line() {
        let body = "        let x = 1;\n".repeat(MAX_FUNCTION_LINES);
        let long = format!(
            "impl A {{\n    pub(crate) async fn go<T>(\n        t: T,\n    ) -> u8 {{\n{body}    }}\n}}\n"
        );
        assert_eq!(look(&long, true), [":2: go has 74 lines; split it, 70 is the most"]);
        let short = "trait A {\n    fn one(&self) -> u8;\n    fn two(\n        &self,\n    ) -> u8;\n}\nfn three() {}\n";
        assert_eq!(look(&format!("{short}{body}"), true), [""; 0]);
    }

    #[test]
    fn unfinished_work_is_refused_in_rust_alone() {
        let line = format!("    {})", UNFINISHED[0]);
        assert_eq!(look(&line, true).len(), 1);
        assert_eq!(look(&line, false).len(), 0);
    }

    #[test]
    fn a_long_file_is_refused() {
        assert_eq!(look(&"\n".repeat(MAX_FILE_LINES), true).len(), 0);
        assert_eq!(look(&"\n".repeat(MAX_FILE_LINES + 1), true), [": 601 lines; split it, 600 is the most"]);
    }
}
