//! Step components written in the text form of core modules, for what no compiler makes.

use lockstep_sandbox::Limits;
use std::fmt::Write as _;
use std::path::Path;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What a module begins with: a descriptor in memory, and room for the input.
const MODULE: &str = r#"
    (global $free (mut i32) (i32.const 65536))
    (global $calls (mut i32) (i32.const 48))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
        (global.set $free (i32.add (local.get $at) (local.get 3)))
        (local.get $at))
"#;

/// The bodies of a component's exports, with whatever else is in its module.
#[derive(Clone, Copy)]
pub(crate) struct Written<'t> {
    pub(crate) more: &'t str,
    pub(crate) describe: &'t str,
    pub(crate) advance: &'t str,
    pub(crate) migrate: &'t str,
}

/// Describes itself well, and stops itself when anything else is called.
pub(crate) const SOUND: Written<'static> =
    Written { more: "", describe: "(i32.const 1024)", advance: "unreachable", migrate: "unreachable" };

/// Where the descriptor names a text: its address and its length.
type Text = (u32, u32);

fn bytes(numbers: &[u32]) -> String {
    numbers.iter().flat_map(|number| number.to_le_bytes()).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:02x}");
        text
    })
}

/// A descriptor as the canonical ABI lays it out, with `summary` and `schema`.
pub(crate) fn descriptor(summary: Text, schema: Text) -> String {
    let (kind, version) = ((2048, 5), (2056, 1));
    let words = [
        kind.0, kind.1, version.0, version.1, 1, summary.0, summary.1, schema.0, schema.1, // texts
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // empty lists, and reading only
    ];
    format!(r#"(data (i32.const 1024) "{}")"#, bytes(&words))
}

/// The component.
pub(crate) fn written(module: &Written<'_>) -> Vec<u8> {
    with_descriptor(module, &descriptor((2056, 1), (2060, 2)))
}

/// The component, with its descriptor in memory.
pub(crate) fn with_descriptor(module: &Written<'_>, descriptor: &str) -> Vec<u8> {
    let Written { more, describe, advance, migrate } = module;
    let text = format!(
        r#"(module {MODULE} (memory (export "memory") 2) {more} {descriptor}
            (data (i32.const 2048) "probe") (data (i32.const 2056) "1") (data (i32.const 2060) "{{}}")
            (func (export "describe") (result i32) {describe})
            (func (export "advance") (param i32) (result i32) {advance})
            (func (export "migrate") (param i32 i32 i32) (result i32) {migrate}))"#
    );
    let mut module = wat::parse_str(&text).unwrap();
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/step@0.2.0");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("step")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// Limits that are reached soon even in a slow build.
pub(crate) fn tight() -> Limits {
    Limits { fuel: 20_000_000, ..Limits::default() }
}
