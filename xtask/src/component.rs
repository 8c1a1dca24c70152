//! Turns a core module into a component and checks what it asks for.

use anyhow::{Context, Result, bail};
use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::WorldItem;

/// The package namespace a guest may import from.
const NAMESPACE: &str = "lockstep:";

/// What a probe may import beside it: the host offers WASI, and tests need to ask for it.
const WASI: &str = "wasi:";

/// The component's bytes, valid for the feature set the host accepts.
pub(crate) fn encode(module: &[u8], may_use_wasi: bool) -> Result<Vec<u8>> {
    let component = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .context("the module carries no component type; does the crate export a world?")?
        .encode()
        .context("the module does not fit its world")?;
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::default())
        .validate_all(&component)
        .context("the component is not valid")?;
    check_world(&component, may_use_wasi)?;
    Ok(component)
}

fn check_world(component: &[u8], may_use_wasi: bool) -> Result<()> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("it is a WIT package, not a component");
    };
    let world = &resolve.worlds[world];
    if world.exports.is_empty() {
        bail!("it exports nothing; does the crate use the sdk's export macro?");
    }
    let asked = world.imports.iter();
    // A type the world only gives a name to asks nothing of the host.
    let asked = asked.filter(|(_, item)| !matches!(item, WorldItem::Type { .. }));
    let names = asked.map(|(key, _)| resolve.name_world_key(key));
    let foreign: Vec<_> = names
        .filter(|name| !name.starts_with(NAMESPACE) && !(may_use_wasi && name.starts_with(WASI)))
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
        let error = encode(empty_module, false).expect_err("an empty module must be refused");
        assert_eq!(format!("{error:#}"), "it exports nothing; does the crate use the sdk's export macro?");
    }
}
