use crate::contract::{OFFERED, Served, Version};
use crate::faults::one_line;
use crate::state::HostState;
use lockstep_ports::LoadError;
use wasmtime::Engine;
use wasmtime::component::types::{Component as ComponentType, ComponentItem};
use wasmtime::component::{Component, Linker};

/// Begins the names of the contract's interfaces.
const PACKAGE: &str = "lockstep:step/";

/// Only words, no function: importing it is no capability.
const WORDS: &str = "types";

/// The names of the exports a step component has.
const EXPORTS: [&str; 3] = ["describe", "advance", "migrate"];

/// Exports named in a message at most, so that it stays one line.
const EXPORTS_SHOWN_MAX: usize = 8;

/// A component whose world was checked, linked against the offer.
pub(crate) struct Linked {
    pub(crate) served: Served,
    /// Short names of the capabilities it imports, sorted.
    pub(crate) imports: Vec<String>,
    /// What it exports.
    pub(crate) exports: Vec<String>,
}

/// Checks that `component` is a step component, and links it.
pub(crate) fn link(
    engine: &Engine,
    linker: &Linker<HostState>,
    component: &Component,
) -> Result<Linked, LoadError> {
    let world = component.component_type();
    let (version, imports) = imports(engine, &world)?;
    check_exports(engine, &world, version)?;
    let wrong = |error: wasmtime::Error| wrong_world(version, &format!("{error:#}"));
    let served =
        linker.instantiate_pre(component).and_then(|linked| Served::new(version, linked)).map_err(wrong)?;
    let exports = world.exports(engine).map(|(name, _)| one_line(name)).collect();
    Ok(Linked { served, imports, exports })
}

fn wrong_world(version: Version, reason: &str) -> LoadError {
    LoadError::WrongWorld { world: version.world().to_owned(), reason: one_line(reason) }
}

/// The version a component was built for, which its imports name, and the capabilities it imports. Its exports name none,
/// but the words they are made of are imported; a component that imports nothing is held against the newest.
fn imports(engine: &Engine, world: &ComponentType) -> Result<(Version, Vec<String>), LoadError> {
    let mut first: Option<(Version, &str)> = None;
    let mut capabilities = Vec::new();
    for (name, _) in world.imports(engine) {
        let of_ours = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@'));
        let known = of_ours.and_then(|(short, number)| Some((short, Version::of_number(number)?)));
        let Some((short, version)) = known.filter(|(short, _)| *short == WORDS || OFFERED.contains(short))
        else {
            let numbers = Version::ALL.map(Version::number).join(" or ");
            let offered = format!("{} of lockstep:step@{numbers}", OFFERED.join(", "));
            return Err(LoadError::NotGranted { import: one_line(name), offered });
        };
        match first {
            Some((other, before)) if other != version => {
                let reason = format!("it mixes versions: it imports {before} and {name}");
                return Err(wrong_world(other.max(version), &reason));
            }
            _ => first = Some((version, name)),
        }
        if short != WORDS {
            capabilities.push(short.to_owned());
        }
    }
    capabilities.sort();
    Ok((first.map_or(Version::NEWEST, |(version, _)| version), capabilities))
}

fn check_exports(engine: &Engine, world: &ComponentType, version: Version) -> Result<(), LoadError> {
    for name in EXPORTS {
        let Some(export) = world.get_export(engine, name) else {
            return Err(wrong_world(version, &missing_export(engine, world, name)));
        };
        let ComponentItem::ComponentFunc(function) = export.ty else {
            return Err(wrong_world(version, &format!("export `{name}` is not a function")));
        };
        version
            .check_export(name, &function, world)
            .map_err(|error| wrong_world(version, &format!("export `{name}` has another type: {error:#}")))?;
    }
    Ok(())
}

fn missing_export(engine: &Engine, world: &ComponentType, name: &str) -> String {
    let mut names: Vec<&str> = world.exports(engine).map(|(name, _)| name).collect();
    let more = names.len().saturating_sub(EXPORTS_SHOWN_MAX);
    names.truncate(EXPORTS_SHOWN_MAX);
    let found = match (names.is_empty(), more) {
        (true, _) => "it exports nothing".to_owned(),
        (false, 0) => format!("it exports {}", names.join(", ")),
        (false, more) => format!("it exports {} and {more} more", names.join(", ")),
    };
    format!("export `{name}` is missing; {found}")
}
