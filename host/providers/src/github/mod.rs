//! GitHub as a provider: the clones that the operator says are on it have their checks, mergeability, merges and updates
//! there. A change of any other repository goes to the local providers as it is.
//!
//! Jobs work in the local clone, so the two are kept together: a commit the forge lacks is pushed before anything is asked
//! about it, one the clone lacks is fetched, and neither ever loses a commit of somebody else's.

mod answers;
mod cache;
mod checks;
mod client;
mod credential;
mod effects;
mod limit;
mod merge;
mod mergeability;
mod obstacles;
mod port;
mod publish;
mod pulls;
mod trouble;

pub use checks::GitHubChecks;
pub use credential::GitHubCredential;
pub use effects::GitHubEffects;
pub use mergeability::GitHubMergeability;

use crate::git::LocalGit;
use client::{Client, segment};
use lockstep_ports::{Meter, NoMeter};
use reqwest::Url;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// Commits that are remembered as looked at, to tell a check that was not reported yet from one there is not.
const SEEN_MAX: usize = 4000;

/// What the host is to know of a GitHub.
#[derive(Clone)]
pub struct GitHubOptions {
    /// Address of its API: `https://api.github.com`.
    pub api: String,
    /// Address its repositories are below: `https://github.com`.
    pub git: String,
    /// By what the host may speak to it.
    pub credential: GitHubCredential,
    /// Folders of clones, and the `OWNER/NAME` of each.
    pub repositories: Vec<(PathBuf, String)>,
    /// How fast, and how patiently.
    pub pace: GitHubPace,
    /// Counts every request.
    pub meter: Arc<dyn Meter>,
}

impl GitHubOptions {
    /// The one at github.com.
    #[must_use]
    pub fn new(credential: GitHubCredential, repositories: Vec<(PathBuf, String)>) -> Self {
        Self {
            api: "https://api.github.com".into(),
            git: "https://github.com".into(),
            credential,
            repositories,
            pace: GitHubPace::default(),
            meter: NoMeter::shared(),
        }
    }
}

/// How fast GitHub is asked, and how patiently.
#[derive(Clone, Copy, Debug)]
pub struct GitHubPace {
    /// Between two requests that change something.
    pub between_changes: Duration,
    /// Before a request is made for the second time; doubled for each further one. Also between two looks at what GitHub is
    /// finding out.
    pub first_wait: Duration,
    /// Longest wait for a limit of a request that reads: whoever looks looks again anyway.
    pub reading_patience: Duration,
    /// The same of one that changes something.
    pub changing_patience: Duration,
    /// How long after a commit was first seen there may be checks that were not reported yet.
    pub checks_appear: Duration,
}

impl Default for GitHubPace {
    fn default() -> Self {
        Self {
            // What GitHub's documentation asks of those who change much.
            between_changes: Duration::from_secs(1),
            first_wait: Duration::from_millis(500),
            reading_patience: Duration::from_secs(5),
            changing_patience: Duration::from_mins(2),
            checks_appear: Duration::from_mins(1),
        }
    }
}

/// A GitHub cannot be used as it is configured. Display is one line.
#[derive(Debug, thiserror::Error)]
#[error("GitHub cannot be used as it is configured: {reason}")]
pub struct GitHubError {
    reason: String,
}

/// A GitHub with the clones of its repositories. Implements `Forge`; cheap to clone.
#[derive(Clone)]
pub struct GitHub {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    git: LocalGit,
    git_base: String,
    links: Vec<Link>,
    /// When a commit without any check was first looked at.
    seen: Mutex<HashMap<String, Instant>>,
    /// Held while a comment is looked for and made, so that it is made once.
    commenting: tokio::sync::Mutex<()>,
    pace: GitHubPace,
}

/// A clone and what it is a clone of.
#[derive(Debug)]
struct Link {
    path: String,
    owner: String,
    name: String,
    /// Git's folder of the clone, once it was found.
    common_dir: OnceCell<PathBuf>,
}

impl Link {
    fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The path of something of the repository in the API. `rest` is encoded.
    fn api(&self, rest: &str) -> String {
        format!("repos/{}/{}/{rest}", segment(&self.owner), segment(&self.name))
    }
}

impl GitHub {
    /// Prepares to speak to a GitHub; asks nothing yet. The clones are repositories of `git`.
    ///
    /// # Errors
    /// An address, a name or the credential is none.
    pub fn new(git: LocalGit, options: GitHubOptions) -> Result<Self, GitHubError> {
        let failed = |reason| GitHubError { reason };
        let git_base = git_base(&options.git).map_err(failed)?;
        let links = options.repositories.iter().map(|(path, name)| link(path, name));
        let links = links.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let client =
            Client::new(&options.api, &options.credential, options.pace, options.meter).map_err(failed)?;
        let (seen, commenting) = (Mutex::default(), tokio::sync::Mutex::default());
        let pace = options.pace;
        Ok(Self { inner: Arc::new(Inner { client, git, git_base, links, seen, commenting, pace }) })
    }
}

impl Inner {
    /// What a repository, named by the folder of its clone or of a worktree of it, is on GitHub.
    async fn link_of(&self, repository: &str) -> Option<&Link> {
        if let Some(link) = self.links.iter().find(|link| link.path == repository) {
            return Some(link);
        }
        let opened = self.git.open(repository).await.ok()?;
        for link in &self.links {
            let found = link.common_dir.get_or_try_init(async || {
                self.git.open(&link.path).await.map(|clone| clone.common_dir().to_owned())
            });
            if found.await.is_ok_and(|common_dir| common_dir == opened.common_dir()) {
                return Some(link);
            }
        }
        None
    }

    /// How long ago a commit was first looked at.
    fn seen_for(&self, commit: &str) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        if seen.len() >= SEEN_MAX && !seen.contains_key(commit) {
            seen.retain(|_, first| now.duration_since(*first) < self.pace.checks_appear);
        }
        now.duration_since(*seen.entry(commit.to_owned()).or_insert(now))
    }

    /// The wait before the `number`th further look, the first being 1, at what GitHub is finding out.
    async fn look_again(&self, number: u32) {
        tokio::time::sleep(self.pace.first_wait.saturating_mul(1 << (number - 1).min(4))).await;
    }
}

fn link(path: &Path, full_name: &str) -> Result<Link, String> {
    let is_name = |part: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && part != "." && part != ".." && part.len() <= 100 && part.chars().all(known)
    };
    let Some((owner, name)) =
        full_name.split_once('/').filter(|(owner, name)| is_name(owner) && is_name(name))
    else {
        return Err(format!("{full_name:?} is no repository of it: write OWNER/NAME"));
    };
    // Runs name a clone by its path without links.
    let path = path.canonicalize().unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "the clone of a GitHub repository is not there yet");
        path.to_owned()
    });
    Ok(Link {
        path: path.to_str().ok_or_else(|| format!("the path of {full_name} is no text"))?.to_owned(),
        owner: owner.to_owned(),
        name: name.to_owned(),
        common_dir: OnceCell::new(),
    })
}

/// The address repositories are below, if a secret may be sent there.
fn git_base(address: &str) -> Result<String, String> {
    let url = Url::parse(address).map_err(|error| format!("{address} is no address: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    match url.scheme() {
        "https" if is_plain => {}
        "http" if is_plain && is_here => {}
        _ => return Err(format!("{address} is no address of git repositories: write https://HOST")),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::{git_base, link};
    use std::path::Path;

    #[test]
    fn only_names_of_repositories_are_taken() {
        let path = Path::new("/");
        let one = link(path, "acme-1/shop.js_2").unwrap();
        assert_eq!(one.api("pulls/7"), "repos/acme-1/shop.js_2/pulls/7");
        for bad in
            ["", "shop", "acme/", "/shop", "acme/shop/x", "acme/..", "acme/a b", "acme/?x", "ac%2fme/x"]
        {
            assert!(link(path, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_sent_over_tls_or_to_this_machine() {
        assert_eq!(git_base("https://github.com/").unwrap(), "https://github.com");
        assert_eq!(git_base("http://127.0.0.1:1/git").unwrap(), "http://127.0.0.1:1/git");
        for bad in
            ["", "github.com", "http://github.com", "https://a:b@github.com", "ssh://github.com", "file:///x"]
        {
            assert!(git_base(bad).is_err(), "{bad}");
        }
    }
}
