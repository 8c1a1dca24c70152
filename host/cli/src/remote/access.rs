//! Who may speak to a server, as its client sees it.

use super::{ANSWER_TIME, Answer, RemoteService, encoded};
use async_trait::async_trait;
use hyper::Method;
use lockstep_ports::{AccessService, AuditPage, AuditQuery, DoneBeside, IssuedToken, NewToken, TokenView};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Tokens {
    tokens: Vec<TokenView>,
}

#[derive(Deserialize)]
struct Link {
    path: String,
}

impl RemoteService {
    /// Where a browser signs in once as `by`.
    pub(crate) async fn login_path(&self, by: &str) -> Answer<String> {
        Ok(self.post::<Link>("/v1/login-links", &json!({ "by": by }), ANSWER_TIME).await?.path)
    }
}

#[async_trait]
impl AccessService for RemoteService {
    async fn add_token(&self, token: NewToken, by: &str) -> Answer<IssuedToken> {
        let NewToken { name, role, workspaces, expires_days } = token;
        let body = json!({
            "name": name, "role": role, "workspaces": workspaces, "expires_days": expires_days, "by": by,
        });
        self.post("/v1/tokens", &body, ANSWER_TIME).await
    }

    async fn tokens(&self) -> Answer<Vec<TokenView>> {
        Ok(self.get::<Tokens>("/v1/tokens").await?.tokens)
    }

    async fn revoke_token(&self, name: &str, by: &str) -> Answer<TokenView> {
        let path = format!("/v1/tokens/{}?by={}", encoded(name), encoded(by));
        self.read(self.send(Method::DELETE, &path, None, ANSWER_TIME).await?)
    }

    async fn note(&self, done: DoneBeside, subject: &str, by: &str) -> Answer<()> {
        let body = json!({ "operation": done, "subject": subject, "by": by }).to_string();
        let body = Some(("application/json", body.into_bytes()));
        self.send(Method::POST, "/v1/audit", body, ANSWER_TIME).await.map(drop)
    }

    async fn audit_page(&self, query: AuditQuery) -> Answer<AuditPage> {
        let before = query.before.map(|before| format!("&before={}", encoded(&before))).unwrap_or_default();
        self.get(&format!("/v1/audit?limit={}{before}", query.limit.unwrap_or(50))).await
    }
}
