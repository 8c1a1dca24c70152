use crate::lock;
use async_trait::async_trait;
use lockstep_ports::{Forge, ForgePullRequest, ForgeReview};
use lockstep_types::ObserveFailure;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// A forge with the pull requests and tips the test gives it.
#[derive(Debug, Default)]
pub struct FakeForge(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    clones: Vec<(String, String)>,
    pulls: BTreeMap<u64, ForgePullRequest>,
    reviews: BTreeMap<u64, Vec<ForgeReview>>,
    tips: BTreeMap<String, String>,
    failure: Option<String>,
    fetched: Vec<String>,
    said: Vec<String>,
}

impl State {
    fn answer<T>(&self, answer: T) -> Result<T, ObserveFailure> {
        self.failure.clone().map_or(Ok(answer), |why| Err(ObserveFailure::Failed(why)))
    }
}

impl FakeForge {
    /// A forge with one repository, cloned at a path.
    #[must_use]
    pub fn with(path: &str, full_name: &str) -> Self {
        let clones = vec![(path.to_owned(), full_name.to_owned())];
        Self(Mutex::new(State { clones, ..State::default() }))
    }

    /// A pull request as it is from now on.
    pub fn set_pull_request(&self, request: ForgePullRequest) {
        lock(&self.0).pulls.insert(request.number, request);
    }

    /// The reviews of a pull request from now on.
    pub fn set_reviews(&self, number: u64, reviews: Vec<ForgeReview>) {
        lock(&self.0).reviews.insert(number, reviews);
    }

    /// The tip of a branch from now on; without one the forge has no such branch.
    pub fn set_tip(&self, branch: &str, commit: &str) {
        lock(&self.0).tips.insert(branch.to_owned(), commit.to_owned());
    }

    /// From now on nothing is answered for this reason, or all is again.
    pub fn set_failure(&self, why: Option<&str>) {
        lock(&self.0).failure = why.map(str::to_owned);
    }

    /// The branches that were fetched, in order.
    #[must_use]
    pub fn fetched(&self) -> Vec<String> {
        lock(&self.0).fetched.clone()
    }

    /// The comments made, in order.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        lock(&self.0).said.clone()
    }
}

#[async_trait]
impl Forge for FakeForge {
    fn repositories(&self) -> Vec<String> {
        lock(&self.0).clones.iter().map(|(path, _)| path.clone()).collect()
    }

    fn clone_of(&self, full_name: &str) -> Option<String> {
        let state = lock(&self.0);
        let found = state.clones.iter().find(|(_, name)| name.eq_ignore_ascii_case(full_name));
        found.map(|(path, _)| path.clone())
    }

    async fn pull_request(&self, _: &str, number: u64) -> Result<Option<ForgePullRequest>, ObserveFailure> {
        let state = lock(&self.0);
        state.answer(state.pulls.get(&number).cloned())
    }

    async fn open_pull_requests(&self, _: &str) -> Result<Vec<ForgePullRequest>, ObserveFailure> {
        let state = lock(&self.0);
        state.answer(state.pulls.values().filter(|request| request.is_open).cloned().collect())
    }

    async fn reviews(&self, _: &str, number: u64) -> Result<Vec<ForgeReview>, ObserveFailure> {
        let state = lock(&self.0);
        state.answer(state.reviews.get(&number).cloned().unwrap_or_default())
    }

    async fn comment(&self, _: &str, number: u64, _: &str, text: &str) -> Result<(), ObserveFailure> {
        let mut state = lock(&self.0);
        state.said.push(format!("#{number}: {text}"));
        state.answer(())
    }

    async fn label(&self, _: &str, _: u64, _: &[String], _: &[String]) -> Result<(), ObserveFailure> {
        lock(&self.0).answer(())
    }

    async fn fetch(&self, _: &str, branch: &str) -> Result<Option<String>, ObserveFailure> {
        let mut state = lock(&self.0);
        state.fetched.push(branch.to_owned());
        state.answer(state.tips.get(branch).cloned())
    }
}
