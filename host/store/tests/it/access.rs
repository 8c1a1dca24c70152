//! Tokens, sessions and the audit.

use crate::Subject;
use async_trait::async_trait;
use lockstep_ports::AccessStore;
use lockstep_store::SledStore;
use lockstep_testkit::access_contract;
use std::sync::Arc;

#[async_trait]
impl access_contract::Subject for Subject {
    fn access(&self) -> Arc<dyn AccessStore> {
        Arc::<SledStore>::clone(&self.store)
    }

    async fn reopen(&mut self) {
        lockstep_testkit::journal_contract::Subject::reopen(self).await;
    }
}

lockstep_testkit::access_contract_tests!(Subject::new());
