//! Who a request comes from, as a guard found out before any route.

use crate::problem::{self, Problem};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

/// What somebody may do; each role may do all that the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Look.
    Viewer,
    /// Start, stop, answer, and change boards.
    Operator,
    /// Change what the host runs, and who may speak to it.
    Admin,
}

/// Whoever sent a request. A guard leaves it in the request's extensions; a handler takes it as an argument.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "there is one token yet, which may do everything")]
pub(crate) struct Identity {
    /// The name that goes into journals and the audit.
    pub(crate) name: String,
    pub(crate) role: Role,
    /// What a form on a page must send along; empty where no page was served.
    pub(crate) csrf: String,
}

impl Role {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let known = parts.extensions.get::<Self>().cloned();
        known.ok_or_else(|| Problem::new(problem::UNAUTHORIZED, "nobody is known to have sent this"))
    }
}
