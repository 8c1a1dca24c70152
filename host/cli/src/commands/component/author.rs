//! Commands of those who write components. They need no data folder and no host.

use crate::args::{BindingsArgs, WrapArgs};
use crate::commands::read_file;
use crate::context::Context;
use crate::exit::Refused;
use crate::render;
use anyhow::Context as _;
use lockstep_authoring::{c_bindings, wrap as wrapped};
use serde::Serialize;
use std::fs;
use std::path::PathBuf;

/// Bytes of a module; the component made of it is a little larger, and the host takes none beyond this.
const MODULE_MAX: u64 = 64 * 1024 * 1024;

/// Files that were written.
#[derive(Serialize)]
struct Written {
    files: Vec<PathBuf>,
    bytes: u64,
}

pub(super) fn wrap(context: &Context, args: &WrapArgs) -> anyhow::Result<()> {
    let module = read_file(&args.module, MODULE_MAX)?;
    let component = match wrapped(&module) {
        Ok(component) => component,
        Err(error) => {
            let reason = format!("{:#}", anyhow::Error::from(error));
            return Refused::because(format!("{}: {reason}", args.module.display()));
        }
    };
    fs::write(&args.output, &component)
        .with_context(|| format!("{} cannot be written", args.output.display()))?;
    let written = Written { files: vec![args.output.clone()], bytes: component.len() as u64 };
    show(context, &written)
}

pub(super) fn bindings(context: &Context, args: &BindingsArgs) -> anyhow::Result<()> {
    let files = match c_bindings(&args.wit, args.world.as_deref()) {
        Ok(files) => files,
        Err(error) => {
            let reason = format!("{:#}", anyhow::Error::from(error));
            return Refused::because(format!("{}: {reason}", args.wit.display()));
        }
    };
    fs::create_dir_all(&args.output).with_context(|| format!("{} cannot be made", args.output.display()))?;
    let mut written = Written { files: Vec::new(), bytes: 0 };
    for file in files {
        let path = args.output.join(file.name);
        fs::write(&path, &file.bytes).with_context(|| format!("{} cannot be written", path.display()))?;
        written.bytes += file.bytes.len() as u64;
        written.files.push(path);
    }
    show(context, &written)
}

fn show(context: &Context, written: &Written) -> anyhow::Result<()> {
    context.term.show(written, |_, written| {
        let names: Vec<_> = written.files.iter().map(|path| path.display().to_string()).collect();
        format!("wrote {} ({})\n", names.join(", "), render::bytes(written.bytes))
    })
}
