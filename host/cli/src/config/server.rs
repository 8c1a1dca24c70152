use serde::Deserialize;

/// `[server]`: how the host is reached.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerConfig {
    /// The address under which people reach it: `https://lockstep.example.com`; none: where it listens.
    pub(crate) origin: Option<String>,
    /// Who may read `/metrics`.
    pub(crate) metrics: MetricsAccess,
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
    pub(super) fn check(&self) -> Result<(), String> {
        match &self.origin {
            Some(origin) if !origin.starts_with("https://") && !origin.starts_with("http://") => {
                Err(format!(" the origin {origin:?} of the server must begin with https:// or http://"))
            }
            _ => Ok(()),
        }
    }
}
