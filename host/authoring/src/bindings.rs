//! C bindings of a folder of WIT. Other languages make theirs while they build.

use std::path::Path;
use wit_bindgen_core::Files;
use wit_parser::Resolve;

/// One file of the bindings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Its name, without a folder.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Why there are no bindings.
#[derive(Debug, thiserror::Error)]
pub enum BindingsError {
    /// The folder does not hold readable WIT.
    #[error("the WIT cannot be read")]
    Wit(#[source] anyhow::Error),
    /// The package has no such world, or several and none was named.
    #[error("no world to bind")]
    World(#[source] anyhow::Error),
    /// The generator gave up.
    #[error("the bindings cannot be made")]
    Generate(#[source] anyhow::Error),
}

/// A header, a source file, and an object file that tells the linker's output which world it implements.
///
/// `wit` is a folder with the package and its dependencies in `deps`; `world` may be left out where there is one.
///
/// # Errors
/// The folder has no such world, or one that C cannot express.
pub fn c_bindings(wit: &Path, world: Option<&str>) -> Result<Vec<GeneratedFile>, BindingsError> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).map_err(BindingsError::Wit)?;
    let world = resolve.select_world(&[package], world).map_err(BindingsError::World)?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default()
        .build()
        .generate(&mut resolve, world, &mut files)
        .map_err(BindingsError::Generate)?;
    let owned = |(name, bytes): (&str, &[u8])| GeneratedFile { name: name.to_owned(), bytes: bytes.to_vec() };
    Ok(files.iter().map(owned).collect())
}
