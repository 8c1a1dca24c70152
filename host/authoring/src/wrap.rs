//! A core module becomes a component.

use wit_component::ComponentEncoder;

/// Why a module is no component yet.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// It is one already.
    #[error("it is a component already; add it as it is")]
    IsComponent,
    /// Not WebAssembly, or damaged.
    #[error("it is not a WebAssembly module")]
    NotAModule(#[source] anyhow::Error),
    /// The module carries no description of its world.
    #[error(
        "the module does not say which world it implements; link what the bindings come with: the object file \
         `*_component_type.o` in C, the macro `export_step!` in Rust"
    )]
    NoWorld,
    /// Its imports and exports are not those of the world it names.
    #[error("the module does not fit its world")]
    DoesNotFit(#[source] anyhow::Error),
    /// What came out is not valid; a fault of the encoder or of the module's compiler.
    #[error("the component made of it is not valid")]
    Invalid(#[source] anyhow::Error),
}

/// The component made of a core module that carries its component type.
///
/// Imports the module does not use are left out: what is not imported need not be granted. Equal modules give equal
/// bytes.
///
/// # Errors
/// The bytes are no such module.
pub fn wrap(module: &[u8]) -> Result<Vec<u8>, WrapError> {
    if wasmparser::Parser::is_component(module) {
        return Err(WrapError::IsComponent);
    }
    if !wasmparser::Parser::is_core_wasm(module) {
        return Err(WrapError::NotAModule(anyhow::anyhow!("it does not begin as one")));
    }
    let encoder = ComponentEncoder::default().validate(true).module(module);
    let mut encoder = encoder.map_err(WrapError::NotAModule)?;
    let component = encoder.encode().map_err(WrapError::DoesNotFit)?;
    if !has_exports(&component) {
        return Err(WrapError::NoWorld);
    }
    // The feature set of the host's own wasmtime.
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::default())
        .validate_all(&component)
        .map_err(|error| WrapError::Invalid(error.into()))?;
    Ok(component)
}

/// A module without a component type encodes to a component that exports nothing.
fn has_exports(component: &[u8]) -> bool {
    match wit_component::decode(component) {
        Ok(wit_component::DecodedWasm::Component(resolve, world)) => {
            !resolve.worlds[world].exports.is_empty()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::wrap;

    fn refused(bytes: &[u8]) -> String {
        wrap(bytes).expect_err("it must be refused").to_string()
    }

    #[test]
    fn what_is_no_module_of_a_world_is_refused_with_what_to_do() {
        assert_eq!(refused(b"#!/bin/sh"), "it is not a WebAssembly module");
        assert_eq!(refused(b"\0asm\x0d\0\x01\0"), "it is a component already; add it as it is");
        let empty_module = b"\0asm\x01\0\0\0";
        assert!(refused(empty_module).contains("does not say which world"), "{}", refused(empty_module));
    }
}
