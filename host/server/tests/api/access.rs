//! A host with tokens: what each may see and do, in whose name, and what is written down of it.

use crate::fake::FakeService;
use crate::{TOKEN, shown};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use expect_test::expect;
use lockstep_access::{Access, Guarded, Identity, Offered, acting, carried};
use lockstep_ports::{AccessService, NewToken, RunQuery, ServiceError};
use lockstep_server::{AppState, Limits, Options, Origin, Services, app};
use lockstep_testkit::MemAccess;
use lockstep_types::{Role, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tower::ServiceExt;

pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A server over fakes, whose clock a test turns.
pub(crate) struct Host {
    pub(crate) service: Arc<FakeService>,
    pub(crate) store: Arc<MemAccess>,
    pub(crate) access: Arc<Access>,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) app: Router,
}

impl Host {
    pub(crate) async fn new() -> Self {
        Self::over(Arc::default(), Options { token: TOKEN.to_owned(), ..Options::default() }).await
    }

    pub(crate) async fn with(limits: Limits, origin: Option<&str>) -> Self {
        let origin = origin.map(|text| Origin::parse(text).unwrap());
        let options = Options { token: TOKEN.to_owned(), allow_remote: false, origin, limits };
        Self::over(Arc::default(), options).await
    }

    /// Over what a store holds, as after a restart.
    pub(crate) async fn over(store: Arc<MemAccess>, options: Options) -> Self {
        let clock = Arc::new(AtomicU64::new(1_700_000_000_000));
        let time = Arc::clone(&clock);
        let now = move || Timestamp(time.load(Ordering::Relaxed));
        let access = Arc::new(Access::open_at(Arc::<MemAccess>::clone(&store), now).await.unwrap());
        let service = FakeService::new();
        let services = Services { access: Some(Arc::clone(&access)), ..Services::of(&service) };
        Self { service, store, access, clock, app: app(AppState::new(services, options)) }
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    /// Makes a token; `of` names workspaces.
    pub(crate) async fn token(&self, name: &str, role: Role, of: &[&str]) -> String {
        let workspaces = of.iter().map(|id| id.parse().unwrap()).collect();
        let token = NewToken { name: name.to_owned(), role, workspaces, expires_days: Some(30) };
        self.access.add_token(token, "test").await.unwrap().secret
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.app.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn ask(&self, token: &str, line: &str, body: &'static str) -> Response<Body> {
        self.send(by(token, line, body)).await
    }

    pub(crate) async fn answer(&self, token: &str, line: &str, body: &'static str) -> String {
        shown(self.ask(token, line, body).await).await
    }

    /// The audit, oldest first.
    pub(crate) fn audit(&self) -> String {
        let line = |record: lockstep_types::AuditRecord| {
            let outcome = record.outcome.map_or("unknown", |outcome| outcome.word());
            let workspace = record.workspace.map_or_else(|| "-".to_owned(), |id| id.to_string());
            let (by, via) = (record.by, record.via.split(" ").next().unwrap_or_default().to_owned());
            let (operation, detail) = (record.operation, record.detail);
            // The id of a token is another one each time.
            let subject = match record.subject.split_once(' ') {
                Some((name, _)) if operation == "token.add" => format!("{name} ID"),
                _ => record.subject,
            };
            format!("{by} ({via}) {operation} [{subject}] in {workspace}: {outcome} {detail}")
                .trim_end()
                .to_owned()
        };
        self.store.records().into_iter().map(line).map(|line| line + "\n").collect()
    }
}

/// A request with a token.
pub(crate) fn by(token: &str, line: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = crate::request(line, body);
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

#[tokio::test]
async fn a_token_is_told_once_and_ends_when_it_is_revoked_or_expires() {
    let host = Host::new().await;
    let made =
        host.ask(TOKEN, "POST /v1/tokens", r#"{"name":"ci","role":"operator","expires_days":2,"by":"anna"}"#);
    let made: serde_json::Value =
        serde_json::from_str(shown(made.await).await.strip_prefix("201 ").unwrap()).unwrap();
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert_eq!(made["created_by"], "anna");
    assert_eq!(host.ask(&secret, "/v1/runs", "").await.status(), 200);
    let listed = host.answer(TOKEN, "/v1/tokens", "").await;
    assert!(listed.contains("\"ci\"") && !listed.contains(&secret[30..]), "{listed}");
    host.pass(2 * DAY_MS);
    assert_eq!(host.ask(&secret, "/v1/runs", "").await.status(), 401, "it has expired");
    let other = host.token("bob", Role::Viewer, &[]).await;
    assert_eq!(host.ask(&other, "/v1/runs", "").await.status(), 200);
    assert_eq!(host.ask(TOKEN, "DELETE /v1/tokens/bob?by=anna", "").await.status(), 200);
    assert_eq!(host.ask(&other, "/v1/runs", "").await.status(), 401, "it was revoked");
    assert_eq!(host.ask(TOKEN, "DELETE /v1/tokens/bob", "").await.status(), 404);
    let stored = format!(
        "{:?} {:?}",
        host.store.records(),
        lockstep_ports::AccessStore::token_rows(&*host.store).await
    );
    assert!(!stored.contains(&secret[21..]), "the secret is kept nowhere");
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused_with_a_reason() {
    let host = Host::new().await;
    host.token("taken", Role::Viewer, &[]).await;
    let mut text = String::new();
    for body in [
        r#"{"name":"taken","role":"viewer"}"#,
        r#"{"name":"local","role":"viewer"}"#,
        r#"{"name":"","role":"viewer"}"#,
        r#"{"name":"a\nb","role":"viewer"}"#,
        r#"{"name":"a","role":"root"}"#,
        r#"{"name":"a","role":"viewer","expires_days":0}"#,
        r#"{"name":"a","role":"viewer","workspaces":["../x"]}"#,
        r#"{"name":"a","role":"viewer","admin":true}"#,
    ] {
        text += &host.answer(TOKEN, "POST /v1/tokens", body).await;
    }
    expect![[r#"
        409 conflict: there is a token taken already: revoke it, or choose another name
        422 invalid: "local" stands for something else in the audit: choose another name
        422 invalid: "" cannot name a token: use 1 to 64 letters, digits, `-`, `_`, `.` or `@`
        422 invalid: "a\nb" cannot name a token: use 1 to 64 letters, digits, `-`, `_`, `.` or `@`
        422 invalid: the body is not what this route takes at /role: unknown variant `root`, expected one of `viewer`, `operator`, `admin` at line 1 column 25
        422 invalid: a token may expire in 1 to 3650 days
        422 invalid: the body is not what this route takes at /workspaces/0: "../x" is not a workspace id: 1 to 64 letters, digits, - or _ at line 1 column 49
        422 invalid: the body is not what this route takes at /admin: unknown field `admin`, expected one of `name`, `role`, `workspaces`, `expires_days`, `by` at line 1 column 35
    "#]].assert_eq(&text);
}

/// What somebody asks who is limited to a workspace.
const LIMITED: [(&str, &str); 21] = [
    ("/v1/runs?limit=5", ""),
    ("/v1/runs/shop-run/why", ""),
    ("/v1/runs/run-1/why", ""),
    ("/v1/runs/run-1/timeline", ""),
    ("POST /v1/runs/run-1/stop", "{}"),
    ("POST /v1/runs/shop-run/stop", "{}"),
    ("POST /v1/runs", r#"{"pipeline":"p","repository":"/r","branch":"feature"}"#),
    ("/v1/feed?after=0", ""),
    ("/v1/workspaces", ""),
    ("/v1/workspaces/shop/items", ""),
    ("/v1/workspaces/other/items", ""),
    ("POST /v1/workspaces/other/items", r#"{"level":"service","title":"x"}"#),
    ("POST /v1/workspaces", r#"{"id":"mine"}"#),
    ("/v1/notices", ""),
    ("/v1/notices?workspace=other", ""),
    ("POST /v1/notices/run-1:n1/dismiss", "{}"),
    ("POST /v1/notices/shop-run:n1/dismiss", "{}"),
    ("/v1/kinds/agent", ""),
    ("POST /v1/kinds/agent/rollback", "{}"),
    ("/v1/tokens", ""),
    ("/v1/audit", ""),
];

/// An answer on one line; of a list of runs their ids.
fn shortened(line: &str, answer: &str) -> String {
    let short: String = answer.split_whitespace().collect::<Vec<_>>().join(" ");
    match short.strip_prefix("200 ").filter(|_| line.starts_with("/v1/runs?")) {
        Some(rest) => {
            let listed: serde_json::Value = serde_json::from_str(rest).unwrap();
            let ids = listed["runs"].as_array().unwrap().iter().map(|run| run["id"].clone());
            format!("200 {:?}", ids.collect::<Vec<_>>())
        }
        None => short.chars().take(150).collect(),
    }
}

#[tokio::test]
async fn a_limited_token_sees_and_touches_its_workspaces_alone() {
    let host = Host::new().await;
    host.service.also.lock().unwrap().extend(["shop-run", "other-run"]);
    for run in ["shop-run", "run-1", "shop-run"] {
        host.service.happen(run);
    }
    let token = host.token("shopper", Role::Admin, &["shop"]).await;
    let mut text = String::new();
    for (line, body) in LIMITED {
        let answer = host.answer(&token, line, body).await;
        text += &format!("{line}\n    {}\n", shortened(line, &answer));
    }
    expect![[r#"
        /v1/runs?limit=5
            200 [String("shop-run")]
        /v1/runs/shop-run/why
            200 { "run": "shop-run", "status": "blocked", "waiting": [ { "act": "answer it", "on": "approval", "reason": "somebody must consent", "since": 5, "ste
        /v1/runs/run-1/why
            404 not-found: there is no run run-1: see `lockstep runs list`
        /v1/runs/run-1/timeline
            404 not-found: there is no run run-1: see `lockstep runs list`
        POST /v1/runs/run-1/stop
            404 not-found: there is no run run-1: see `lockstep runs list`
        POST /v1/runs/shop-run/stop
            200 { "change": { "base_branch": "main", "head_branch": "feature", "repository": "/r" }, "created_at": 1, "id": "shop-run", "item": "feature", "item_s
        POST /v1/runs
            403 forbidden: shopper is limited to shop, and this concerns the whole host: ask somebody who is not
        /v1/feed?after=0
            200 { "end": 3, "items": [ { "entries": [ { "at": 1, "run": "shop-run", "seq": 1, "step": "code", "text": "begins", "what": "step-started" } ], "posit
        /v1/workspaces
            200 { "next": null, "workspaces": [ { "created_at": 1, "id": "shop", "last_number": 4, "name": "The shop" } ] }
        /v1/workspaces/shop/items
            200 { "items": [ { "archived": false, "auto_start_dependents": false, "base_branch": null, "created_at": 1, "current_run": null, "depends_on": [ "shop
        /v1/workspaces/other/items
            404 not-found: there is no workspace other: list them, or create it
        POST /v1/workspaces/other/items
            404 not-found: there is no workspace other: list them, or create it
        POST /v1/workspaces
            403 forbidden: shopper is limited to shop, and this concerns the whole host: ask somebody who is not
        /v1/notices
            200 { "next": null, "notices": [ { "act": "merge", "id": "run-1:n1", "item": "shop-3", "notice": { "body": "", "id": 1, "kind": "merge_review", "raise
        /v1/notices?workspace=other
            404 not-found: there is no workspace other: list them, or create it
        POST /v1/notices/run-1:n1/dismiss
            404 not-found: there is no card "run-1:n1": see `lockstep notices`
        POST /v1/notices/shop-run:n1/dismiss
            200 { "act": "merge", "id": "shop-run:n1", "item": "shop-3", "notice": { "body": "", "id": 1, "kind": "merge_review", "raised_at": 3, "severity": "nor
        /v1/kinds/agent
            200 { "active": { "at": 7, "by": "anna", "digest": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", "grant": { "effects": [], "impo
        POST /v1/kinds/agent/rollback
            403 forbidden: shopper is limited to shop, and this concerns the whole host: ask somebody who is not
        /v1/tokens
            403 forbidden: shopper is limited to shop, and this concerns the whole host: ask somebody who is not
        /v1/audit
            403 forbidden: shopper is limited to shop, and this concerns the whole host: ask somebody who is not
    "#]].assert_eq(&text);
}

#[tokio::test]
async fn whoever_has_a_token_acts_in_its_name_whatever_they_say() {
    let host = Host::new().await;
    let token = host.token("bob", Role::Operator, &[]).await;
    for (token, body) in
        [(TOKEN, r#"{"by":"anna"}"#), (TOKEN, "{}"), (&token, r#"{"by":"anna"}"#), (&token, "{}")]
    {
        assert_eq!(host.ask(token, "POST /v1/runs/run-1/retry", body).await.status(), 200);
    }
    let start = r#"{"pipeline":"p","repository":"/r","branch":"feature","by":"anna"}"#;
    assert_eq!(host.ask(&token, "POST /v1/runs", start).await.status(), 201);
    let item = r#"{"title":"x","level":"service","by":"anna"}"#;
    assert_eq!(host.ask(&token, "POST /v1/workspaces/shop/items", item).await.status(), 201);
    assert_eq!(
        host.ask(&token, "POST /v1/workspaces/shop/items/shop-5/start", r#"{"by":"anna"}"#).await.status(),
        201
    );
    expect![[r#"
        run-1: Retry by anna
        run-1: Retry by api
        run-1: Retry by bob
        run-1: Retry by bob
        start feature by Some("bob") token None
        shop by bob: CreateItem { level: Service, parent: None, item: ItemPatch { title: Some("x"), service_type: None, task_type: None, description: None, preset: None, pipeline: None, module_name: None, auto_start_dependents: None, labels: None, archived: None, responsible: None, repository: None, directory: None, base_branch: None, head_branch: None, tests: None } }
        start shop-5 StartItem { pipeline: None, branch: None, pin: None, replace: false, by: Some("bob"), token: None }
    "#]].assert_eq(&(host.service.calls() + "\n"));
}

#[tokio::test]
async fn every_change_is_written_down_and_nothing_that_was_sent() {
    let host = Host::new().await;
    let (viewer, operator) =
        (host.token("vic", Role::Viewer, &[]).await, host.token("bob", Role::Operator, &["shop"]).await);
    let admin = host.token("root", Role::Admin, &[]).await;
    let secret = r#"{"answer":"choose","choice":"hunter2","text":"hunter2"}"#;
    for (token, line, body) in [
        (TOKEN, "POST /v1/runs/run-1/stop", r#"{"by":"anna","reason":"hunter2"}"#),
        (&operator, "POST /v1/runs/shop-1/answers", secret),
        (&operator, "POST /v1/workspaces/shop/items", r#"{"level":"service","title":"hunter2"}"#),
        (&operator, "PATCH /v1/workspaces/shop/settings", r#"{"waiting_escalation_minutes":5}"#),
        (&operator, "POST /v1/workspaces/shop/items/busy/start", "{}"),
        (&operator, "POST /v1/kinds/agent/rollback", "{}"),
        (&viewer, "POST /v1/runs/run-1/stop", "{}"),
        (&viewer, "GET /v1/runs", ""),
        (TOKEN, "POST /v1/kinds/agent/rollback", r#"{"by":"anna"}"#),
        (TOKEN, "POST /v1/tokens", r#"{"name":"new","role":"operator","workspaces":["shop"]}"#),
        (TOKEN, "POST /v1/runs/broken/stop", "{}"),
        (TOKEN, "POST /v1/audit", r#"{"operation":"credential.set","subject":"key of anna","by":"anna"}"#),
        (&admin, "POST /v1/audit", r#"{"operation":"credential.set","subject":"key of anna","by":"anna"}"#),
    ] {
        host.ask(token, line, body).await;
    }
    let text = host.audit();
    assert!(!text.contains("hunter2"));
    expect![[r#"
        anna (local) run.stop [run-1] in -: done
        bob (token) run.answer [shop-1] in shop: done
        bob (token) item.create [shop-5] in shop: done
        bob (token) settings.edit [shop-5] in shop: done
        bob (token) item.start [busy] in shop: refused conflict
        bob (token) request [POST /v1/kinds/agent/rollback] in -: refused forbidden
        vic (token) request [POST /v1/runs/run-1/stop] in -: refused forbidden
        anna (local) component.rollback [agent] in -: done
        api (local) token.add [new ID] in -: done operator of shop
        api (local) run.stop [broken] in -: failed internal
        anna (local) credential.set [key of anna] in -: done
    "#]]
    .assert_eq(&text);
    let page = host.answer(TOKEN, "/v1/audit?limit=2", "").await;
    assert!(page.contains("\"next\""), "{page}");
}

#[tokio::test]
async fn nothing_is_done_that_cannot_be_written_down() {
    let host = Host::new().await;
    host.store.fail(true);
    let refused = host.answer(TOKEN, "POST /v1/runs/run-1/stop", "{}").await;
    expect![[r#"
        503 unavailable: cannot write to memory: the disk is full; free some space, nothing stored was lost
    "#]]
    .assert_eq(&refused);
    assert_eq!(host.service.calls(), "");
    assert_eq!(host.ask(TOKEN, "/v1/runs", "").await.status(), 200, "what changes nothing goes on");
}

#[tokio::test]
async fn a_call_that_nobody_is_known_to_make_is_refused() {
    let service = FakeService::new();
    let offered = Offered {
        runs: Arc::<FakeService>::clone(&service),
        board: Arc::<FakeService>::clone(&service),
        components: Arc::<FakeService>::clone(&service),
        backtests: service,
    };
    let guarded = Guarded::new(offered, Arc::new(Access::unkept())).offered();
    let list = || guarded.runs.list(RunQuery::default());
    assert!(matches!(list().await, Err(ServiceError::Forbidden(_))));
    assert!(acting(None, list()).await.is_ok(), "the host itself");
    let runs = Arc::clone(&guarded.runs);
    let who = Some(Arc::new(Identity::local("ann")));
    let (alone, along) = acting(who, async move {
        let again = Arc::clone(&runs);
        let alone = tokio::spawn(async move { runs.list(RunQuery::default()).await });
        let along = tokio::spawn(carried(async move { again.list(RunQuery::default()).await }));
        (alone.await.unwrap(), along.await.unwrap())
    })
    .await;
    assert!(matches!(alone, Err(ServiceError::Forbidden(_))), "a task that forgets who asks");
    assert!(along.is_ok());
}
