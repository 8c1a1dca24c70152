use clap::ValueEnum;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

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
pub(crate) fn begin(format: LogFormat) {
    let filter = EnvFilter::try_from_env("LOCKSTEP_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let colours = std::env::var_os("NO_COLOR").is_none() && io::stderr().is_terminal();
    // A subscriber that is already there is as good.
    match format {
        LogFormat::Text => subscriber.with_ansi(colours).try_init().unwrap_or_default(),
        LogFormat::Json => subscriber.json().with_span_list(true).try_init().unwrap_or_default(),
    }
}
