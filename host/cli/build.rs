//! Puts the standard components that `cargo xtask guests` made into the binary.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let workspace = manifest.ancestors().nth(2).ok_or("the crate is not two folders below the workspace")?;
    let dir = workspace.join("target/components");
    // Cargo runs a build script again and again that watches a missing folder, and takes note of the first file of an
    // empty one. Where the folder cannot be made there is nothing to watch either.
    fs::create_dir_all(&dir).unwrap_or_default();
    println!("cargo::rerun-if-changed={}", dir.display());
    let mut list = String::from("&[");
    for file in components(&dir) {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let path = file.to_str().ok_or("the path of a component is not UTF-8")?;
        write!(list, "\n    ({name:?}, include_bytes!({path:?})),")?;
    }
    list.push_str("\n]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("standard_components.rs"), list)?;
    Ok(())
}

/// Components in the order of their names; none if they were not built.
fn components(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    files
}
