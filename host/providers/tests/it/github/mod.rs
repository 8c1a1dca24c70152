//! GitHub as a provider, against a GitHub on loopback.

mod asked;
mod described;
mod fake;
mod faults;
mod merging;
mod mock;
mod port;
mod wire;

use crate::fixture::{Fixture, NOW, run_id, supervisor};
use fake::{Fake, NAME, OWNER, TOKEN};
use lockstep_ports::{CheckOrder, Checks, Effects, Mergeability, Secret};
use lockstep_providers::{
    CheckOptions, GitHub, GitHubChecks, GitHubCredential, GitHubEffects, GitHubMergeability, GitHubOptions,
    GitHubPace, LocalChecks,
};
use lockstep_types::{
    Change, CheckReport, Effect, EffectKey, EffectOrder, EffectOutcome, MergeMethod, MergeReport,
    ObserveFailure,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Waits for nothing: what is waited for in these tests has happened by the next look.
pub(crate) const PACE: GitHubPace = GitHubPace {
    between_changes: Duration::ZERO,
    first_wait: Duration::from_millis(1),
    reading_patience: Duration::ZERO,
    changing_patience: Duration::ZERO,
    checks_appear: Duration::ZERO,
};

/// A clone with `main` and `feature`, and a GitHub that has `main`.
pub(crate) struct World {
    pub(crate) fixture: Fixture,
    pub(crate) fake: Fake,
    pub(crate) github: GitHub,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(adjust: impl FnOnce(&mut GitHubOptions)) -> Self {
        let fixture = Fixture::new();
        let bare = fixture.root().join("hub").join(OWNER).join(format!("{NAME}.git"));
        std::fs::create_dir_all(&bare).unwrap();
        fixture.run(&["init", "--quiet", "--bare", "--initial-branch=main", bare.to_str().unwrap()]);
        fixture.run(&["push", "--quiet", bare.to_str().unwrap(), "main"]);
        fixture.run_in(&bare, &["config", "http.receivepack", "true"]);
        let fake = Fake::new(&fixture.root().join("hub"));
        let github = github(&fixture, &fake, adjust);
        Self { fixture, fake, github }
    }

    /// The host once more, as after a restart.
    pub(crate) fn restarted(self) -> Self {
        let github = github(&self.fixture, &self.fake, |_| {});
        Self { github, ..self }
    }

    pub(crate) fn change(&self) -> Change {
        self.fixture.change()
    }

    pub(crate) async fn checks(&self) -> Result<CheckReport, ObserveFailure> {
        self.checks_of(&self.change()).await
    }

    pub(crate) async fn checks_of(&self, change: &Change) -> Result<CheckReport, ObserveFailure> {
        let local =
            LocalChecks::new(self.fixture.git.clone(), CheckOptions::new(supervisor()), Arc::new(|_| {}));
        let checks = GitHubChecks::new(self.github.clone(), Arc::new(local.unwrap()));
        let (run, commands) = (run_id(), BTreeMap::new());
        let (title, description) = ("Add b", "A file b.");
        checks.read(CheckOrder { run: &run, change, title, description, commands: &commands }).await
    }

    pub(crate) async fn merges(&self) -> Result<MergeReport, ObserveFailure> {
        let local = Arc::new(self.fixture.git.clone());
        GitHubMergeability::new(self.github.clone(), local).read(&self.change()).await
    }

    pub(crate) async fn perform(&self, order: &EffectOrder) -> EffectOutcome {
        GitHubEffects::new(self.github.clone(), Arc::new(self.fixture.effects())).perform(order, None).await
    }

    pub(crate) fn order(&self, effect: Effect) -> EffectOrder {
        EffectOrder {
            key: EffectKey { run: run_id(), step: "merge".into(), number: 1 },
            effect,
            change: self.change(),
            title: "Add b".into(),
            requested_at: NOW,
        }
    }

    pub(crate) async fn merge(&self, method: MergeMethod) -> EffectOutcome {
        self.perform(&self.order(Effect::Merge(method))).await
    }
}

fn github(fixture: &Fixture, fake: &Fake, adjust: impl FnOnce(&mut GitHubOptions)) -> GitHub {
    let credential = GitHubCredential::Token(Secret::new(TOKEN.into()));
    let mut options = GitHubOptions::new(credential, vec![(fixture.repo(), "Acme/shop".to_lowercase())]);
    options.api = format!("http://{}/api", fake.address);
    options.git = format!("http://{}/git", fake.address);
    options.pace = PACE;
    adjust(&mut options);
    GitHub::new(fixture.git.clone(), options).unwrap()
}

/// The checks of a report, one a line.
pub(crate) fn told(report: &CheckReport) -> String {
    let line = |check: &lockstep_types::Check| {
        format!("{} {} {}\n", check.name, check.status, check.conclusion.as_deref().unwrap_or("-"))
    };
    report.checks.iter().map(line).collect()
}
