use crate::contract::{StepPre, types};
use crate::faults::one_line;
use crate::host::HostState;
use lockstep_ports::LoadError;
use wasmtime::Engine;
use wasmtime::component::types::{Component as ComponentType, ComponentItem};
use wasmtime::component::{Component, Linker};

/// Version of the contract this host serves, as WIT names it.
pub const CONTRACT: &str = "lockstep:step/step@0.1.0";

/// Interfaces a step component may be granted, by short name.
pub const OFFERED: [&str; 7] =
    ["checks", "environments", "history", "log", "mergeability", "release-health", "workspace"];

/// Only words, no function: importing it is no capability.
const WORDS: &str = "types";

/// The names of the exports a step component has.
const EXPORTS: [&str; 3] = ["describe", "advance", "migrate"];

/// Exports named in a message at most, so that it stays one line.
const EXPORTS_SHOWN_MAX: usize = 8;

/// A component whose world was checked, linked against the offer.
pub(crate) struct Linked {
    pub(crate) pre: StepPre<HostState>,
    /// Short names of the capabilities it imports, sorted.
    pub(crate) imports: Vec<String>,
}

/// Checks that `component` is a step component, and links it.
pub(crate) fn link(
    engine: &Engine,
    linker: &Linker<HostState>,
    component: &Component,
) -> Result<Linked, LoadError> {
    let world = component.component_type();
    let imports = capabilities(engine, &world)?;
    check_exports(engine, &world)?;
    let wrong = |error: wasmtime::Error| LoadError::WrongWorld { reason: one_line(&format!("{error:#}")) };
    let pre = linker.instantiate_pre(component).and_then(StepPre::new).map_err(wrong)?;
    Ok(Linked { pre, imports })
}

fn capabilities(engine: &Engine, world: &ComponentType) -> Result<Vec<String>, LoadError> {
    let mut imports = Vec::new();
    for (name, _) in world.imports(engine) {
        let short = name.strip_prefix("lockstep:step/").and_then(|rest| rest.strip_suffix("@0.1.0"));
        match short {
            Some(WORDS) => {}
            Some(short) if OFFERED.contains(&short) => imports.push(short.to_owned()),
            _ => {
                let offered = format!("{} of lockstep:step@0.1.0", OFFERED.join(", "));
                return Err(LoadError::NotGranted { import: one_line(name), offered });
            }
        }
    }
    imports.sort();
    Ok(imports)
}

fn check_exports(engine: &Engine, world: &ComponentType) -> Result<(), LoadError> {
    for name in EXPORTS {
        let Some(export) = world.get_export(engine, name) else {
            return Err(LoadError::WrongWorld { reason: missing_export(engine, world, name) });
        };
        let ComponentItem::ComponentFunc(function) = export.ty else {
            return Err(LoadError::WrongWorld { reason: format!("export `{name}` is not a function") });
        };
        let cx = world.instance_type();
        let checked = match name {
            "describe" => function.typecheck::<(), (types::Descriptor,)>(&cx),
            "advance" => {
                function.typecheck::<(&types::StepInput,), (Result<types::Transition, String>,)>(&cx)
            }
            _ => function.typecheck::<(u32, &str), (Result<String, String>,)>(&cx),
        };
        checked.map_err(|error| LoadError::WrongWorld {
            reason: one_line(&format!("export `{name}` has another type: {error:#}")),
        })?;
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
    one_line(&format!("export `{name}` is missing; {found}"))
}
