use super::with_host;
use crate::args::DeliveriesCommand;
use crate::context::Context;
use crate::exit::Exit;
use crate::host::Host;
use crate::render;
use lockstep_ports::{Delivery, ServiceError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A delivery with its payload.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeliveryView {
    #[serde(flatten)]
    pub(crate) delivery: Delivery,
    /// The payload; a text where it is no JSON.
    pub(crate) payload: Value,
}

/// `lockstep deliveries …`
pub(super) async fn deliveries(context: &Context, command: DeliveriesCommand) -> anyhow::Result<Exit> {
    match command {
        DeliveriesCommand::List { limit, before } => {
            let limit = usize::from(limit);
            let list = with_host(context, "deliveries", async |_, host| Ok(list(host, before, limit).await?));
            context.term.show(&list.await?, |style, list| render::deliveries(style, list))?;
        }
        DeliveriesCommand::Show { id } => {
            let view = with_host(context, "deliveries", async |_, host| Ok(show(host, &id).await?));
            context.term.show(&view.await?, render::delivery)?;
        }
        DeliveriesCommand::Replay { id } => {
            let replayed = with_host(context, "deliveries", async |_, host| {
                let is_served = host.server().is_some();
                Ok((replay(host, &id).await?, is_served))
            });
            let (delivery, is_served) = replayed.await?;
            let when = if is_served { "now" } else { "when `lockstep serve` runs" };
            context.term.show(&delivery, |_, delivery| {
                format!("delivery {} is taken up again {when}\n", render::clean(&delivery.id))
            })?;
        }
    }
    Ok(Exit::Done)
}

async fn list(host: &Host, before: Option<u64>, limit: usize) -> Result<Vec<Delivery>, ServiceError> {
    match host {
        Host::Here { local, .. } => {
            local.deliveries().list(before, limit).await.map_err(|error| failed(&error))
        }
        Host::Served { service, .. } => service.deliveries(before, limit).await,
    }
}

async fn show(host: &Host, id: &str) -> Result<DeliveryView, ServiceError> {
    match host {
        Host::Here { local, .. } => {
            let found = local.deliveries().get(id).await.map_err(|error| failed(&error))?;
            let (delivery, body) = found.ok_or_else(|| unknown(id))?;
            let payload = serde_json::from_slice(&body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
            Ok(DeliveryView { delivery, payload })
        }
        Host::Served { service, .. } => service.delivery(id).await,
    }
}

async fn replay(host: &Host, id: &str) -> Result<Delivery, ServiceError> {
    match host {
        Host::Here { local, .. } => {
            let replayed = local.deliveries().replay(id).await.map_err(|error| failed(&error))?;
            replayed.ok_or_else(|| unknown(id))
        }
        Host::Served { service, .. } => service.replay_delivery(id).await,
    }
}

fn unknown(id: &str) -> ServiceError {
    ServiceError::NotFound(format!("there is no delivery {id:?}: see `lockstep deliveries list`"))
}

fn failed(error: &lockstep_ports::JournalError) -> ServiceError {
    ServiceError::Internal(error.to_string())
}
