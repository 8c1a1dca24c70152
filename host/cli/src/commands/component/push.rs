use super::shipping::{explained, progress};
use crate::args::PushArgs;
use crate::commands::{read_file, with_components};
use crate::context::Context;
use crate::exit::Refused;
use crate::{render, wiring};
use lockstep_ports::{Artifact, Distribution as _, SHIPPED_COMPONENT_MAX, SIGNATURE_MAX};
use lockstep_types::Digest;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What was pushed, as `--json` prints it.
#[derive(Serialize)]
pub(crate) struct PushReport {
    pub(crate) reference: String,
    pub(crate) component: Digest,
    pub(crate) kind: String,
    pub(crate) version: String,
    pub(crate) size: u64,
    pub(crate) signed: bool,
    pub(crate) was_there: bool,
    pub(crate) moved_from: Option<Digest>,
}

pub(super) async fn push(context: &Context, args: PushArgs) -> anyhow::Result<()> {
    let (component, beside) = source(context, &args.source).await?;
    let signature = match args.signature.or(beside) {
        Some(file) => Some(read_file(&file, SIGNATURE_MAX)?),
        None => None,
    };
    let label = match wiring::label(context.folder.path(), &component).await {
        Ok(label) => label,
        Err(error) => return Refused::because(format!("{}: {error:#}", args.source.display())),
    };
    let artifact = Artifact { component, signature, label };
    let distribution = wiring::distribution(args.insecure_http)?;
    let told = progress(&context.term, "pushed");
    let pushed = distribution.push(&args.to, &artifact, args.move_tag, told).await.map_err(explained)?;
    let report = PushReport {
        reference: pushed.pinned.to_string(),
        component: pushed.component,
        kind: artifact.label.kind,
        version: artifact.label.version,
        size: artifact.component.len() as u64,
        signed: artifact.signature.is_some(),
        was_there: pushed.was_there,
        moved_from: pushed.moved_from,
    };
    context.term.show(&report, render::pushed)
}

/// The component, and the signature file that lies beside it.
async fn source(context: &Context, source: &Path) -> anyhow::Result<(Vec<u8>, Option<PathBuf>)> {
    let text = source.to_string_lossy();
    let is_digest = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_digest || source.exists() {
        let mut beside = source.as_os_str().to_owned();
        beside.push(".sig");
        let beside = PathBuf::from(beside);
        return Ok((read_file(source, SHIPPED_COMPONENT_MAX)?, beside.exists().then_some(beside)));
    }
    let stored = with_components(context, "component push", async |service| {
        Ok(service.component_bytes(&text).await?)
    });
    Ok((stored.await?, None))
}
