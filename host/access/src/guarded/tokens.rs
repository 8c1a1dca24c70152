use super::{Answer, Guarded, as_asked, everywhere};
use crate::audit::{Came, Deed};
use async_trait::async_trait;
use lockstep_ports::{
    AccessService, AuditPage, AuditQuery, DoneBeside, IssuedToken, NewToken, ServiceError, TokenView,
};
use lockstep_types::Role;
use lockstep_types::board::WorkspaceId;
use std::sync::Arc;

/// Who says who may speak to the host.
const ADMIN: super::Takes = everywhere(Role::Admin);

#[async_trait]
impl AccessService for Guarded {
    async fn add_token(&self, token: NewToken, by: &str) -> Answer<IssuedToken> {
        let (who, access) = (self.who()?, Arc::clone(&self.0.access));
        let of = token.workspaces.iter().map(WorkspaceId::as_str).collect::<Vec<_>>().join(", ");
        let of = if of.is_empty() { String::new() } else { format!(" of {of}") };
        let deed = Deed::new("token.add", &token.name).with(format!("{}{of}", token.role.word()));
        let add = |by: String| async move { access.add_token(token, &by).await };
        let came = |issued: &IssuedToken| Came {
            subject: Some(format!("{} {}", issued.token.name, issued.token.id)),
            workspace: None,
        };
        self.changes(&who, ADMIN, deed, Some(by), add, came).await
    }

    async fn tokens(&self) -> Answer<Vec<TokenView>> {
        self.may(ADMIN)?;
        self.0.access.tokens().await
    }

    async fn revoke_token(&self, name: &str, by: &str) -> Answer<TokenView> {
        let (who, access, name) = (self.who()?, Arc::clone(&self.0.access), name.to_owned());
        let deed = Deed::new("token.revoke", &name);
        let revoke = |by: String| async move { access.revoke_token(&name, &by).await };
        self.changes(&who, ADMIN, deed, Some(by), revoke, as_asked).await
    }

    async fn note(&self, done: DoneBeside, subject: &str, by: &str) -> Answer<()> {
        let who = self.may(ADMIN)?;
        // Only who may write into the data folder can have done it.
        if !who.names_others() {
            return Err(ServiceError::Forbidden(
                "only the token of the data folder tells what was done beside the host".to_owned(),
            ));
        }
        let deed = Deed::new(done.word(), subject);
        self.changes(&who, ADMIN, deed, Some(by), |_| async { Ok(()) }, as_asked).await
    }

    async fn audit_page(&self, query: AuditQuery) -> Answer<AuditPage> {
        self.may(ADMIN)?;
        self.0.access.audit_page(query).await
    }
}
