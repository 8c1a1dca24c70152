use super::{read_text, with_host};
use crate::args::PipelineCommand;
use crate::context::Context;
use crate::exit::Exit;
use crate::standard;
use serde_json::json;
use std::path::Path;

/// Largest pipeline file: a request with it must stay below the largest body the server takes.
const PIPELINE_MAX: u64 = 512 * 1024;

/// The text of a pipeline file.
pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    read_text(file, PIPELINE_MAX)
}

/// `lockstep pipeline check`
pub(super) async fn pipeline(context: &Context, command: PipelineCommand) -> anyhow::Result<Exit> {
    let PipelineCommand::Check { file } = command;
    let text = read(&file)?;
    let name = file.to_string_lossy();
    let checked = with_host(context, "pipeline check", async |service, _| {
        standard::require(&*service).await?;
        Ok(service.check_pipeline(&text, &name).await?)
    });
    checked.await?;
    let document = json!({ "file": name, "valid": true });
    context.term.show(&document, |_, _| format!("{name}: nothing is wrong with it\n"))?;
    Ok(Exit::Done)
}
