use clap::ValueEnum;
use lockstep_telemetry::Traces;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

const DEFAULT: &str = "warn,sled=off,oci_client=off,rustls_platform_verifier=off";

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Sends what the rooms log to stderr; `LOCKSTEP_LOG` says what (`info`, `lockstep_runtime=debug`), by default
/// warnings and errors. What sled and the client of a registry say of their own troubles is left out: they reach
/// whoever asked, in our words.
pub(crate) fn begin(format: LogFormat, traces: Option<&Traces>) {
    let filter = EnvFilter::try_from_env("LOCKSTEP_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let registry = tracing_subscriber::registry().with(traces.map(Traces::layer));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let colours = std::env::var_os("NO_COLOR").is_none() && io::stderr().is_terminal();
    // A subscriber that is already there is as good.
    match format {
        LogFormat::Text => registry.with(lines.with_ansi(colours).with_filter(filter)).try_init(),
        LogFormat::Json => registry.with(lines.json().with_filter(filter)).try_init(),
    }
    .unwrap_or_default();
}
