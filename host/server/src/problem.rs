use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lockstep_ports::ServiceError;
use schemars::JsonSchema;
use serde::Serialize;

/// A kind of problem: everything of it but the particular case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    code: &'static str,
    status: StatusCode,
    title: &'static str,
    meaning: &'static str,
}

impl Kind {
    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// What it says, and what to do next.
    pub(crate) const fn meaning(&self) -> &'static str {
        self.meaning
    }
}

macro_rules! kinds {
    ($($name:ident = $code:literal, $status:ident, $title:literal, $meaning:literal;)*) => {
        $(pub(crate) const $name: Kind =
            Kind { code: $code, status: StatusCode::$status, title: $title, meaning: $meaning };)*

        /// All there are. A code keeps its meaning for ever.
        pub(crate) const KINDS: &[Kind] = &[$($name),*];
    };
}

kinds! {
    UNPARSABLE = "unparsable", BAD_REQUEST, "Cannot be parsed",
        "The body is not JSON.";
    UNAUTHORIZED = "unauthorized", UNAUTHORIZED, "Token missing or wrong",
        "Send a token of this host.";
    FORBIDDEN = "forbidden", FORBIDDEN, "Role does not allow it",
        "The token is known, and its role or its workspaces do not allow this.";
    FORGED = "forged", FORBIDDEN, "Not sent by a page of this host",
        "A browser's session changes something only by a form or script of this host's own pages.";
    TOO_MANY = "too-many-requests", TOO_MANY_REQUESTS, "Too much in too short a time",
        "Try again after `Retry-After` seconds.";
    NOT_FOUND = "not-found", NOT_FOUND, "Not found",
        "There is no such path, run, item, component, …";
    WRONG_METHOD = "wrong-method", METHOD_NOT_ALLOWED, "Method not allowed here",
        "The path is there and takes other methods, which `Allow` names.";
    TOO_SLOW = "too-slow", REQUEST_TIMEOUT, "Request took too long",
        "The body did not arrive in time.";
    CONFLICT = "conflict", CONFLICT, "Not possible now",
        "What it is about is not in a state in which this can be done.";
    KEY_IN_USE = "key-in-use", CONFLICT, "Idempotency key in use",
        "The first request with this `Idempotency-Key` is still under way: ask again in a moment.";
    KEY_UNSETTLED = "key-unsettled", CONFLICT, "Answer to the idempotency key is not known",
        "The host ended while the first request with this `Idempotency-Key` was under way: look whether it was \
         carried out, and use another key.";
    KEY_REUSED = "key-reused", UNPROCESSABLE_ENTITY, "Idempotency key of another request",
        "This `Idempotency-Key` came with another request before: use a key for one request only.";
    PRECONDITION_FAILED = "precondition-failed", PRECONDITION_FAILED, "Changed since it was read",
        "`If-Match` names an older state than the stored one: read it again, and decide again.";
    LEASE_LOST = "lease-lost", CONFLICT, "Lease lost",
        "The job is no longer this worker's: end it and ask for another. Nothing was changed.";
    TOO_LARGE = "too-large", PAYLOAD_TOO_LARGE, "Body too large",
        "The body is larger than this path takes.";
    WRONG_TYPE = "wrong-type", UNSUPPORTED_MEDIA_TYPE, "Content type not understood",
        "The body has another `Content-Type` than this path takes.";
    WRONG_HOST = "wrong-host", MISDIRECTED_REQUEST, "Not a name of this host",
        "`Host` must name this machine or the origin of the server, unless it may be reached from others.";
    INVALID = "invalid", UNPROCESSABLE_ENTITY, "Invalid request",
        "A field, parameter or header has a value that is not taken; `errors` names it where it is known.";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "Fault of the host",
        "The host failed; its log says more.";
    UNAVAILABLE = "unavailable", SERVICE_UNAVAILABLE, "Not available now",
        "It may be tried again after `Retry-After` seconds.";
    BUSY = "busy", SERVICE_UNAVAILABLE, "Too much at once",
        "As much of this is under way as the host allows at once: try again after `Retry-After` seconds.";
}

/// What a problem is sent as.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Seconds after which a client may come back when the host was busy or not available.
const RETRY_AFTER_S: &str = "1";

/// An error as every route answers it (RFC 9457).
#[derive(Debug)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    /// Seconds after which to try again; none: those of its status.
    retry_after: Option<u64>,
}

/// One thing that is wrong with a body.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct FieldError {
    /// JSON Pointer of the field.
    pub(crate) pointer: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

/// A problem document (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Document<'a> {
    /// `urn:lockstep:problem:CODE`.
    r#type: String,
    /// What kind of problem it is, in words.
    title: &'a str,
    /// The status of the answer.
    status: u16,
    /// What happened, to what, and what to do next.
    detail: &'a str,
    /// What kind of problem it is, for programs.
    code: &'a str,
    /// The fields it is about, where they are known.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
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
        Self { kind, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same, about one field of the body.
    pub(crate) fn at(mut self, pointer: String, detail: String) -> Self {
        self.errors.push(FieldError { pointer, detail });
        self
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
            errors: &self.errors,
        }
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::NotFound(detail) => Self::new(NOT_FOUND, detail),
            ServiceError::Conflict(detail) => Self::new(CONFLICT, detail),
            ServiceError::Invalid(detail) => Self::new(INVALID, detail),
            ServiceError::Forbidden(detail) => Self::new(FORBIDDEN, detail),
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
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        match self.kind.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
                // Whoever is refused does not keep others from connecting.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
