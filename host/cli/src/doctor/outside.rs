//! Everybody the host is wired to, asked once.

use super::Check;
use crate::config::{HostConfig, NotifyConfig, ReleaseHealthConfig, TrackerConfig};
use crate::wiring::outside;
use lockstep_ports::{Bookmark, Bookmarks as _, Meter, NoMeter};
use lockstep_providers::BookmarkFiles;
use lockstep_providers::http::{Http, HttpOptions, HttpRequest, Retry};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How far clocks may differ: tokens of applications are refused beyond a minute.
const SKEW_MAX: Duration = Duration::from_secs(30);

/// How long somebody may take to say what time it is.
const DATE_TIME: Duration = Duration::from_secs(10);

/// What to do about somebody who cannot be asked.
const CORRECT: &str = "correct its section of config.toml, or look whether it can be reached from here";

pub(super) async fn checks(config: &HostConfig, folder: &Path) -> Vec<Check> {
    let meter = NoMeter::shared();
    let mut checks = Vec::new();
    if let Some(wired) = &config.tracker {
        checks.push(tracker(wired, &meter).await);
        checks.push(told("tracker", folder).await);
    }
    for wired in &config.release_health {
        checks.push(health(wired, &meter).await);
    }
    for wired in &config.notify {
        checks.push(notify(wired, folder, &meter).await);
    }
    checks.extend(clock(config).await);
    checks
}

async fn tracker(wired: &TrackerConfig, meter: &Arc<dyn Meter>) -> Check {
    match outside::tracker(wired, meter) {
        Err(error) => Check::failed("tracker", format!("{error:#}"), CORRECT),
        Ok(tracker) => match tracker.check().await {
            Ok(line) => Check::ok("tracker", line),
            Err(error) => Check::failed("tracker", error.message, CORRECT),
        },
    }
}

async fn health(wired: &ReleaseHealthConfig, meter: &Arc<dyn Meter>) -> Check {
    let name = match wired.repository() {
        Some(path) => format!("release-health of {}", path.display()),
        None => "release-health".to_owned(),
    };
    match outside::health(wired, meter) {
        Err(error) => Check::failed(name, format!("{error:#}"), CORRECT),
        Ok((_, source)) => match source.check().await {
            Ok(line) => Check::ok(name, line),
            Err(line) => Check::failed(name, line, CORRECT),
        },
    }
}

/// Nobody is sent a message only to see whether it arrives: what the last ones came to is known.
async fn notify(wired: &NotifyConfig, folder: &Path, meter: &Arc<dyn Meter>) -> Check {
    match outside::endpoint(wired, "http://127.0.0.1", meter) {
        Err(error) => Check::failed(format!("notify {}", wired.name), format!("{error:#}"), CORRECT),
        Ok(_) => told(&wired.name, folder).await,
    }
}

async fn told(listener: &str, folder: &Path) -> Check {
    let name = if listener == "tracker" { "ticket updates".to_owned() } else { format!("notify {listener}") };
    match BookmarkFiles::new(folder).load(listener).await {
        Err(error) => Check::failed(name, error, "remove that file: it is told of what comes from then on"),
        Ok(None) => Check::ok(name, "was told nothing yet"),
        Ok(Some(bookmark)) => judge(name, &bookmark),
    }
}

fn judge(name: String, bookmark: &Bookmark) -> Check {
    let Bookmark { delivered, given_up, last_success, failing, .. } = bookmark;
    let last = last_success.map(|at| format!(", the last at {at}")).unwrap_or_default();
    let lost = if *given_up > 0 { format!(", {given_up} given up") } else { String::new() };
    let found = format!("{delivered} taken{last}{lost}");
    match failing {
        Some((since, why)) => {
            let next = "correct its address, or make it answer: messages wait for about a day";
            Check::failed(name, format!("takes none since {since}: {why}; {found}"), next)
        }
        None => Check::ok(name, found),
    }
}

/// The clock of somebody outside against ours.
async fn clock(config: &HostConfig) -> Option<Check> {
    let tracker = config.tracker.as_ref().map(|wired| match wired {
        TrackerConfig::Github { url, .. } | TrackerConfig::Linear { url, .. } => url,
    });
    let health = config.release_health.iter().map(|wired| match wired {
        ReleaseHealthConfig::Http { url, .. } | ReleaseHealthConfig::Datadog { url, .. } => url,
    });
    let url = tracker.into_iter().chain(health).next()?;
    let mut options = HttpOptions::new("clock", url);
    (options.retry, options.time) = (Retry::NEVER, DATE_TIME);
    let answer = Http::new(options).ok()?.send(&HttpRequest::get("")).await.ok()?;
    let there = answer.date()?;
    let now = SystemTime::now();
    let apart = now.duration_since(there).unwrap_or_else(|error| error.duration());
    Some(if apart > SKEW_MAX {
        let found = format!("{} s apart from that of {url}", apart.as_secs());
        Check::warning("clock", found, "set the clock of this machine, by NTP")
    } else {
        Check::ok("clock", "as it is elsewhere")
    })
}

#[cfg(test)]
mod tests {
    use super::judge;
    use lockstep_ports::Bookmark;
    use lockstep_types::Timestamp;

    #[test]
    fn a_listener_that_takes_nothing_is_told_with_why() {
        let well = Bookmark { delivered: 3, last_success: Some(Timestamp(0)), ..Bookmark::default() };
        let failing = Some((Timestamp(0), "notify: answered 500".to_owned()));
        let ill = Bookmark { delivered: 0, failing, given_up: 1, ..Bookmark::default() };
        let shown: String =
            [well, ill].iter().map(|bookmark| format!("{:?}\n", judge("a".into(), bookmark))).collect();
        expect_test::expect![[r#"
            Check { name: "a", state: Ok, found: "3 taken, the last at 1970-01-01T00:00:00.000Z", next: None }
            Check { name: "a", state: Failed, found: "takes none since 1970-01-01T00:00:00.000Z: notify: answered 500; 0 taken, 1 given up", next: Some("correct its address, or make it answer: messages wait for about a day") }
        "#]].assert_eq(&shown);
    }
}
