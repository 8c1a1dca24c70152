//! Turns a core module into a component and checks what it asks for.

use anyhow::{Result, bail};
use wit_component::DecodedWasm;
use wit_parser::WorldItem;

/// The package namespace a guest may import from.
const NAMESPACE: &str = "lockstep:";

/// What a probe may import beside it: the host offers WASI, and tests need to ask for it.
const WASI: &str = "wasi:";

/// The component's bytes, valid for the feature set the host accepts.
pub(crate) fn encode(module: &[u8], may_use_wasi: bool) -> Result<Vec<u8>> {
    let component = lockstep_authoring::wrap(module)?;
    check_world(&component, may_use_wasi)?;
    Ok(component)
}

/// Whether it is a component that asks for nothing but interfaces of the contract, and of WASI if it may.
pub(crate) fn check_world(component: &[u8], may_use_wasi: bool) -> Result<()> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("it is a WIT package, not a component");
    };
    let world = &resolve.worlds[world];
    let asked = world.imports.iter();
    // A type the world only gives a name to asks nothing of the host.
    let asked = asked.filter(|(_, item)| !matches!(item, WorldItem::Type { .. }));
    let names = asked.map(|(key, _)| resolve.name_world_key(key));
    let foreign: Vec<_> = names
        .filter(|name| !(name.starts_with(NAMESPACE) || may_use_wasi && name.starts_with(WASI)))
        .collect();
    if !foreign.is_empty() {
        bail!("it imports {}; a guest may import only `{NAMESPACE}` interfaces", foreign.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_a_world_is_no_component() {
        let empty_module = b"\0asm\x01\0\0\0";
        let error = encode(empty_module, false).expect_err("an empty module must be refused").to_string();
        assert!(error.contains("does not say which world"), "{error}");
    }
}
