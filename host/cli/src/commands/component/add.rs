use super::pull;
use crate::args::AddArgs;
use crate::commands::{read_component, read_text, with_components};
use crate::context::{Context, quoted};
use crate::exit::{Exit, Refused, explain};
use crate::render;
use lockstep_ports::{AddRequest, ComponentService, ComponentView, ServiceError};
use lockstep_runtime::signature;
use serde::Serialize;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of one command: a folder of thousands is not one of components.
const FILES_MAX: usize = 1000;

/// What became of one of several files.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Added(Box<ComponentView>),
    Refused(String),
}

#[derive(Serialize)]
struct Added {
    file: PathBuf,
    #[serde(flatten)]
    outcome: Outcome,
}

pub(super) async fn add(context: &Context, args: AddArgs) -> anyhow::Result<Exit> {
    if let Some(reference) = args.paths.iter().find_map(|path| shipped(path)) {
        if args.paths.len() > 1 || args.signature.is_some() {
            return Refused::because(format!(
                "{reference} is added alone, with the signature that came along"
            ));
        }
        pull::add(context, reference.parse()?, args.reason).await?;
        return Ok(Exit::Done);
    }
    let is_one = matches!(&args.paths[..], [path] if !path.is_dir());
    if args.signature.is_some() && !is_one {
        return Refused::because("--signature is for one file: put the signature of each into FILE.sig");
    }
    let files = files(&args.paths)?;
    let added = with_components(context, "component add", async |service| {
        let mut added = Vec::new();
        for file in files {
            let result = add_file(context, &*service, &file, &args).await;
            let outcome = match result {
                Ok(view) => Outcome::Added(Box::new(view)),
                Err(error) if is_one => return Err(error),
                Err(error) => Outcome::Refused(explain(&error).1.join("; ")),
            };
            added.push(Added { file, outcome });
        }
        Ok(added)
    });
    let added = added.await?;
    if let (true, [Added { outcome: Outcome::Added(view), .. }]) = (is_one, &added[..]) {
        context.term.show(view, |style, view| shown(context, style, view))?;
        return Ok(Exit::Done);
    }
    let refused = added.iter().filter(|added| matches!(added.outcome, Outcome::Refused(_))).count();
    context.term.show(&added, |style, added| {
        let mut text = String::new();
        for Added { outcome, .. } in added {
            match outcome {
                Outcome::Added(view) => text.push_str(&shown(context, style, view)),
                Outcome::Refused(why) => text.push_str(&render::component_refused(style, why)),
            }
        }
        text
    })?;
    if refused == 0 {
        return Ok(Exit::Done);
    }
    Refused::because(format!("{} of {} were refused", refused, render::counted(added.len(), "file")))
}

/// A path that is no file's: where components are shipped through.
fn shipped(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.starts_with("oci://") || text.starts_with("dir:"))
}

fn shown(context: &Context, style: &render::Style, view: &ComponentView) -> String {
    let kind = quoted(&render::clean(&view.info.descriptor.kind));
    let command = context.command(&format!("component activate {kind} {}", view.info.digest.short()));
    render::component_added(style, view, &command)
}

async fn add_file(
    context: &Context,
    service: &dyn ComponentService,
    file: &Path,
    args: &AddArgs,
) -> anyhow::Result<ComponentView> {
    let bytes = read_component(file)?;
    let beside = signature_file(file);
    let signature = match &args.signature {
        Some(given) => Some(read_text(given, signature::FILE_BYTES_MAX)?),
        None if beside.exists() => Some(read_text(&beside, signature::FILE_BYTES_MAX)?),
        None => None,
    };
    let (by, reason) = (Some(context.by.clone()), args.reason.clone());
    let added = service.add_component(AddRequest { bytes, signature, by, reason }).await;
    added.map_err(|error| match error {
        ServiceError::Invalid(why) => Refused(format!("{}: {why}", file.display())).into(),
        error => error.into(),
    })
}

/// Where the signature of a file lies.
pub(super) fn signature_file(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".sig");
    name.into()
}

/// The files that are meant: those named, and the .wasm files of the folders named, by name.
fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = |error| Refused(format!("{} cannot be read: {error}", path.display()));
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.is_file() && file.extension().is_some_and(|extension| extension == "wasm") {
                found.push(file);
            }
        }
        if found.is_empty() {
            return Refused::because(format!(
                "{} holds no .wasm file: build the components first",
                path.display()
            ));
        }
        found.sort();
        files.extend(found);
    }
    if files.len() > FILES_MAX {
        return Refused::because(format!(
            "{} are more than {FILES_MAX}",
            render::counted(files.len(), "file")
        ));
    }
    Ok(files)
}
