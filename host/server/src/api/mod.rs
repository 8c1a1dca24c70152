//! The routes under `/v1`: each is registered together with what its description needs, so that none is there that
//! the OpenAPI document does not tell of, and none is told of that is not there.

use crate::identity::Role;
use crate::{AppState, guard};
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn;
use axum::routing::{MethodFilter, on};

/// A method at a path.
#[allow(dead_code, reason = "the document is made of it next")]
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// Below `/v1`, with its parameters in braces.
    pub(crate) path: String,
    pub(crate) tag: &'static str,
    /// Who may; none: anybody, without a token.
    pub(crate) role: Option<Role>,
    pub(crate) summary: &'static str,
}

/// Takes routes up. [`Api::under`] and [`Api::tag`] hold for the routes that follow.
#[derive(Default)]
pub(crate) struct Api {
    guarded: Router<AppState>,
    open: Router<AppState>,
    operations: Vec<Operation>,
    prefix: &'static str,
    tag: &'static str,
}

impl Api {
    /// What the routes that follow are about.
    pub(crate) fn tag(&mut self, tag: &'static str) {
        self.tag = tag;
    }

    /// What the paths that follow begin with.
    pub(crate) fn under(&mut self, prefix: &'static str) {
        self.prefix = prefix;
    }

    pub(crate) fn get<H, T>(&mut self, path: &str, handler: H, role: Role, summary: &'static str)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.guarded(Method::GET, path, handler, role, summary);
    }

    pub(crate) fn post<H, T>(&mut self, path: &str, handler: H, role: Role, summary: &'static str)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.guarded(Method::POST, path, handler, role, summary);
    }

    pub(crate) fn put<H, T>(&mut self, path: &str, handler: H, role: Role, summary: &'static str)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.guarded(Method::PUT, path, handler, role, summary);
    }

    pub(crate) fn patch<H, T>(&mut self, path: &str, handler: H, role: Role, summary: &'static str)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.guarded(Method::PATCH, path, handler, role, summary);
    }

    pub(crate) fn delete<H, T>(&mut self, path: &str, handler: H, role: Role, summary: &'static str)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.guarded(Method::DELETE, path, handler, role, summary);
    }

    #[allow(dead_code, reason = "the document is one")]
    /// A route that anybody may ask, and that shows nothing private.
    pub(crate) fn open<H, T>(&mut self, path: &str, handler: H, summary: &'static str)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let path = self.note(Method::GET, path, None, summary);
        let open = std::mem::take(&mut self.open);
        self.open = open.route(&path, on(MethodFilter::GET, handler));
    }

    fn guarded<H, T>(&mut self, method: Method, path: &str, handler: H, role: Role, summary: &'static str)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let path = self.note(method, path, Some(role), summary);
        let permitted = from_fn(move |request, next| guard::permitted(role, request, next));
        let guarded = std::mem::take(&mut self.guarded);
        self.guarded = guarded.route(&path, on(filter, handler).layer(permitted));
    }

    fn note(&mut self, method: Method, path: &str, role: Option<Role>, summary: &'static str) -> String {
        let path = format!("{}{path}", self.prefix);
        self.operations.push(Operation { method, path: path.clone(), tag: self.tag, role, summary });
        path
    }

    /// Those that need somebody known, those that do not, and what there is to say of both.
    pub(crate) fn parts(self) -> (Router<AppState>, Router<AppState>, Vec<Operation>) {
        (self.guarded, self.open, self.operations)
    }
}
