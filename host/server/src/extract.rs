//! Reads requests. Whatever is wrong with one becomes a [`Problem`], never an answer of the framework's own.

use crate::problem::{self, Problem};
use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::{HeaderMap, header, request::Parts};
use http_body_util::LengthLimitError;
use lockstep_types::board::WorkspaceId;
use lockstep_types::{DirSnapshot, InvalidId, RunId};
use schemars::{JsonSchema, schema_for};
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::error::Category;
use serde_json::{Map, Value};
use serde_path_to_error::{Segment, Track};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

/// Largest JSON body: the longest is a pipeline file with a description, a few ten kilobytes.
pub(crate) const JSON_BODY_MAX: usize = 1024 * 1024;

/// Largest component: an interpreter compiled to WebAssembly is about half of it.
const COMPONENT_BODY_MAX: usize = 64 * 1024 * 1024;

/// Largest bundle, as the queue of workers says to those it leases a job to.
const BUNDLE_BODY_MAX: usize = 64 * 1024 * 1024;

/// How long a body may take to arrive: the longest takes a second on loopback, a slow link gets its chance.
const BODY_TIME_MAX: Duration = Duration::from_secs(60);

/// Longest client token: a UUID has 36 characters.
const CLIENT_TOKEN_MAX: usize = 255;

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !has_type(request.headers(), |media| media == "application/json" || media.ends_with("+json")) {
            let detail = "send the body with `Content-Type: application/json`";
            return Err(Problem::new(problem::WRONG_TYPE, detail));
        }
        parse(&read(request, JSON_BODY_MAX).await?).map(Self)
    }
}

/// A JSON body that may be left out.
pub(crate) struct OptionalJsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = read(request, JSON_BODY_MAX).await?;
        if bytes.is_empty() { Ok(Self(T::default())) } else { parse(&bytes).map(Self) }
    }
}

/// A JSON body whose fields are those of `R`, with those of `H` beside them. Both are read by themselves, because a
/// flattened structure would no longer know where in the body something is wrong.
pub(crate) struct FlatBody<H, R>(pub(crate) H, pub(crate) R);

impl<S, H, R> FromRequest<S> for FlatBody<H, R>
where
    S: Send + Sync,
    H: DeserializeOwned + JsonSchema,
    R: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonBody(mut rest) = JsonBody::<Map<String, Value>>::from_request(request, state).await?;
        let names = schema_for!(H);
        let names = names.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let head: Map<String, Value> = names.filter_map(|name| rest.remove_entry(name)).collect();
        Ok(Self(typed(Value::Object(head))?, typed(Value::Object(rest))?))
    }
}

/// A body that the handler reads itself, once it may.
pub(crate) struct Late<B> {
    pub(crate) request: Request,
    body: PhantomData<fn() -> B>,
}

impl<S: Send + Sync, B> FromRequest<S> for Late<B> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        Ok(Self { request, body: PhantomData })
    }
}

/// The `Last-Event-ID` header, with which a reader of the event stream comes back.
pub(crate) struct LastEventId(pub(crate) Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(id) = parts.headers.get("last-event-id") else { return Ok(Self(None)) };
        let id = id.to_str().ok().and_then(|text| text.trim().parse().ok());
        let invalid = || Problem::new(problem::INVALID, "`Last-Event-ID` must be a position of the feed");
        id.ok_or_else(invalid).map(Some).map(Self)
    }
}

/// The bytes of a component.
pub(crate) struct ComponentBody(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for ComponentBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !has_type(request.headers(), |media| media == "application/wasm") {
            let detail = "send the component's bytes with `Content-Type: application/wasm`";
            return Err(Problem::new(problem::WRONG_TYPE, detail));
        }
        read(request, COMPONENT_BODY_MAX).await.map(Self)
    }
}

/// A directory in the form it is kept in.
pub(crate) struct DirBody(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for DirBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !has_type(request.headers(), |media| media == DirSnapshot::MEDIA_TYPE) {
            let detail = format!("send the directory with `Content-Type: {}`", DirSnapshot::MEDIA_TYPE);
            return Err(Problem::new(problem::WRONG_TYPE, detail));
        }
        read(request, DirSnapshot::ENCODED_MAX).await.map(Self)
    }
}

/// Commits in a git bundle.
pub(crate) struct BundleBody(pub(crate) Bytes);

impl BundleBody {
    pub(crate) const MEDIA_TYPE: &str = "application/x-git-bundle";
}

impl<S: Send + Sync> FromRequest<S> for BundleBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !has_type(request.headers(), |media| media == Self::MEDIA_TYPE) {
            let detail = format!("send the bundle with `Content-Type: {}`", Self::MEDIA_TYPE);
            return Err(Problem::new(problem::WRONG_TYPE, detail));
        }
        read(request, BUNDLE_BODY_MAX).await.map(Self)
    }
}

/// Parameters of the query.
pub(crate) struct QueryOf<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::from_request_parts(parts, state).await;
        query.map(|Query(query)| Self(query)).map_err(|rejection| {
            let why = rejection.body_text();
            let why = why.strip_prefix("Failed to deserialize query string: ").unwrap_or(&why);
            Problem::new(problem::INVALID, format!("the query cannot be read: {why}"))
        })
    }
}

/// Parameters of the path.
pub(crate) struct PathOf<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(path)| Self(path))
            .map_err(|rejection| Problem::new(problem::NOT_FOUND, rejection.body_text()))
    }
}

/// The run a path names.
pub(crate) struct PathRun(pub(crate) RunId);

impl<S: Send + Sync> FromRequestParts<S> for PathRun {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let PathOf(text) = PathOf::<String>::from_request_parts(parts, state).await?;
        run_id(&text).map(Self)
    }
}

/// Reads a run id of a path; what cannot be one names no run.
pub(crate) fn run_id(text: &str) -> Result<RunId, Problem> {
    text.parse().map_err(|error| Problem::new(problem::NOT_FOUND, format!("no such run: {error}")))
}

/// The board a path names.
pub(crate) struct PathBoard(pub(crate) WorkspaceId);

impl<S: Send + Sync> FromRequestParts<S> for PathBoard {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let PathOf(text) = PathOf::<String>::from_request_parts(parts, state).await?;
        board_id(&text).map(Self)
    }
}

/// The board a path names, and something on it.
pub(crate) struct PathOn<T>(pub(crate) WorkspaceId, pub(crate) T);

impl<S: Send + Sync, T: FromStr<Err = InvalidId> + Send> FromRequestParts<S> for PathOn<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let PathOf((board, id)) = PathOf::<(String, String)>::from_request_parts(parts, state).await?;
        Ok(Self(board_id(&board)?, board_id(&id)?))
    }
}

/// Reads an id of a path; what cannot be one names nothing.
pub(crate) fn board_id<T: FromStr<Err = InvalidId>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: InvalidId| {
        let what = error.what.trim_end_matches(" id");
        Problem::new(problem::NOT_FOUND, format!("no such {what}: {error}"))
    })
}

/// Says of a route that its answer holds a secret: it is not kept for a request that comes again.
pub(crate) struct SecretAnswer;

impl<S: Send + Sync> FromRequestParts<S> for SecretAnswer {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// The `Idempotency-Key` header.
pub(crate) struct ClientToken(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for ClientToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let visible = |byte: u8| byte.is_ascii_graphic();
        let token = value.to_str().ok().map(|text| text.trim().trim_matches('"'));
        match token {
            Some(token) if (1..=CLIENT_TOKEN_MAX).contains(&token.len()) && token.bytes().all(visible) => {
                Ok(Self(Some(token.to_owned())))
            }
            _ => {
                let detail =
                    format!("`Idempotency-Key` must be 1 to {CLIENT_TOKEN_MAX} visible ASCII characters");
                Err(Problem::new(problem::INVALID, detail))
            }
        }
    }
}

fn has_type(headers: &HeaderMap, accepted: impl Fn(&str) -> bool) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted(&media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

pub(crate) async fn read(request: Request, limit: usize) -> Result<Bytes, Problem> {
    read_within(request, limit, BODY_TIME_MAX).await
}

/// The body of a request, bounded in size and in the time it may take to arrive.
pub(crate) async fn read_within(request: Request, limit: usize, time: Duration) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("the body is larger than {limit} bytes, the most this route takes");
        Problem::new(problem::TOO_LARGE, detail)
    };
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|text| text.parse::<u64>().ok()).is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(time, to_bytes(request.into_body(), limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_limit(&error) => Err(too_large()),
        Ok(Err(error)) => Err(Problem::new(problem::UNPARSABLE, format!("the body cannot be read: {error}"))),
        Err(_) => Err(Problem::new(problem::TOO_SLOW, "the body did not arrive in time: send it again")),
    }
}

fn is_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.is::<LengthLimitError>())
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = checked(&mut reader)?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    checked(value)
}

/// Reads a body. Types that are stored, too, pass over fields they do not know; a body may have none.
fn checked<'de, T, D>(reader: D) -> Result<T, Problem>
where
    T: DeserializeOwned,
    D: Deserializer<'de, Error = serde_json::Error>,
{
    let (mut track, mut unknown) = (Track::new(), None);
    let value = {
        let tracked = serde_path_to_error::Deserializer::new(reader, &mut track);
        let mut note = |path: serde_ignored::Path<'_>| {
            unknown.get_or_insert_with(|| ignored(&path));
        };
        T::deserialize(serde_ignored::Deserializer::new(tracked, &mut note))
    };
    let value = value.map_err(|error| match error.classify() {
        Category::Data => not_taken(&track.path(), error.to_string()),
        _ => not_json(&error),
    })?;
    match unknown {
        Some((pointer, name)) => Err(at(pointer, format!("unknown field `{name}`"))),
        None => Ok(value),
    }
}

/// The JSON Pointer of a field that nobody read, and its name.
fn ignored(path: &serde_ignored::Path<'_>) -> (String, String) {
    use serde_ignored::Path as P;
    let (parent, name) = match path {
        P::Root => return (String::new(), String::new()),
        P::Seq { parent, index } => (parent, index.to_string()),
        P::Map { parent, key } => (parent, key.clone()),
        P::Some { parent } | P::NewtypeStruct { parent } | P::NewtypeVariant { parent } => {
            return ignored(parent);
        }
    };
    (format!("{}/{}", ignored(parent).0, escaped(&name)), name)
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(problem::UNPARSABLE, format!("the body is not JSON: {error}"))
}

fn not_taken(path: &serde_path_to_error::Path, why: String) -> Problem {
    at(pointer(path, &why), why)
}

fn at(pointer: String, why: String) -> Problem {
    let place = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
    let detail = format!("the body is not what this route takes{place}: {why}");
    Problem::new(problem::INVALID, detail).at(pointer, why)
}

/// The JSON Pointer of what an error is about. A field that is missing or unknown is named by the error alone.
fn pointer(path: &serde_path_to_error::Path, why: &str) -> String {
    let mut pointer = String::new();
    let mut last = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => last = index.to_string(),
            Segment::Map { key } => last = escaped(key),
            Segment::Enum { variant } => last.clone_from(variant),
            Segment::Unknown => continue,
        }
        pointer.push('/');
        pointer.push_str(&last);
    }
    let named = ["missing field `", "unknown field `"].iter().find_map(|before| why.strip_prefix(before));
    match named.and_then(|rest| rest.split_once('`')) {
        Some((name, _)) if escaped(name) != last => format!("{pointer}/{}", escaped(name)),
        _ => pointer,
    }
}
