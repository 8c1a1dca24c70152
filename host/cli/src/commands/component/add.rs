use crate::commands::{read_file, with_components};
use crate::context::{Context, quoted};
use crate::render;
use std::path::Path;

/// Largest component; the server takes no larger one either.
const COMPONENT_MAX: u64 = 64 * 1024 * 1024;

pub(super) async fn add(context: &Context, file: &Path) -> anyhow::Result<()> {
    let bytes = read_file(file, COMPONENT_MAX)?;
    let added =
        with_components(context, "component add", async |service| Ok(service.add_component(bytes).await?));
    context.term.show(&added.await?, |style, added| {
        let kind = quoted(&render::clean(&added.info.descriptor.kind));
        let command = context.command(&format!("component activate {kind} {}", added.info.digest.short()));
        render::component_added(style, added, &command)
    })
}
