//! Who a request comes from, as a guard found out before any route.

use crate::problem::{self, Problem};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::ops::Deref;
use std::sync::Arc;

pub(crate) use lockstep_types::Role;

/// Whoever sent a request. A guard leaves it in the request's extensions; a handler takes it as an argument where it shows
/// it. What they may do, see, and in whose name they act, is asked behind every service.
#[derive(Clone, Debug)]
pub(crate) struct Identity(pub(crate) Arc<lockstep_access::Identity>);

impl Deref for Identity {
    type Target = lockstep_access::Identity;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let known = parts.extensions.get::<Self>().cloned();
        known.ok_or_else(|| Problem::new(problem::UNAUTHORIZED, "nobody is known to have sent this"))
    }
}
