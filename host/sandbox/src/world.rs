use crate::contract::{OFFERED, Served, Version};
use crate::faults::one_line;
use crate::signature;
use crate::state::HostState;
use crate::wasi;
use lockstep_ports::LoadError;
use wasmtime::Engine;
use wasmtime::component::types::{Component as ComponentType, ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Linker};

/// Begins the names of the contract's interfaces.
const PACKAGE: &str = "lockstep:step/";

/// Only words, no function: importing it is no capability.
const WORDS: &str = "types";

/// The names of the exports a step component has.
pub(crate) const EXPORTS: [&str; 3] = ["describe", "advance", "migrate"];

/// Exports named in a message at most, so that it stays one line.
const EXPORTS_SHOWN_MAX: usize = 8;

/// A component whose world was checked, linked against the offer.
pub(crate) struct Linked {
    pub(crate) served: Served,
    /// Short names of the capabilities it imports, sorted.
    pub(crate) imports: Vec<String>,
    /// Whether it imports anything of WASI.
    pub(crate) has_wasi: bool,
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
    let Imports { version, capabilities, has_wasi } = imports(engine, &world)?;
    let linked = linker.instantiate_pre(component).map_err(|error| {
        let reason = format!("{error:#}");
        wrong_world(version, &wrong_import(engine, &world, version, &reason).unwrap_or(reason))
    })?;
    check_exports(engine, &world, version)?;
    let served = Served::new(version, linked).map_err(|error| wrong_world(version, &format!("{error:#}")))?;
    let exports = world.exports(engine).map(|(name, _)| one_line(name)).collect();
    Ok(Linked { served, imports: capabilities, has_wasi, exports })
}

fn wrong_world(version: Version, reason: &str) -> LoadError {
    LoadError::WrongWorld { world: version.world().to_owned(), reason: one_line(reason) }
}

/// What the imports of a component say.
struct Imports {
    version: Version,
    capabilities: Vec<String>,
    has_wasi: bool,
}

/// The version a component was built for, which its imports name, and the capabilities it imports. Its exports name none,
/// but the words they are made of are imported; a component that imports nothing is held against the newest.
fn imports(engine: &Engine, world: &ComponentType) -> Result<Imports, LoadError> {
    let mut first: Option<(Version, &str)> = None;
    let mut capabilities = Vec::new();
    let mut has_wasi = false;
    for (name, _) in world.imports(engine) {
        if wasi::is_offered(name) {
            has_wasi = true;
            continue;
        }
        let of_ours = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@'));
        let known = of_ours.and_then(|(short, number)| Some((short, Version::of_number(number)?)));
        let Some((short, version)) = known.filter(|(short, _)| *short == WORDS || OFFERED.contains(short))
        else {
            let numbers = Version::ALL.map(Version::number).join(" or ");
            let (ours, packages) = (OFFERED.join(", "), wasi::PACKAGES.join(", "));
            let offered = format!("{ours} of lockstep:step@{numbers}, and {packages} of WASI 0.2");
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
    let version = first.map_or(Version::NEWEST, |(version, _)| version);
    Ok(Imports { version, capabilities, has_wasi })
}

fn check_exports(engine: &Engine, world: &ComponentType, version: Version) -> Result<(), LoadError> {
    for name in EXPORTS {
        let Some(export) = world.get_export(engine, name) else {
            return Err(wrong_world(version, &missing_export(engine, world, version, name)));
        };
        let ComponentItem::ComponentFunc(function) = export.ty else {
            return Err(wrong_world(version, &format!("export `{name}` is not a function")));
        };
        version
            .check_export(name, &function, world)
            .map_err(|error| wrong_world(version, &wrong_export(version, name, &function, &error)))?;
    }
    Ok(())
}

fn wrong_export(version: Version, name: &str, function: &ComponentFunc, error: &wasmtime::Error) -> String {
    let expected = signature::of_export(version, name).unwrap_or("another function");
    let found = signature::found(function);
    format!("export `{name}` has another type: expected `{expected}`, found `{found}`: {error:#}")
}

/// Which imported function the host does not have so, from the `reason` of the linker, which names the interface and the
/// function.
fn wrong_import(engine: &Engine, world: &ComponentType, version: Version, reason: &str) -> Option<String> {
    let (name, instance) = world.imports(engine).find_map(|(name, import)| match import.ty {
        ComponentItem::ComponentInstance(instance) if reason.contains(&format!("`{name}`")) => {
            Some((name, instance))
        }
        _ => None,
    })?;
    let (function, found) = instance.exports(engine).find_map(|(function, export)| match export.ty {
        ComponentItem::ComponentFunc(found) if reason.contains(&format!("`{function}`")) => {
            Some((function, signature::found(&found)))
        }
        _ => None,
    })?;
    let interface = name.strip_prefix(PACKAGE).and_then(|rest| rest.split('@').next()).unwrap_or(name);
    Some(match signature::of_import(version, interface, function) {
        Some(expected) => {
            format!("import `{function}` of {name} has another type: expected `{expected}`, found `{found}`")
        }
        None => format!("the host has no `{function}` in {name}, found `{found}`"),
    })
}

fn missing_export(engine: &Engine, world: &ComponentType, version: Version, name: &str) -> String {
    let mut names: Vec<&str> = world.exports(engine).map(|(name, _)| name).collect();
    let more = names.len().saturating_sub(EXPORTS_SHOWN_MAX);
    names.truncate(EXPORTS_SHOWN_MAX);
    let found = match (names.is_empty(), more) {
        (true, _) => "it exports nothing".to_owned(),
        (false, 0) => format!("it exports {}", names.join(", ")),
        (false, more) => format!("it exports {} and {more} more", names.join(", ")),
    };
    let expected = signature::of_export(version, name).unwrap_or("func");
    format!("export `{name}: {expected}` is missing; {found}")
}
