//! Puts the contract, the SDK and the projects in `templates` into the binary.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

type Done<T> = Result<T, Box<dyn Error>>;

/// A file to carry: its path in a project, and where its text is.
type Carried = (String, PathBuf);

fn main() -> Done<()> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = here.ancestors().nth(2).ok_or("the crate is not two folders below the workspace")?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let version = newest_contract(&root.join("wit"))?;
    let contract = files(&root.join(format!("wit/step@{version}")), "")?;
    let sdk = sdk(root, &out)?;
    let mut text = format!(
        "/// The newest version of the contract, which projects are written against.\n\
         pub const CONTRACT_VERSION: &str = {version:?};\n"
    );
    list(&mut text, "CONTRACT", &contract)?;
    list(&mut text, "SDK", &sdk)?;
    for language in ["rust", "js", "python", "c"] {
        let mut project = files(&here.join("templates").join(language), "")?;
        if language == "c" {
            // What a step in C needs of a C library is kept where it is also tried: in the example.
            let support = root.join("examples/components/freeze-window/support");
            project.extend(files(&support, "support/")?);
        }
        list(&mut text, &language.to_uppercase(), &project)?;
    }
    list(&mut text, "CASES", &files(&here.join("templates/cases"), "")?)?;
    list(&mut text, "WORLD", &files(&here.join("templates/wit"), "")?)?;
    fs::write(out.join("embedded.rs"), text)?;
    Ok(())
}

/// The version of the newest folder `step@…`.
fn newest_contract(wit: &Path) -> Done<String> {
    println!("cargo::rerun-if-changed={}", wit.display());
    let mut versions = Vec::new();
    for entry in fs::read_dir(wit)? {
        let name = entry?.file_name().into_string().map_err(|_| "a name that is not UTF-8")?;
        let Some(version) = name.strip_prefix("step@") else { continue };
        let numbers: Vec<u32> = version.split('.').map(str::parse).collect::<Result<_, _>>()?;
        versions.push((numbers, version.to_owned()));
    }
    Ok(versions.into_iter().max().ok_or("there is no version of the contract")?.1)
}

/// All files below `dir`, sorted, each under `prefix`. `.in` keeps other tools from taking a file for what it is not.
fn files(dir: &Path, prefix: &str) -> Done<Vec<Carried>> {
    println!("cargo::rerun-if-changed={}", dir.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a name that is not UTF-8")?;
        if path.is_dir() {
            found.extend(files(&path, &format!("{prefix}{name}/"))?);
        } else {
            println!("cargo::rerun-if-changed={}", path.display());
            found.push((format!("{prefix}{}", name.strip_suffix(".in").unwrap_or(name)), path));
        }
    }
    found.sort();
    Ok(found)
}

/// The SDK as a crate that stands alone: what its manifest takes from the workspace of the guests is written out.
fn sdk(root: &Path, out: &Path) -> Done<Vec<Carried>> {
    let sdk = root.join("guests/sdk");
    let workspace = root.join("guests/Cargo.toml");
    println!("cargo::rerun-if-changed={}", workspace.display());
    let workspace = fs::read_to_string(workspace)?;
    let manifest = sdk.join("Cargo.toml");
    println!("cargo::rerun-if-changed={}", manifest.display());
    let manifest = alone(&fs::read_to_string(manifest)?, &workspace)?;
    let written = out.join("sdk-Cargo.toml");
    fs::write(&written, manifest)?;
    let mut carried = vec![("Cargo.toml".to_owned(), written)];
    carried.extend(files(&sdk.join("src"), "src/")?);
    Ok(carried)
}

fn alone(manifest: &str, workspace: &str) -> Done<String> {
    let mut text = String::new();
    for line in manifest.lines() {
        // The lints are this workspace's.
        if line == "[lints]" {
            break;
        }
        match line.strip_suffix(".workspace = true") {
            None => text.push_str(line),
            Some(key) => {
                let value = workspace.lines().find(|line| line.starts_with(&format!("{key} = ")));
                text.push_str(value.ok_or_else(|| format!("`{key}` is not in the guests' workspace"))?);
            }
        }
        text.push('\n');
    }
    Ok(text.trim_end().to_owned() + "\n")
}

fn list(text: &mut String, name: &str, files: &[Carried]) -> Done<()> {
    write!(text, "pub(crate) const {name}: &[File] = &[")?;
    for (path, source) in files {
        write!(
            text,
            "\n    ({path:?}, include_str!({:?})),",
            source.to_str().ok_or("a path that is not UTF-8")?
        )?;
    }
    text.push_str("\n];\n");
    Ok(())
}
