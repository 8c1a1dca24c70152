//! States of what can be edited. A tag has two parts: the first is made of what people edit, the second of all that is
//! shown. A change is held against the first, so that one is not refused because the host moved the item on meanwhile.

use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use lockstep_ports::ItemView;
use lockstep_types::Digest;
use lockstep_types::board::{Item, PipelineDef, Preset, Schedule, Settings};
use serde::Serialize;
use serde_json::Value;

/// Most tags of one header: nobody has read more states than that.
const TAGS_MAX: usize = 16;

/// What people edit, among fields that change by themselves.
pub(crate) trait Edited: Serialize {
    /// Fields that only the host changes.
    const OF_THE_HOST: &'static [&'static str];
}

impl Edited for Item {
    const OF_THE_HOST: &'static [&'static str] =
        &["status", "current_run", "pull_request", "documents", "environments", "notices", "updated_at"];
}

impl Edited for ItemView {
    const OF_THE_HOST: &'static [&'static str] = &[
        "status",
        "current_run",
        "pull_request",
        "documents",
        "environments",
        "notices",
        "updated_at",
        "run",
        "cards",
    ];
}

impl Edited for Preset {
    const OF_THE_HOST: &'static [&'static str] = &[];
}

impl Edited for PipelineDef {
    const OF_THE_HOST: &'static [&'static str] = &["updated_at"];
}

impl Edited for Schedule {
    const OF_THE_HOST: &'static [&'static str] = &["next_run", "late_minutes", "last_run", "runs"];
}

impl Edited for Settings {
    const OF_THE_HOST: &'static [&'static str] = &[];
}

/// The tag of a row: `"what-is-edited.all-of-it"`.
fn tag<T: Edited>(row: &T) -> String {
    let whole = serde_json::to_value(row).unwrap_or_default();
    format!("\"{}.{}\"", edited_part(row), Digest::of(whole.to_string().as_bytes()).short())
}

fn edited_part<T: Edited>(row: &T) -> String {
    let mut fields = serde_json::to_value(row).unwrap_or_default();
    if let Value::Object(fields) = &mut fields {
        fields.retain(|name, _| !T::OF_THE_HOST.contains(&name.as_str()));
    }
    Digest::of(fields.to_string().as_bytes()).short()
}

/// A row with its tag, or that it is as the client knows it.
pub(crate) struct Tagged<T>(pub(crate) T, pub(crate) IfNoneMatch);

impl<T: Edited> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let Self(row, IfNoneMatch(known)) = self;
        let tag = tag(&row);
        let same = known.is_some_and(|known| known.iter().any(|known| known == "*" || *known == tag));
        let mut response =
            if same { StatusCode::NOT_MODIFIED.into_response() } else { Json(row).into_response() };
        if let Ok(tag) = HeaderValue::try_from(tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// The states a client knows, for a `GET`.
pub(crate) struct IfNoneMatch(Option<Vec<String>>);

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Weak and strong tags are the same here (RFC 9110, 13.1.2).
        let known = tags(&parts.headers, &header::IF_NONE_MATCH)?;
        let strong = |tag: String| tag.strip_prefix("W/").map_or_else(|| tag.clone(), ToOwned::to_owned);
        Ok(Self(known.map(|known| known.into_iter().map(strong).collect())))
    }
}

/// The state a client means to change.
pub(crate) struct IfMatch(Option<Vec<String>>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        tags(&parts.headers, &header::IF_MATCH).map(Self)
    }
}

impl IfMatch {
    /// Whether anything is asked for.
    pub(crate) fn is_any(&self) -> bool {
        self.0.is_some()
    }

    /// Refuses to go on if `row` is in another state.
    pub(crate) fn check<T: Edited>(&self, row: &T) -> Result<(), Problem> {
        let Some(wanted) = &self.0 else { return Ok(()) };
        let now = edited_part(row);
        let is_now = |tag: &String| {
            tag == "*" || tag.trim_matches('"').split('.').next().is_some_and(|edited| edited == now)
        };
        if wanted.iter().any(is_now) {
            return Ok(());
        }
        let detail = "it was changed since it was read: read it again, and decide again";
        Err(Problem::new(problem::PRECONDITION_FAILED, detail))
    }
}

/// The tags of a header: `*`, or quoted ones with commas between them.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Vec<String>>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let is_tag = |tag: &&str| {
        let opaque = tag.strip_prefix("W/").unwrap_or(tag);
        *tag == "*" || (opaque.len() > 1 && opaque.starts_with('"') && opaque.ends_with('"'))
    };
    let text = value.to_str().unwrap_or_default();
    let tags: Vec<&str> = text.split(',').map(str::trim).collect();
    if tags.len() > TAGS_MAX || !tags.iter().all(is_tag) {
        let detail = format!("`{name}` must be `*`, or at most {TAGS_MAX} values of `ETag`");
        return Err(Problem::new(problem::INVALID, detail));
    }
    Ok(Some(tags.into_iter().map(str::to_owned).collect()))
}
