//! What the arguments and the answer of a handler say about it: the document is made of the very types that requests
//! are read into and answers are made of.

use super::operation::{Operation, Repeats, Schemas};
use crate::AppState;
use crate::etag::{Edited, IfMatch, IfNoneMatch, Tagged};
use crate::extract::{
    BundleBody, ClientToken, ComponentBody, DirBody, FlatBody, JsonBody, LastEventId, Late, OptionalJsonBody,
    PathBoard, PathOf, PathOn, PathRun, QueryOf, SecretAnswer,
};
use crate::identity::Identity;
use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use axum::response::Sse;
use lockstep_types::DirSnapshot;
use schemars::JsonSchema;
use serde_json::{Value, json};

/// An argument of a handler.
pub(crate) trait Input {
    fn describe(to: &mut Operation, schemas: &mut Schemas);
}

/// The answer of a handler.
pub(crate) trait Output {
    fn describe(to: &mut Operation, schemas: &mut Schemas);
}

/// A handler with arguments `T`.
pub(crate) trait Described<T> {
    fn describe(to: &mut Operation, schemas: &mut Schemas);
}

macro_rules! handlers_of {
    ($($input:ident),*) => {
        impl<F, Told, Out, $($input),*> Described<($($input,)*)> for F
        where
            F: FnOnce($($input),*) -> Told,
            Told: Future<Output = Out>,
            Out: Output,
            $($input: Input,)*
        {
            fn describe(to: &mut Operation, schemas: &mut Schemas) {
                $($input::describe(to, schemas);)*
                Out::describe(to, schemas);
            }
        }
    };
}

handlers_of!();
handlers_of!(A);
handlers_of!(A, B);
handlers_of!(A, B, C);
handlers_of!(A, B, C, D);
handlers_of!(A, B, C, D, E);
handlers_of!(A, B, C, D, E, G);

/// Arguments that no request carries.
macro_rules! of_the_host {
    ($($input:ty),*) => {
        $(impl Input for $input {
            fn describe(_: &mut Operation, _: &mut Schemas) {}
        })*
    };
}

of_the_host!(State<AppState>, Identity);

/// Whatever a path names may not be there.
macro_rules! of_a_path {
    ($($input:ty $(where $of:ident)?),*) => {
        $(impl$(<$of>)? Input for $input {
            fn describe(to: &mut Operation, _: &mut Schemas) {
                to.may_be(problem::NOT_FOUND);
            }
        })*
    };
}

of_a_path!(PathOf<T> where T, PathOn<T> where T, PathRun, PathBoard);

impl<T: JsonSchema> Input for JsonBody<T> {
    fn describe(to: &mut Operation, schemas: &mut Schemas) {
        to.takes("application/json", schemas.taken::<T>(), true);
    }
}

impl<T: JsonSchema> Input for OptionalJsonBody<T> {
    fn describe(to: &mut Operation, schemas: &mut Schemas) {
        to.takes("application/json", schemas.taken::<T>(), false);
    }
}

impl<H: JsonSchema, R: JsonSchema> Input for FlatBody<H, R> {
    fn describe(to: &mut Operation, schemas: &mut Schemas) {
        to.takes("application/json", schemas.flat::<H, R>(), true);
    }
}

/// Bytes, in the terms of JSON Schema.
fn bytes() -> Value {
    json!({ "type": "string", "format": "binary" })
}

impl Input for Late<ComponentBody> {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        to.takes("application/wasm", bytes(), true);
        to.upload();
    }
}

impl Input for Late<Option<ComponentBody>> {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        to.takes("application/wasm", bytes(), false);
        to.upload();
    }
}

impl Input for Late<DirBody> {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        to.takes(DirSnapshot::MEDIA_TYPE, bytes(), true);
        to.upload();
    }
}

impl Input for Late<BundleBody> {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        to.takes(BundleBody::MEDIA_TYPE, bytes(), true);
        to.may_be(problem::BUSY);
    }
}

impl<T: JsonSchema> Input for QueryOf<T> {
    fn describe(to: &mut Operation, schemas: &mut Schemas) {
        to.asks(&schemas.taken_inline::<T>());
    }
}

impl Input for ClientToken {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        to.comes_again(Repeats::WithItsOwn);
    }
}

impl Input for SecretAnswer {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        to.comes_again(Repeats::Anyhow);
        to.note("Its answer holds a secret, so it is not kept under an idempotency key.");
    }
}

/// Tags of states, in the terms of JSON Schema.
fn tags() -> Value {
    json!({ "type": "string", "pattern": r#"^(\*|"[!#-~]+")$"# })
}

impl Input for IfMatch {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        to.header("If-Match", "The `ETag` it was read with: refused if it was changed since.", &tags());
        to.may_be(problem::PRECONDITION_FAILED);
        to.may_be(problem::INVALID);
    }
}

impl Input for IfNoneMatch {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        to.header("If-None-Match", "The `ETag` it was read with: 304 if nothing changed since.", &tags());
        to.may_be(problem::INVALID);
    }
}

impl<T: Edited + JsonSchema> Output for Tagged<T> {
    fn describe(to: &mut Operation, schemas: &mut Schemas) {
        to.answers(StatusCode::OK, "application/json", schemas.given::<T>());
        to.tells(StatusCode::OK, "ETag", "Names this state of it.");
        to.answers_nothing(StatusCode::NOT_MODIFIED, "Nothing changed since.");
        to.tells(StatusCode::NOT_MODIFIED, "ETag", "Names this state of it.");
    }
}

impl Input for LastEventId {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        let what = "Position of the last event that was seen; counts before `after`.";
        to.header("Last-Event-ID", what, &json!({ "type": "integer", "minimum": 0 }));
        to.may_be(problem::INVALID);
    }
}

impl<T: Output> Output for Result<T, Problem> {
    fn describe(to: &mut Operation, schemas: &mut Schemas) {
        T::describe(to, schemas);
    }
}

impl<T: JsonSchema> Output for Json<T> {
    fn describe(to: &mut Operation, schemas: &mut Schemas) {
        to.answers(StatusCode::OK, "application/json", schemas.given::<T>());
    }
}

impl<T: JsonSchema> Output for (StatusCode, Json<T>) {
    fn describe(to: &mut Operation, schemas: &mut Schemas) {
        to.answers(StatusCode::CREATED, "application/json", schemas.given::<T>());
    }
}

impl<T: JsonSchema> Output for (StatusCode, [(HeaderName, String); 1], Json<T>) {
    fn describe(to: &mut Operation, schemas: &mut Schemas) {
        to.answers(StatusCode::CREATED, "application/json", schemas.given::<T>());
        to.tells(StatusCode::CREATED, "Location", "Where it can be looked at.");
    }
}

impl Output for String {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        to.answers(StatusCode::OK, "text/plain; charset=utf-8", json!({ "type": "string" }));
    }
}

impl<S> Output for Sse<S> {
    fn describe(to: &mut Operation, _: &mut Schemas) {
        to.answers(StatusCode::OK, "text/event-stream", json!({ "type": "string" }));
        to.note(
            "Events: `timeline`, whose data is a FeedItem and whose id is its position; `gap`, where records between \
             `after` and `before` are no longer kept; `problem`, the last one. A reader that comes back with \
             `Last-Event-ID` misses nothing else. Every 15 seconds a comment says that the stream is alive.",
        );
        to.may_be(problem::BUSY);
    }
}
