//! Answers a request that comes again under its `Idempotency-Key` as it was answered the first time.

use super::{Asked, Repeats};
use crate::AppState;
use crate::extract::{ClientToken, JSON_BODY_MAX, read};
use crate::identity::Identity;
use crate::problem::{self, Problem};
use crate::replies::{BODY_MAX, Begun, Repeat};
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use lockstep_access::carried;
use lockstep_ports::ReplyAnswer;
use lockstep_types::Digest;

/// Headers that belong to an answer; the others are made anew for each.
const HEADERS: [HeaderName; 4] = [header::CONTENT_TYPE, header::ETAG, header::LOCATION, header::RETRY_AFTER];

/// The header that carries a key.
const KEY: &str = "idempotency-key";

/// Says that an answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub(super) async fn once(
    State((state, asked)): State<(AppState, Asked)>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if !request.headers().contains_key(KEY) {
        return Ok(next.run(request).await);
    }
    match asked.repeats {
        Repeats::Anyhow => Ok(next.run(request).await),
        Repeats::Once => under_its_key(state, request, next, false).await,
        Repeats::WithItsOwn => under_its_key(state, request, next, true).await,
    }
}

/// `is_repeatable`: the handler takes the key itself, and so is carried out once however often it is asked.
async fn under_its_key(
    state: AppState,
    request: Request,
    next: Next,
    is_repeatable: bool,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let ClientToken(token) = ClientToken::from_request_parts(&mut parts, &state).await?;
    let Some(token) = token else { return Ok(next.run(Request::from_parts(parts, body)).await) };
    let sender = parts
        .extensions
        .get::<Identity>()
        .map(|sender| format!("{} {}", sender.via, sender.name))
        .unwrap_or_default();
    let key = Digest::of_parts(&[sender.as_bytes(), b"\0", token.as_bytes()]);
    let request = Request::from_parts(parts, body);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let headers = request.headers().clone();
    let extensions = request.extensions().clone();
    let bytes = read(request, JSON_BODY_MAX).await?;
    let line = format!("{method} {uri}\0");
    let asked = Digest::of_parts(&[line.as_bytes(), &bytes]);
    let mut request = Request::new(Body::from(bytes));
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    (*request.headers_mut(), *request.extensions_mut()) = (headers, extensions);
    // To the end even if the client goes away: it will come again for the answer.
    let answered = tokio::spawn(carried(async move {
        match state.repeats().begin(key, asked, is_repeatable).await? {
            Begun::Answered(answer) => Ok(again(answer)),
            Begun::New(repeat) => Ok(settled(repeat, next.run(request).await).await),
        }
    }));
    match answered.await {
        Ok(answer) => answer,
        Err(_) => {
            Err(Problem::new(problem::INTERNAL, "the request ended in a fault of the host: see its log"))
        }
    }
}

/// Keeps an answer, or lets go of the key if nothing was done.
async fn settled(repeat: Repeat, response: Response) -> Response {
    let status = response.status();
    if status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE {
        repeat.release().await;
        return response;
    }
    let (parts, body) = response.into_parts();
    // Answers are made whole, so this can only fail where one is no text, which is none of a `POST`.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Problem::new(problem::INTERNAL, "the answer could not be read").into_response();
    };
    let kept = if bytes.len() > BODY_MAX {
        too_long()
    } else {
        ReplyAnswer {
            status: status.as_u16(),
            headers: HEADERS
                .iter()
                .filter_map(|name| {
                    Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned()))
                })
                .collect(),
            body: String::from_utf8_lossy(&bytes).into_owned(),
        }
    };
    repeat.settle(kept).await;
    Response::from_parts(parts, Body::from(bytes))
}

/// What is kept of an answer that is too long.
fn too_long() -> ReplyAnswer {
    let problem =
        Problem::new(problem::KEY_UNSETTLED, "it was carried out, and its answer was too long to be kept");
    ReplyAnswer {
        status: problem::KEY_UNSETTLED.status().as_u16(),
        headers: vec![(header::CONTENT_TYPE.to_string(), problem::MEDIA_TYPE.to_owned())],
        body: problem.to_line(),
    }
}

fn again(answer: ReplyAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
