use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lockstep_ports::ServiceError;
use serde::Serialize;

/// A kind of problem: everything of it but the particular case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    code: &'static str,
    status: StatusCode,
    title: &'static str,
}

const fn kind(code: &'static str, status: StatusCode, title: &'static str) -> Kind {
    Kind { code, status, title }
}

pub(crate) const UNPARSABLE: Kind = kind("unparsable", StatusCode::BAD_REQUEST, "Cannot be parsed");
pub(crate) const UNAUTHORIZED: Kind =
    kind("unauthorized", StatusCode::UNAUTHORIZED, "Token missing or wrong");
pub(crate) const FORBIDDEN: Kind = kind("forbidden", StatusCode::FORBIDDEN, "Not allowed");
pub(crate) const NOT_FOUND: Kind = kind("not-found", StatusCode::NOT_FOUND, "Not found");
pub(crate) const WRONG_METHOD: Kind =
    kind("wrong-method", StatusCode::METHOD_NOT_ALLOWED, "Method not allowed here");
pub(crate) const TOO_SLOW: Kind = kind("too-slow", StatusCode::REQUEST_TIMEOUT, "Request took too long");
pub(crate) const CONFLICT: Kind = kind("conflict", StatusCode::CONFLICT, "Not possible now");
pub(crate) const TOO_LARGE: Kind = kind("too-large", StatusCode::PAYLOAD_TOO_LARGE, "Body too large");
pub(crate) const WRONG_TYPE: Kind =
    kind("wrong-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content type not understood");
pub(crate) const WRONG_HOST: Kind =
    kind("wrong-host", StatusCode::MISDIRECTED_REQUEST, "Not a name of this host");
pub(crate) const INVALID: Kind = kind("invalid", StatusCode::UNPROCESSABLE_ENTITY, "Invalid request");
pub(crate) const INTERNAL: Kind = kind("internal", StatusCode::INTERNAL_SERVER_ERROR, "Fault of the host");
pub(crate) const UNAVAILABLE: Kind =
    kind("unavailable", StatusCode::SERVICE_UNAVAILABLE, "Not available now");
pub(crate) const BUSY: Kind = kind("busy", StatusCode::SERVICE_UNAVAILABLE, "Too much at once");

/// Seconds after which a client may come back when the host was busy or not available.
const RETRY_AFTER_S: &str = "1";

/// An error as every route answers it (RFC 9457).
#[derive(Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

impl Problem {
    pub(crate) fn status(&self) -> StatusCode {
        self.kind.status
    }

    pub(crate) fn title(&self) -> &'static str {
        self.kind.title
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The problem document as one line of JSON, for an event stream that has to end with it.
    pub(crate) fn to_line(&self) -> String {
        serde_json::to_string(&self.document()).unwrap_or_default()
    }

    fn document(&self) -> Document<'_> {
        Document {
            r#type: format!("urn:lockstep:problem:{}", self.kind.code),
            title: self.kind.title,
            status: self.kind.status.as_u16(),
            detail: &self.detail,
            code: self.kind.code,
        }
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::NotFound(detail) => Self::new(NOT_FOUND, detail),
            ServiceError::Conflict(detail) => Self::new(CONFLICT, detail),
            ServiceError::Invalid(detail) => Self::new(INVALID, detail),
            ServiceError::Unavailable(detail) => Self::new(UNAVAILABLE, detail),
            ServiceError::Internal(detail) => {
                tracing::error!(detail, "a request failed");
                Self::new(INTERNAL, detail)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.kind.status, Json(self.document())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.kind.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
            }
            _ => {}
        }
        response
    }
}
