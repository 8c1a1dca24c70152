//! Webhooks of a forge: who sent a delivery is told by its signature alone, and it is acknowledged when it is durable.

use crate::extract::read_within;
use crate::problem::{self, Problem};
use crate::state::AppState;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use lockstep_ports::{Clock, Deliveries, DeliveryError, NewDelivery, Secret, Taken};
use serde::Serialize;
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;

/// Largest payload: GitHub sends none larger than 25 MB.
const PAYLOAD_MAX: usize = 25 * 1024 * 1024;

/// How long a payload may take to arrive: GitHub itself gives a delivery up after ten seconds.
const PAYLOAD_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest id of a delivery: GitHub's have 36 characters.
const ID_MAX: usize = 128;

/// Longest name of an event: GitHub's longest has 40 characters.
const EVENT_MAX: usize = 64;

const SIGNATURE: &str = "x-hub-signature-256";
const DELIVERY: &str = "x-github-delivery";
const EVENT: &str = "x-github-event";

/// What webhooks are taken with.
#[derive(Clone)]
pub struct Hooks {
    /// Where deliveries are kept.
    pub deliveries: Arc<dyn Deliveries>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What the forge signs deliveries with; none: none is taken.
    pub secret: Option<Secret>,
}

/// What a forge is told.
#[derive(Serialize)]
struct Acknowledged {
    delivery: String,
    result: &'static str,
}

/// Takes one delivery of GitHub.
pub(crate) async fn github(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let configured = state.hooks().and_then(|hooks| Some((hooks, hooks.secret.clone()?)));
    let Some((hooks, secret)) = configured else {
        let detail = "no webhook is configured: set `webhook-secret` under [github] in config.toml";
        return Err(Problem::new(problem::NOT_FOUND, detail));
    };
    let headers = request.headers();
    let signature = signature(headers)?;
    let is_plain = |c: char| c.is_ascii_graphic();
    let id = header(headers, DELIVERY, ID_MAX, is_plain)?;
    let event =
        header(headers, EVENT, EVENT_MAX, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')?;
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media.to_ascii_lowercase().starts_with("application/json") {
        let detail = "set the content type of the webhook to application/json";
        return Err(Problem::new(problem::WRONG_TYPE, detail));
    }
    // Held until the payload is stored.
    let _room = state.payload_permit()?;
    let body = read_within(request, PAYLOAD_MAX, PAYLOAD_TIME_MAX).await?;
    if !is_signed(&secret, &body, &signature) {
        let detail =
            "the signature is not that of this payload: the webhook and config.toml need the same secret";
        return Err(Problem::new(problem::UNAUTHORIZED, detail));
    }
    let (deliveries, at) = (Arc::clone(&hooks.deliveries), hooks.clock.now());
    let new = NewDelivery { id: id.clone(), event, body: body.into(), at };
    // To its end even if the forge hangs up: what is stored half is stored.
    let taken = tokio::spawn(async move { deliveries.take(new).await }).await;
    match taken {
        Ok(Ok(Taken::New)) => Ok(acknowledge(StatusCode::ACCEPTED, id, "taken")),
        Ok(Ok(Taken::Known)) => Ok(acknowledge(StatusCode::OK, id, "already taken")),
        Ok(Err(error)) => Err(not_kept(&error)),
        Err(_) => {
            Err(Problem::new(problem::INTERNAL, "the delivery ended in a fault of the host: see its log"))
        }
    }
}

/// Whatever the reason, the forge shows the delivery as failed, and it can be delivered again.
fn not_kept(error: &DeliveryError) -> Problem {
    tracing::error!(%error, "a delivery could not be kept");
    Problem::new(problem::UNAVAILABLE, format!("the delivery is not kept: {error}"))
}

fn acknowledge(status: StatusCode, delivery: String, result: &'static str) -> Response {
    (status, Json(Acknowledged { delivery, result })).into_response()
}

/// The signature a request carries.
fn signature(headers: &HeaderMap) -> Result<Vec<u8>, Problem> {
    let given = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let digits = given.and_then(|text| text.strip_prefix("sha256=")).filter(|digits| digits.len() == 64);
    let byte = |at: usize| digits.and_then(|digits| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok());
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(byte).collect();
    bytes.ok_or_else(|| {
        let detail = "X-Hub-Signature-256 is missing or no signature: give the webhook a secret";
        Problem::new(problem::UNAUTHORIZED, detail)
    })
}

/// Compares in a time that says nothing of the right signature.
fn is_signed(secret: &Secret, body: &[u8], signature: &[u8]) -> bool {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return false };
    mac.update(body);
    mac.verify_slice(signature).is_ok()
}

fn header(
    headers: &HeaderMap,
    name: &str,
    longest: usize,
    may_have: impl Fn(char) -> bool,
) -> Result<String, Problem> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if value.is_empty() || value.len() > longest || !value.chars().all(may_have) {
        let detail = format!("the header {name} is missing or not one of GitHub's");
        return Err(Problem::new(problem::INVALID, detail));
    }
    Ok(value.to_owned())
}
