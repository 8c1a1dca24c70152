//! What happens on a forge, taken up: deliveries one after another, and what no delivery told of.
//!
//! What follows is decided by `lockstep-hooks`. A delivery is marked only after what follows from it is durable: after a
//! crash in between it is taken up again, and the run's own journal tells that it was.

mod carry_out;
mod known;
mod named;
mod reconcile;
mod start;

pub use named::NamedRepositories;

use crate::runtime::Runtime;
use carry_out::Followed;
use lockstep_hooks::{Options, Reading, github};
use lockstep_ports::{
    Checks, Deliveries, Delivery, DeliveryState, Forge, JournalError, ServiceError, Settlement,
};
use lockstep_types::Timestamp;
use std::sync::Arc;

/// Milliseconds before a delivery that could not be taken up is tried again the first time; each further time takes four times
/// as long.
const RETRY_MS: u64 = 1000;
/// The longest of these times: an hour, in which most of what is broken is repaired.
const RETRY_MS_MAX: u64 = 3_600_000;
/// Tries of one delivery: with the times above, most of a day.
const TRIES_MAX: u32 = 24;
/// Milliseconds between two looks for what no delivery told of. Most of it is told; a look costs the forge a few requests for
/// each pull request with an item.
const LOOK_INTERVAL_MS: u64 = 5 * 60 * 1000;

/// What hooks are taken up with.
#[derive(Clone)]
pub struct HookOptions {
    /// Where deliveries are kept.
    pub deliveries: Arc<dyn Deliveries>,
    /// Which repositories are whose, and what the forge says of them.
    pub forge: Arc<dyn Forge>,
    /// The forge's checks; none: it is not asked for them.
    pub checks: Option<Arc<dyn Checks>>,
    /// The label that starts a run.
    pub label: String,
    /// Name of the pipeline that runs are started with; none: the item's own, else the workspace's first.
    pub pipeline: Option<String>,
}

/// One way of taking up what happens.
#[derive(Clone)]
struct Hooks {
    runtime: Runtime,
    options: HookOptions,
    rules: Options,
}

impl Runtime {
    /// Takes up deliveries and what happened while nobody listened, until the host goes down.
    pub fn take_up_hooks(&self, options: HookOptions) {
        let rules = Options { label: options.label.clone() };
        let hooks = Hooks { runtime: self.clone(), options, rules };
        tokio::spawn(hooks.go_on());
    }
}

impl Hooks {
    async fn go_on(self) {
        let clock = Arc::clone(&self.runtime.shared.outside.clock);
        let mut stopping = self.runtime.shared.stopping.subscribe();
        let mut look_at = clock.now();
        loop {
            if *stopping.borrow() {
                return;
            }
            // To its end, as the task for time: what was stored has to become true.
            let next = self.take_up_waiting().await;
            if clock.now() >= look_at {
                self.look().await;
                look_at = clock.now().plus_ms(LOOK_INTERVAL_MS);
            }
            let next = next.unwrap_or_else(|error| {
                tracing::error!(%error, "deliveries cannot be read or written; trying on");
                Some(clock.now().plus_ms(RETRY_MS))
            });
            let wake = next.map_or(look_at, |next| next.min(look_at));
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = self.options.deliveries.arrived() => {}
                () = clock.sleep_until(wake) => {}
            }
        }
    }

    /// Takes up what waits, in order; when the next one may be tried.
    async fn take_up_waiting(&self) -> Result<Option<Timestamp>, JournalError> {
        let clock = &self.runtime.shared.outside.clock;
        let deliveries = &self.options.deliveries;
        while !*self.runtime.shared.stopping.borrow()
            && let Some((delivery, body)) = deliveries.next(clock.now()).await?
        {
            let settlement = self.settlement(&delivery, &body, clock.now()).await;
            deliveries.settle(delivery.number, settlement, clock.now()).await?;
        }
        deliveries.next_time().await
    }

    async fn settlement(&self, delivery: &Delivery, body: &[u8], now: Timestamp) -> Settlement {
        let over = |state, outcome| Settlement::Settled { state, outcome };
        let event = match github::read(&delivery.event, body) {
            Ok(Reading::Event(event)) => event,
            Ok(Reading::Ping) => return over(DeliveryState::Done, "the forge reaches this host".to_owned()),
            Ok(Reading::Ignored(why)) => return over(DeliveryState::Ignored, why),
            Err(refused) => return over(DeliveryState::Failed, refused.to_string()),
        };
        // A replay is another reason to act than the delivery was: who asks for it wants it done again.
        let from = match delivery.replays {
            0 => format!("delivery {}", delivery.id),
            replays => format!("delivery {} replay {replays}", delivery.id),
        };
        match self.take_up(&event, &from).await {
            Ok(Followed::Done(what)) => over(DeliveryState::Done, what),
            Ok(Followed::Nothing(why)) => over(DeliveryState::Ignored, why),
            Ok(Followed::Later(why)) => again(delivery, why, now),
            Err(
                error
                @ (ServiceError::Unavailable(_) | ServiceError::Internal(_) | ServiceError::Conflict(_)),
            ) => again(delivery, error.to_string(), now),
            Err(error) => over(DeliveryState::Failed, error.to_string()),
        }
    }
}

/// Tried again, later every time, until it was tried often enough.
fn again(delivery: &Delivery, why: String, now: Timestamp) -> Settlement {
    let tries = delivery.tries.saturating_add(1);
    if tries >= TRIES_MAX {
        let outcome = format!("given up after {tries} tries: {why}");
        return Settlement::Settled { state: DeliveryState::Failed, outcome };
    }
    let factor = 4_u64.saturating_pow(delivery.tries);
    Settlement::Again { why, at: now.plus_ms(RETRY_MS.saturating_mul(factor).min(RETRY_MS_MAX)) }
}
