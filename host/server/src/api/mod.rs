//! The routes under `/v1`: each is registered together with its description, so that none is there that the OpenAPI
//! document does not tell of, and none is told of that is not there.

mod describe;
mod document;
mod known;
mod once;
mod operation;
mod page;

pub(crate) use describe::Output;
pub(crate) use operation::{Operation, Repeats, Schemas};

use crate::identity::Role;
use crate::{AppState, guard};
use axum::Router;
use axum::body::Bytes;
use axum::handler::Handler;
use axum::http::{Method, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, on};
use describe::Described;
use std::sync::{Arc, LazyLock};

/// Takes routes up. [`Api::under`] and [`Api::tag`] hold for the routes that follow.
pub(crate) struct Api {
    state: AppState,
    guarded: Router<AppState>,
    open: Router<AppState>,
    told: Vec<Told>,
    prefix: &'static str,
    tag: &'static str,
}

/// A route and what adds to its description what its handler takes and answers. That is asked for when somebody wants to
/// read it: making all schemas takes longer than starting a server.
struct Told {
    operation: Operation,
    describe: fn(&mut Operation, &mut Schemas),
}

/// What the guards of a route go by: made when it is first asked, for the same reason.
pub(crate) struct Takes {
    /// Parameters of the query.
    query: Vec<String>,
    repeats: Repeats,
}

/// A [`Takes`] that is not made yet.
pub(crate) type Asked = Arc<LazyLock<Takes, Box<dyn FnOnce() -> Takes + Send>>>;

/// What there is to read of all routes.
struct Texts {
    document: Bytes,
    page: Bytes,
}

impl Texts {
    fn of(told: Vec<Told>) -> Self {
        let mut schemas = Schemas::default();
        let described = told.into_iter().map(|Told { mut operation, describe }| {
            describe(&mut operation, &mut schemas);
            operation
        });
        let mut operations: Vec<Operation> = described.collect();
        operations.extend(document::operations());
        let document = document::of(&operations, schemas);
        let page = page::of(&document).into();
        Self { document: document.to_string().into(), page }
    }
}

/// A method of [`Api`] that registers a handler with the method of HTTP of the same name.
macro_rules! registers {
    ($($name:ident $method:ident),*) => {
        $(pub(crate) fn $name<H, T, D>(&mut self, path: &str, handler: H, role: Role, summary: &'static str)
        where
            H: Handler<T, AppState> + Described<D>,
            T: 'static,
        {
            self.guarded(Method::$method, path, handler, role, summary);
        })*
    };
}

impl Api {
    pub(crate) fn new(state: AppState) -> Self {
        let (guarded, open) = (Router::new(), Router::new());
        Self { state, guarded, open, told: Vec::new(), prefix: "", tag: "" }
    }

    registers! { get GET, post POST, put PUT, patch PATCH, delete DELETE }

    /// What the routes that follow are about.
    pub(crate) fn tag(&mut self, tag: &'static str) {
        self.tag = tag;
    }

    /// What the paths that follow begin with.
    pub(crate) fn under(&mut self, prefix: &'static str) {
        self.prefix = prefix;
    }

    fn guarded<H, T, D>(&mut self, method: Method, path: &str, handler: H, role: Role, summary: &'static str)
    where
        H: Handler<T, AppState> + Described<D>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let path = format!("{}{path}", self.prefix);
        let of_it = Operation::new(method.clone(), path.clone(), self.tag, Some(role), summary);
        let asked: Asked = Arc::new(LazyLock::new(Box::new(move || {
            let mut operation = of_it;
            H::describe(&mut operation, &mut Schemas::default());
            Takes { query: operation.query(), repeats: operation.repeats() }
        })));
        let operation = Operation::new(method, path.clone(), self.tag, Some(role), summary);
        self.told.push(Told { operation, describe: H::describe });
        let permitted = from_fn(move |request, next| guard::permitted(role, request, next));
        let guarded = std::mem::take(&mut self.guarded);
        let once = from_fn_with_state((self.state.clone(), Arc::clone(&asked)), once::once);
        let known = from_fn_with_state(asked, known::only);
        let handler = on(filter, handler).layer(once).layer(known);
        self.guarded = guarded.route(&path, handler.layer(permitted));
    }

    /// The router of those that need somebody known, and that of those that do not: the document and its page, which
    /// say nothing that the project does not say in public.
    pub(crate) fn finish(self) -> (Router<AppState>, Router<AppState>) {
        let told = self.told;
        let texts = Arc::new(LazyLock::new(move || Texts::of(told)));
        let again = Arc::clone(&texts);
        let open = self
            .open
            .route("/openapi.json", text("application/json", move || texts.document.clone()))
            .route("/docs", text("text/html; charset=utf-8", move || again.page.clone()))
            .route(
                "/docs.css",
                text("text/css; charset=utf-8", || Bytes::from_static(page::STYLE.as_bytes())),
            );
        (self.guarded, open)
    }
}

/// A route that always answers the same.
fn text(
    media: &'static str,
    text: impl Fn() -> Bytes + Clone + Send + Sync + 'static,
) -> MethodRouter<AppState> {
    let headers = [(header::CONTENT_TYPE, media), (header::CONTENT_SECURITY_POLICY, page::POLICY)];
    on(MethodFilter::GET, async move || (headers, text()))
}
