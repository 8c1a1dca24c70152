//! The OpenAPI document of what is registered.

use super::operation::{Operation, Schemas};
use crate::problem::{Document, KINDS};
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

const ABOUT: &str = "\
Runs, boards and components of a Lockstep host. Every request carries the token of the host as a bearer token, except for \
this document and its page.

**Errors** are problem documents (RFC 9457) of the type `application/problem+json`; their `code` keeps its meaning, and \
`errors` names the fields of the body that are wrong. Fields and parameters that are not known are refused.

**Repeating a request.** A `POST` may carry an `Idempotency-Key`. The same key with the same request is answered as the first \
one was, also after a restart of the host, and nothing is done twice; with another request it is refused. The newest keys are \
kept for a day. Answers that say that nothing was done (4xx, 503) are not kept: the same key may be tried again.

**Lists** answer at most `limit` rows, and `next` where there are more: give it back as `after` (to the list of \
runs as `before`). What it is made of may change.

**Editing.** What can be edited is answered with an `ETag`. Sent back as `If-Match`, a change is refused if somebody else \
changed the same fields since; sent as `If-None-Match`, a `GET` is answered with 304 if nothing changed.";

/// Those of the document itself, and of its page.
pub(super) fn operations() -> [Operation; 3] {
    [
        ("/openapi.json", "application/json", "This document"),
        ("/docs", "text/html; charset=utf-8", "The same as a page"),
        ("/docs.css", "text/css; charset=utf-8", "How the page looks"),
    ]
    .map(|(path, media, summary)| {
        let mut operation = Operation::new(Method::GET, path.to_owned(), "Description", None, summary);
        operation.answers(StatusCode::OK, media, json!({}));
        operation
    })
}

pub(super) fn of(operations: &[Operation], mut schemas: Schemas) -> Value {
    let problem = schemas.given::<Document<'static>>();
    let (mut schemas, renaming) = schemas.named();
    debug_assert_eq!(problem["$ref"], "#/components/schemas/Problem");
    if let Some(problem) = schemas.get_mut("Problem") {
        problem["properties"]["code"]["oneOf"] = codes();
    }
    let mut paths = Map::new();
    let mut tags = Vec::<&str>::new();
    for operation in operations {
        let path = paths.entry(format!("/v1{}", operation.path)).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = operation.document();
        if !tags.contains(&operation.tag) {
            tags.push(operation.tag);
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Lockstep",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "tags": tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    });
    renaming.apply(&mut document);
    let schemas = document["components"]["schemas"].clone();
    plain(&mut document, &schemas);
    document
}

/// Every code with its meaning.
fn codes() -> Value {
    KINDS.iter().map(|kind| json!({ "const": kind.code(), "description": kind.meaning() })).collect()
}

/// Takes out of descriptions what only says something within the code: the links of its documentation.
fn plain(within: &mut Value, schemas: &Value) {
    match within {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "description" => *text = unlinked(text, schemas),
                    value => plain(value, schemas),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| plain(value, schemas)),
        _ => {}
    }
}

fn unlinked(text: &str, schemas: &Value) -> String {
    // A patch says of its fields that they are those of what it patches.
    let other = text.strip_prefix("See [`").and_then(|rest| rest.strip_suffix("`].")?.split_once("::"));
    if let Some((name, field)) = other
        && let Some(told) = schemas[name]["properties"][field]["description"].as_str()
    {
        return unlinked(told, &Value::Null);
    }
    let mut plain = text.replace("[`", "`").replace("`]", "`").replace("crate::", "");
    // The rules of the code's own specification.
    while let Some(begin) = plain.find(" (SPEC ").or_else(|| plain.find(" (DEVIATIONS ")) {
        let Some(length) = plain[begin..].find(')') else { break };
        plain.replace_range(begin..=begin + length, "");
    }
    plain
}
