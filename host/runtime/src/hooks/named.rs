use async_trait::async_trait;
use lockstep_ports::{Forge, ForgePullRequest, ForgeReview};
use lockstep_types::ObserveFailure;

/// A forge that is known by the names of its repositories alone: deliveries find their items, and nothing is asked.
#[derive(Clone, Debug, Default)]
pub struct NamedRepositories(Vec<(String, String)>);

impl NamedRepositories {
    /// Path of the clone and `OWNER/NAME` of each.
    #[must_use]
    pub fn new(repositories: Vec<(String, String)>) -> Self {
        Self(repositories)
    }
}

#[async_trait]
impl Forge for NamedRepositories {
    fn repositories(&self) -> Vec<String> {
        self.0.iter().map(|(path, _)| path.clone()).collect()
    }

    fn clone_of(&self, full_name: &str) -> Option<String> {
        let found = self.0.iter().find(|(_, name)| name.eq_ignore_ascii_case(full_name));
        found.map(|(path, _)| path.clone())
    }

    async fn pull_request(&self, _: &str, _: u64) -> Result<Option<ForgePullRequest>, ObserveFailure> {
        Err(ObserveFailure::NotConfigured)
    }

    async fn open_pull_requests(&self, _: &str) -> Result<Vec<ForgePullRequest>, ObserveFailure> {
        Err(ObserveFailure::NotConfigured)
    }

    async fn reviews(&self, _: &str, _: u64) -> Result<Vec<ForgeReview>, ObserveFailure> {
        Err(ObserveFailure::NotConfigured)
    }

    async fn comment(&self, _: &str, _: u64, _: &str, _: &str) -> Result<(), ObserveFailure> {
        Err(ObserveFailure::NotConfigured)
    }

    async fn label(&self, _: &str, _: u64, _: &[String], _: &[String]) -> Result<(), ObserveFailure> {
        Err(ObserveFailure::NotConfigured)
    }

    async fn fetch(&self, _: &str, _: &str) -> Result<Option<String>, ObserveFailure> {
        Err(ObserveFailure::NotConfigured)
    }
}
