use super::actor;
use crate::args::TrustCommand;
use crate::commands::{board, read_text, with_components};
use crate::context::Context;
use crate::exit::Refused;
use crate::render;
use lockstep_ports::TrustChange;
use lockstep_runtime::signature;
use std::path::Path;

/// `lockstep component trust …`
pub(super) async fn trust(context: &Context, command: TrustCommand) -> anyhow::Result<()> {
    let change = match command {
        TrustCommand::List | TrustCommand::Policy { policy: None } => None,
        TrustCommand::Policy { policy: Some(policy) } => Some(TrustChange::Policy(board::word(&policy)?)),
        TrustCommand::Add { key, name } => Some(added(&key, name)?),
        TrustCommand::Remove { name } => Some(TrustChange::Remove { name }),
    };
    let actor = actor(context, None);
    let trust = with_components(context, "component trust", async |service| {
        Ok(match change {
            Some(change) => service.change_trust(change, actor).await?,
            None => service.trust().await?,
        })
    });
    context.term.show(&trust.await?, |style, shown| context.with_commands(&render::trust(style, shown)))
}

/// A key from a file or from its digits, under the name that was given or stands in the file.
fn added(given: &str, name: Option<String>) -> anyhow::Result<TrustChange> {
    let file = Path::new(given);
    let text = if file.exists() { read_text(file, signature::FILE_BYTES_MAX)? } else { given.to_owned() };
    let (key, own) = signature::read_public(&text).map_err(|error| Refused(format!("{given}: {error}")))?;
    match name.or(own) {
        Some(name) => Ok(TrustChange::Add { name, key }),
        None => Refused::because("say what the key is called here: --name NAME"),
    }
}
