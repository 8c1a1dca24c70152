//! Who may speak to the host, and what was asked of it.

use super::{with_board, with_host};
use crate::args::{AuditArgs, OpenArgs, TokenCommand};
use crate::context::Context;
use crate::exit::{Exit, Refused};
use crate::host::Host;
use crate::render;
use crate::wiring::Drive;
use lockstep_ports::{AuditQuery, NewToken};
use std::io::IsTerminal;
use std::process::{Command, Stdio};

/// `lockstep token …`
pub(super) async fn token(context: &Context, command: TokenCommand) -> anyhow::Result<Exit> {
    match command {
        TokenCommand::Add { name, role, workspace, expires } => {
            let token = NewToken { name, role, workspaces: workspace, expires_days: expires };
            let issued = with_board(context, "token add", async |board, host| {
                let known = board.workspaces().await?;
                if let Some(id) =
                    token.workspaces.iter().find(|id| !known.iter().any(|known| known.id == **id))
                {
                    return Refused::because(format!(
                        "there is no workspace {id}: see `lockstep workspaces list`"
                    ));
                }
                Ok(host.access().add_token(token, &context.by).await?)
            });
            context.term.show(&issued.await?, render::issued)?;
        }
        TokenCommand::List => {
            let tokens = with_host(context, "token list", async |_, host| Ok(host.access().tokens().await?));
            context.term.show(&tokens.await?, |style, tokens| render::tokens(style, tokens))?;
        }
        TokenCommand::Revoke { name } => {
            let revoked = with_host(context, "token revoke", async |_, host| {
                Ok(host.access().revoke_token(&name, &context.by).await?)
            });
            context.term.show(&revoked.await?, |_, token| {
                format!("revoked {} {}: it is accepted no more\n", token.name, token.id)
            })?;
        }
    }
    Ok(Exit::Done)
}

/// `lockstep audit`
pub(super) async fn audit(context: &Context, args: AuditArgs) -> anyhow::Result<Exit> {
    let query = AuditQuery { before: args.before, limit: Some(args.last) };
    let page =
        with_host(context, "audit", async |_, host| Ok(host.access().audit_page(query).await?)).await?;
    let more = page.next.as_ref().map(|next| context.command(&format!("audit --before {next}")));
    context.term.show(&page, |style, page| render::requests(style, page, more.as_deref()))?;
    Ok(Exit::Done)
}

/// `lockstep open`
pub(super) async fn open(context: &Context, args: OpenArgs) -> anyhow::Result<Exit> {
    let host = Host::open(context, "open", Drive::Nothing).await?;
    let Host::Served { service, url } = &host else {
        host.close().await;
        return Refused::because("no server has the data folder: start one with `lockstep serve`");
    };
    let link = format!("{url}{}", service.login_path(&context.by).await?);
    if !args.print && !context.term.json && std::io::stdout().is_terminal() {
        // Whoever has no browser here still has the link.
        let opened = Command::new("xdg-open").arg(&link).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        drop(opened);
    }
    if context.term.json {
        context.term.document(&serde_json::json!({ "url": link }))?;
    } else {
        context.term.out(&link)?;
    }
    Ok(Exit::Done)
}
