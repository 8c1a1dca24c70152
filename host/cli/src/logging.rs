use std::io;
use tracing_subscriber::EnvFilter;

/// Sends what the rooms log to stderr; `LOCKSTEP_LOG` says what (`info`, `lockstep_runtime=debug`), by default
/// warnings and errors.
pub(crate) fn begin() {
    let filter = EnvFilter::try_from_env("LOCKSTEP_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A subscriber that is already there is as good.
    subscriber.with_ansi(std::env::var_os("NO_COLOR").is_none()).try_init().unwrap_or_default();
}
