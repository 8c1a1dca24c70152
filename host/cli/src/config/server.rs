use lockstep_server::{Limits, Origin};
use serde::Deserialize;

/// Most streams that may be allowed: each holds a connection, of which there are 256.
const STREAMS_MAX: usize = 200;

/// `[server]`: how the server is reached, and how much may be asked of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerConfig {
    /// The address browsers know it by, where a proxy that speaks TLS stands before it: `https://steps.example.com`.
    pub(crate) origin: Option<String>,
    /// Who may read `/metrics`.
    pub(crate) metrics: MetricsAccess,
    /// Requests a minute of one token, session, or address.
    requests_per_minute: Option<u32>,
    /// The same at once.
    request_burst: Option<u32>,
    /// Event streams open at once.
    streams: Option<usize>,
    /// The same of one token or session.
    streams_per_token: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MetricsAccess {
    /// Whoever has a token.
    #[default]
    Token,
    /// Everybody who reaches the host.
    Open,
}

impl ServerConfig {
    /// The limits, as far as nothing else is said the usual ones.
    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::default();
        let streams = self.streams.unwrap_or(usual.streams);
        Limits {
            requests_per_minute: self.requests_per_minute.unwrap_or(usual.requests_per_minute),
            request_burst: self.request_burst.unwrap_or(usual.request_burst),
            streams,
            streams_each: self.streams_per_token.unwrap_or(usual.streams_each).min(streams),
        }
    }

    /// Says what cannot be meant.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(origin) = &self.origin {
            Origin::parse(origin).map_err(|why| format!(" `origin` of [server]: {why}"))?;
        }
        let counts = [
            ("requests_per_minute", self.requests_per_minute.map(u64::from), u64::from(u32::MAX)),
            ("request_burst", self.request_burst.map(u64::from), u64::from(u32::MAX)),
            ("streams", self.streams.map(|n| n as u64), STREAMS_MAX as u64),
            ("streams_per_token", self.streams_per_token.map(|n| n as u64), STREAMS_MAX as u64),
        ];
        for (name, count, most) in counts {
            if count.is_some_and(|count| count == 0 || count > most) {
                return Err(format!(" `{name}` of [server] must be 1 to {most}"));
            }
        }
        Ok(())
    }
}
