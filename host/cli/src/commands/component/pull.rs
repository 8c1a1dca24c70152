use super::shipping::{explained, progress};
use crate::args::PullArgs;
use crate::commands::with_components;
use crate::context::{Context, quoted};
use crate::exit::Refused;
use crate::{render, wiring};
use anyhow::Context as _;
use lockstep_ports::{AddRequest, ComponentView, Distribution as _, Located, Reference};
use lockstep_types::Digest;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// How every WebAssembly component begins; a module differs in the last four bytes.
const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";

/// What was pulled, as `--json` prints it.
#[derive(Serialize)]
pub(crate) struct PullReport {
    pub(crate) reference: String,
    pub(crate) component: Digest,
    pub(crate) kind: String,
    pub(crate) version: String,
    pub(crate) size: u64,
    pub(crate) signed: bool,
    pub(crate) output: Option<PathBuf>,
    pub(crate) added: Option<ComponentView>,
}

pub(super) async fn pull(context: &Context, args: PullArgs) -> anyhow::Result<()> {
    fetch(context, args, None).await
}

/// Adds what `from` is pinned to.
pub(super) async fn add(context: &Context, from: Reference, reason: Option<String>) -> anyhow::Result<()> {
    let args =
        PullArgs { from, add: true, output: None, digest: None, allow_tag: false, insecure_http: false };
    fetch(context, args, reason).await
}

async fn fetch(context: &Context, args: PullArgs, reason: Option<String>) -> anyhow::Result<()> {
    let distribution = wiring::distribution(args.insecure_http)?;
    let located = distribution.locate(&args.from).await.map_err(explained)?;
    refuse_moved(&args, &located)?;
    refuse_unpinned(&args, &located)?;
    let told = progress(&context.term, "pulled");
    let bytes = distribution.pull(&located, told).await.map_err(explained)?;
    if !bytes.starts_with(PREAMBLE) {
        return Refused::because(format!("{} holds no WebAssembly component", located.pinned));
    }
    if let Some(file) = &args.output {
        write(file, &bytes, located.signature.as_deref())?;
    }
    let size = bytes.len() as u64;
    let added = if args.add { Some(keep(context, bytes, &located, reason).await?) } else { None };
    let report = PullReport {
        reference: located.pinned.to_string(),
        component: located.component,
        kind: located.label.kind,
        version: located.label.version,
        size,
        signed: located.signature.is_some(),
        output: args.output,
        added,
    };
    context.term.show(&report, |style, report| {
        let text = render::pulled(style, report);
        let Some(added) = &report.added else { return text };
        let kind = quoted(&render::clean(&added.info.descriptor.kind));
        let command = context.command(&format!("component activate {kind} {}", added.info.digest.short()));
        text + &render::component_added(style, added, &command)
    })
}

/// Whoever knows which component it must be need not trust a tag.
fn refuse_moved(args: &PullArgs, located: &Located) -> anyhow::Result<()> {
    match args.digest.filter(|digest| *digest != located.component) {
        Some(digest) => Refused::because(format!(
            "{} holds component sha256:{}, not sha256:{digest}: if it did before, its tag was moved",
            args.from, located.component
        )),
        None => Ok(()),
    }
}

fn refuse_unpinned(args: &PullArgs, located: &Located) -> anyhow::Result<()> {
    let is_kept = args.add || args.output.is_some();
    let is_pinned = args.from.digest.is_some() || args.digest.is_some();
    if !is_kept || is_pinned || args.allow_tag {
        return Ok(());
    }
    Refused::because(format!(
        "{} is a tag, which can be moved: name {} for what it means now, or pull with --allow-tag",
        args.from, located.pinned
    ))
}

/// Both files, or neither: a signature that lies beside another component would only be found out later.
fn write(file: &Path, bytes: &[u8], signature: Option<&[u8]>) -> anyhow::Result<()> {
    let beside = |end: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let signature_file = beside(".sig");
    if signature.is_none() && signature_file.exists() {
        let shown = signature_file.display();
        return Refused::because(format!(
            "{shown} signs something else than what is pulled: remove it first"
        ));
    }
    let parts = [Some((file, bytes)), signature.map(|signature| (signature_file.as_path(), signature))];
    for (file, bytes) in parts.into_iter().flatten() {
        let mut fresh = file.as_os_str().to_owned();
        fresh.push(".new");
        let written = std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, file));
        written.with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}

/// Adds it as `component add` does, so that every guard holds.
async fn keep(
    context: &Context,
    bytes: Vec<u8>,
    located: &Located,
    reason: Option<String>,
) -> anyhow::Result<ComponentView> {
    let signature = located.signature.clone().map(String::from_utf8).transpose();
    let Ok(signature) = signature else {
        return Refused::because(format!("the signature of {} is not a text", located.pinned));
    };
    let (by, reason) =
        (Some(context.by.clone()), reason.or_else(|| Some(format!("pulled from {}", located.pinned))));
    let request = AddRequest { bytes, signature, by, reason };
    let added = with_components(context, "component pull", async |service| {
        Ok(service.add_component(request).await?)
    });
    added.await.with_context(|| format!("{} was not added", located.pinned))
}
