//! Functions as their authors write them: as a version of the contract declares them, and as a component has them.

use crate::contract::Version;
use std::fmt::Write as _;
use wasmtime::component::types::{ComponentFunc, Type};

/// Bytes of a signature; the ones of the contract are far shorter.
const SIGNATURE_BYTES_MAX: usize = 180;

/// Names of fields or cases that are shown of a type, to tell which one it is.
const NAMES_SHOWN_MAX: usize = 4;

/// Types within types that are written out.
const DEPTH_MAX: usize = 4;

/// The files of a version by their names; the same names in every version.
macro_rules! files {
    ($version:literal) => {
        files!($version, "checks", "environments", "history", "log", "mergeability", "release-health", "workspace", "world")
    };
    ($version:literal, $($name:literal),+) => {
        [$(($name, include_str!(concat!("../../../wit/step@", $version, "/", $name, ".wit")))),+]
    };
}

const FILES_0_1: [(&str, &str); 8] = files!("0.1.0");
const FILES_0_2: [(&str, &str); 8] = files!("0.2.0");

/// What the contract says of an export of the world.
pub(crate) fn of_export(version: Version, function: &str) -> Option<&'static str> {
    declared(version, "world", &format!("export {function}: "))
}

/// What the contract says of a function of an interface, by its short name.
pub(crate) fn of_import(version: Version, interface: &str, function: &str) -> Option<&'static str> {
    declared(version, interface, &format!("{function}: "))
}

fn declared(version: Version, file: &str, begin: &str) -> Option<&'static str> {
    let files = match version {
        Version::V0_1 => &FILES_0_1,
        Version::V0_2 => &FILES_0_2,
    };
    let (_, text) = files.iter().find(|(name, _)| *name == file)?;
    let declarations = text.lines().filter_map(|line| line.trim().strip_prefix(begin)?.strip_suffix(';'));
    declarations.into_iter().find(|said| said.starts_with("func("))
}

/// A function as a component has it. Its types have lost their names: of a record the first fields are told.
pub(crate) fn found(function: &ComponentFunc) -> String {
    let mut text = String::from(if function.async_() { "async func(" } else { "func(" });
    for (place, (name, of)) in function.params().enumerate() {
        text.push_str(if place == 0 { "" } else { ", " });
        let _ = write!(text, "{name}: ");
        write_type(&mut text, &of, 0);
    }
    text.push(')');
    for of in function.results() {
        text.push_str(" -> ");
        write_type(&mut text, &of, 0);
    }
    if text.len() > SIGNATURE_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SIGNATURE_BYTES_MAX));
        text.push('…');
    }
    text
}

fn write_type(text: &mut String, of: &Type, depth: usize) {
    if depth > DEPTH_MAX || text.len() > SIGNATURE_BYTES_MAX {
        return text.push('…');
    }
    let within = depth + 1;
    match of {
        Type::Record(record) => write_names(text, "record", record.fields().map(|field| field.name)),
        Type::Variant(variant) => write_names(text, "variant", variant.cases().map(|case| case.name)),
        Type::Enum(of) => write_names(text, "enum", of.names()),
        Type::Flags(flags) => write_names(text, "flags", flags.names()),
        Type::List(list) => write_of(text, "list", &[Some(list.ty())], within),
        Type::Option(option) => write_of(text, "option", &[Some(option.ty())], within),
        Type::Tuple(tuple) => write_of(text, "tuple", &tuple.types().map(Some).collect::<Vec<_>>(), within),
        Type::Result(result) => match (result.ok(), result.err()) {
            (None, None) => text.push_str("result"),
            (ok, None) => write_of(text, "result", &[ok], within),
            (ok, err) => write_of(text, "result", &[ok, err], within),
        },
        plain => text.push_str(plain_name(plain)),
    }
}

fn plain_name(of: &Type) -> &'static str {
    match of {
        Type::Bool => "bool",
        Type::S8 => "s8",
        Type::U8 => "u8",
        Type::S16 => "s16",
        Type::U16 => "u16",
        Type::S32 => "s32",
        Type::U32 => "u32",
        Type::S64 => "s64",
        Type::U64 => "u64",
        Type::Float32 => "f32",
        Type::Float64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::Own(_) => "a resource",
        Type::Borrow(_) => "a borrowed resource",
        // No function of the contract has any of the others.
        _ => "…",
    }
}

fn write_of(text: &mut String, what: &str, of: &[Option<Type>], depth: usize) {
    text.push_str(what);
    text.push('<');
    for (place, of) in of.iter().enumerate() {
        text.push_str(if place == 0 { "" } else { ", " });
        match of {
            Some(of) => write_type(text, of, depth),
            None => text.push('_'),
        }
    }
    text.push('>');
}

fn write_names<'n>(text: &mut String, what: &str, names: impl ExactSizeIterator<Item = &'n str>) {
    let more = names.len() > NAMES_SHOWN_MAX;
    let names: Vec<_> = names.take(NAMES_SHOWN_MAX).collect();
    let _ = write!(text, "{what} {{ {}{} }}", names.join(", "), if more { ", …" } else { "" });
}

#[cfg(test)]
mod tests {
    use super::{of_export, of_import};
    use crate::contract::{OFFERED, Version};
    use crate::world::EXPORTS;

    #[test]
    fn every_export_has_a_declaration() {
        for version in Version::ALL {
            for name in EXPORTS {
                assert!(of_export(version, name).is_some(), "{name} of {version:?}");
            }
        }
        assert_eq!(
            of_export(Version::V0_2, "migrate"),
            Some("func(from-version: u32, state: string) -> result<string, string>")
        );
        assert_eq!(of_export(Version::V0_2, "run"), None);
    }

    #[test]
    fn every_interface_can_be_looked_up() {
        for interface in OFFERED {
            let function = match interface {
                "history" => "attempts",
                "log" => "write",
                "workspace" => "read-file",
                _ => "read",
            };
            assert!(of_import(Version::V0_1, interface, function).is_some(), "{interface}");
        }
        assert_eq!(of_import(Version::V0_1, "workspace", "diff"), None);
        assert!(of_import(Version::V0_2, "workspace", "diff").is_some());
    }
}
