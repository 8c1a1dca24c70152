use super::SecretSource;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `[telemetry]`: where traces go.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TelemetryConfig {
    /// Address of a collector that takes OTLP over HTTP: `http://127.0.0.1:4318`.
    pub(crate) otlp: Option<String>,
    /// Headers it wants, as an API key.
    pub(crate) headers: BTreeMap<String, SecretSource>,
    /// Whether it may be spoken to without TLS beyond this machine.
    pub(crate) allow_plain: bool,
    /// Share of traces that are sent, 0 to 1; none: all.
    pub(crate) sample: Option<f64>,
}

impl TelemetryConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        match self.sample {
            Some(share) if !(0.0..=1.0).contains(&share) => {
                Err(format!(" the sample {share} of telemetry must be 0 to 1"))
            }
            _ => Ok(()),
        }
    }
}
