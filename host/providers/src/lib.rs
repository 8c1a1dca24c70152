//! The adapters to the outside world: a local git repository, checks, jobs, effects and observations that are programs
//! of this machine, and the places components are shipped through.
//!
//! Nothing here decides what follows from an answer, and nothing here is called by a component itself. Git is run
//! with an environment and configuration of ours, so that no setting of a repository makes the host run a program.
#![warn(missing_docs)]

mod checks;
mod command;
mod credentials;
mod distribution;
mod effects;
mod environment;
mod files;
mod git;
mod github;
mod health;
pub mod http;
mod jobs;
mod launch;
mod mask;
mod notify;
mod observations;
mod supervisor;
mod text;
mod tracker;

pub use checks::{CheckOptions, LocalChecks};
pub use command::CommandOptions;
pub use credentials::LocalCredentials;
pub use distribution::{ComponentDistribution, DistributionOptions, PlainHttp};
pub use effects::LocalEffects;
pub use git::{GitOptions, LocalGit, SetupError};
pub use github::{
    GitHub, GitHubChecks, GitHubCredential, GitHubEffects, GitHubError, GitHubMergeability, GitHubOptions,
    GitHubPace,
};
pub use health::{Datadog, HealthPage, HealthSource, WatchedReleases};
pub use jobs::{
    JobOptions, KeySource, LocalJobs, LocalWorkers, ModelOptions, Models, Structured, WorkerOptions,
};
pub use notify::{BookmarkFiles, NotifyEndpoint, NotifyFormat};
pub use observations::LocalObservations;
pub use supervisor::supervise;
pub use tracker::{GithubIssues, LinearIssues, TicketUpdates, TrackedEffects};
