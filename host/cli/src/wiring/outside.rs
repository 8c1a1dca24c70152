//! What `config.toml` wires the host to, beside what every host has.

use crate::config::{
    Address, Format, HostConfig, NotifyConfig, ReleaseHealthConfig, TelemetryConfig, TrackerConfig,
};
use anyhow::Context;
use lockstep_ports::{BoardService, Effects, Listener, Meter, Observations, Tracker};
use lockstep_providers::http::{Http, HttpOptions, HttpRequest, Retry};
use lockstep_providers::{
    Datadog, GithubIssues, HealthPage, HealthSource, LinearIssues, NotifyEndpoint, NotifyFormat,
    TicketUpdates, TrackedEffects, WatchedReleases,
};
use lockstep_telemetry::{Post, Traces};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long somebody who is told something may take to take it.
const NOTIFY_TIME: Duration = Duration::from_secs(20);

/// How long a look at a release may take: a run does nothing else meanwhile.
const HEALTH_TIME: Duration = Duration::from_secs(20);

/// How long a collector may take.
const TRACES_TIME: Duration = Duration::from_secs(5);

/// Largest health report.
const HEALTH_MAX: usize = 1 << 20;

/// The tracker of a configuration.
///
/// # Errors
/// Its token is not to be had, or its address is none.
pub(crate) fn tracker(config: &TrackerConfig, meter: &Arc<dyn Meter>) -> anyhow::Result<Arc<dyn Tracker>> {
    match config {
        TrackerConfig::Github { repository, token, labels, url } => {
            let token = token.read().context("[tracker]")?;
            let options = HttpOptions::new("github", url).metered(meter);
            let http = Http::new(options.secret("authorization", "Bearer ", &token)?)?;
            Ok(Arc::new(GithubIssues::new(http, repository.clone(), labels.clone())))
        }
        TrackerConfig::Linear { team, token, url } => {
            let token = token.read().context("[tracker]")?;
            let options = HttpOptions::new("linear", url).metered(meter);
            // A key of a person goes as it is, a token of an application as a bearer token.
            let before = if token.expose().starts_with("lin_api_") { "" } else { "Bearer " };
            let http = Http::new(options.secret("authorization", before, &token)?)?;
            Ok(Arc::new(LinearIssues::new(http, team.clone())))
        }
    }
}

/// What tells of releases, and for which repository.
///
/// # Errors
/// A secret is not to be had, or an address is none.
pub(crate) fn health(
    config: &ReleaseHealthConfig,
    meter: &Arc<dyn Meter>,
) -> anyhow::Result<(Option<PathBuf>, HealthSource)> {
    let options = |service, url: &str| {
        let mut options = HttpOptions::new(service, url).metered(meter);
        options.time = HEALTH_TIME;
        options.answer_max = HEALTH_MAX;
        options
    };
    let source = match config {
        ReleaseHealthConfig::Http { url, evidence_url, token, .. } => {
            let token = token.as_ref().map(|token| token.read().context("[[release-health]]")).transpose()?;
            let client = |url: &str| -> anyhow::Result<Http> {
                let options = options("release-health", url);
                Ok(Http::new(match &token {
                    Some(token) => options.secret("authorization", "Bearer ", token)?,
                    None => options,
                })?)
            };
            HealthSource::Page(HealthPage::new(
                client(url)?,
                evidence_url.as_deref().map(client).transpose()?,
            ))
        }
        ReleaseHealthConfig::Datadog { api_key, app_key, monitors, monitor_tags, slos, url, .. } => {
            let (api, app) = (api_key.read(), app_key.read());
            let options = options("datadog", url)
                .secret("dd-api-key", "", &api.context("[[release-health]]")?)?
                .secret("dd-application-key", "", &app.context("[[release-health]]")?)?;
            let http = Http::new(options)?;
            HealthSource::Datadog(Datadog::new(http, monitors.clone(), monitor_tags.clone(), slos.clone()))
        }
    };
    Ok((config.repository().cloned(), source))
}

/// Somebody who is told what happens; `origin` is where people reach the host.
///
/// # Errors
/// A secret is not to be had, or the address is none.
pub(crate) fn endpoint(
    config: &NotifyConfig,
    origin: &str,
    meter: &Arc<dyn Meter>,
) -> anyhow::Result<NotifyEndpoint> {
    let place = || format!("[[notify]] {}", config.name);
    let url = match &config.url {
        Address::Plain(url) => url.clone(),
        Address::Secret(source) => source.read().with_context(place)?.expose().to_owned(),
    };
    let secret = config.secret.as_ref().map(|source| source.read().with_context(place)).transpose()?;
    let format = match config.format {
        Format::Json => NotifyFormat::Json(secret),
        Format::Slack => NotifyFormat::Slack,
    };
    let mut options = HttpOptions::new("notify", url).metered(meter);
    options.time = NOTIFY_TIME;
    options.allow_plain = config.allow_plain;
    // Slack's address is a key; what others put into theirs nobody knows.
    options.is_secret = true;
    // Who follows the feed tries again by itself, and keeps count.
    options.retry = Retry::NEVER;
    let http = Http::new(options)?;
    Ok(NotifyEndpoint::new(http, config.name.clone(), format, config.on.clone(), origin))
}

/// Traces to the collector that is wired; none if none is.
///
/// # Errors
/// A secret is not to be had, or its address is none.
pub(crate) fn traces(config: &TelemetryConfig) -> anyhow::Result<Option<Traces>> {
    let Some(otlp) = &config.otlp else { return Ok(None) };
    let url = format!("{}/v1/traces", otlp.trim_end_matches('/'));
    let mut options = HttpOptions::new("otlp", url);
    options.allow_plain = config.allow_plain;
    options.time = TRACES_TIME;
    options.retry = Retry::NEVER;
    let http = Http::new(options)?;
    let mut request = HttpRequest::post("");
    for (name, source) in &config.headers {
        request = request.secret(name, source.read().context("[telemetry]")?.expose());
    }
    let post: Post = Arc::new(move |body| {
        let (http, request) = (http.clone(), request.clone().bytes("application/x-protobuf", body));
        Box::pin(async move {
            http.send(&request).await.map(|answer| answer.status).map_err(|error| error.to_string())
        })
    });
    let share = config.sample.unwrap_or(1.0);
    Traces::new(post, share, env!("CARGO_PKG_VERSION")).map(Some).map_err(anyhow::Error::msg)
}

/// Effects with the tracker that is wired.
pub(crate) fn effects(
    config: &HostConfig,
    local: Arc<dyn Effects>,
    folder: &Path,
    meter: &Arc<dyn Meter>,
) -> anyhow::Result<Arc<dyn Effects>> {
    Ok(match &config.tracker {
        Some(wired) => Arc::new(TrackedEffects::new(local, tracker(wired, meter)?, folder)),
        None => local,
    })
}

/// Observations with the monitoring systems that are wired.
pub(crate) fn observations(
    config: &HostConfig,
    local: Arc<dyn Observations>,
    meter: &Arc<dyn Meter>,
) -> anyhow::Result<Arc<dyn Observations>> {
    let sources: Vec<_> =
        config.release_health.iter().map(|wired| health(wired, meter)).collect::<Result<_, _>>()?;
    Ok(if sources.is_empty() { local } else { Arc::new(WatchedReleases::new(local, sources)) })
}

/// Everybody who is told what happens.
pub(crate) fn listeners(
    config: &HostConfig,
    board: Arc<dyn BoardService>,
    folder: &Path,
    origin: &str,
    meter: &Arc<dyn Meter>,
) -> anyhow::Result<Vec<Arc<dyn Listener>>> {
    let mut listeners: Vec<Arc<dyn Listener>> = Vec::new();
    for wired in &config.notify {
        listeners.push(Arc::new(endpoint(wired, origin, meter)?));
    }
    if let Some(wired) = &config.tracker {
        let tracker = tracker(wired, meter)?;
        listeners.push(Arc::new(TicketUpdates::new(tracker, board, folder, origin)));
    }
    Ok(listeners)
}
