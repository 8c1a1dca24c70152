//! Fetches from and pushes to a place beyond this machine, as the host.
//!
//! This is done by a folder of the host's own that takes nothing from the clone but its objects: jobs can write the clone's
//! configuration, and an address there that stands for another, a proxy or a certificate check that is switched off would
//! have the credential sent to somebody else.

use super::LocalGit;
use super::command::Call;
use super::error::GitError;
use super::refs::{branch_ref, commit_id};
use super::repository::Repository;
use super::repository_name;
use crate::files::create_private_dir;
use base64ct::{Base64, Encoding as _};
use lockstep_ports::Secret;
use lockstep_types::Digest;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The whole of a large repository over a slow line.
const TRANSFER_TIME_LIMIT: Duration = Duration::from_mins(15);
/// Less than this many bytes a second for so many seconds is no connection any more.
const SLOWEST: (&str, &str) = ("1000", "60");

/// A repository somewhere else.
#[derive(Debug)]
pub(crate) struct Remote {
    /// Its address, `https://github.com/acme/shop.git`.
    pub(crate) url: String,
    /// Who the host is there, and its password.
    pub(crate) login: (&'static str, Secret),
}

/// What became of a push.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The branch there is at the commit.
    Done,
    /// It has meanwhile moved there.
    Moved,
    /// It is not to be moved like that, in the words of the other side.
    Refused(String),
}

impl LocalGit {
    /// Brings the commits of a branch over; the commit at its tip. No branch of the repository is moved.
    pub(crate) async fn fetch_from(
        &self,
        repository: &Repository,
        remote: &Remote,
        branch: &str,
    ) -> Result<String, GitError> {
        let kept = format!("refs/fetched/{}", Digest::of(branch.as_bytes()).short());
        let refspec = format!("+{}:{kept}", branch_ref(branch)?);
        let mut call = self.transfer(repository, remote, "fetch").await?;
        for arg in ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"] {
            call = call.arg(arg);
        }
        // What is here already need not come again.
        for have in repository.some_tips().await? {
            call = call.arg(format!("--negotiation-tip={have}"));
        }
        call.arg("--no-recurse-submodules")
            .arg("--end-of-options")
            .arg(&remote.url)
            .arg(refspec)
            .checked()
            .await?;
        let tip = self.apart(repository).await?;
        let tip =
            tip.arg("rev-parse").arg("--verify").arg("--end-of-options").arg(format!("{kept}^{{commit}}"));
        Ok(commit_id(&tip.text().await?)?.to_owned())
    }

    /// Moves a branch there to `commit`: forward, or from exactly `replaced`, wherever that leads.
    pub(crate) async fn push_to(
        &self,
        repository: &Repository,
        remote: &Remote,
        (branch, commit): (&str, &str),
        replaced: Option<&str>,
    ) -> Result<Pushed, GitError> {
        let name = branch_ref(branch)?;
        let mut call = self.transfer(repository, remote, "push").await?.arg("--porcelain").arg("--no-verify");
        call = call.arg("--recurse-submodules=no").arg("--signed=no");
        if let Some(replaced) = replaced {
            call = call.arg(format!("--force-with-lease={name}:{}", commit_id(replaced)?));
        }
        let refspec = format!("{}:{name}", commit_id(commit)?);
        let output = call.arg("--end-of-options").arg(&remote.url).arg(refspec).run().await?;
        if output.code == Some(0) {
            return Ok(Pushed::Done);
        }
        // `!\tFROM:TO\t[remote rejected] (why)`
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let told =
            told.lines().find_map(|line| line.strip_prefix("!\t")?.rsplit('\t').next().map(str::to_owned));
        match told {
            Some(told) if told.contains("fetch first") || told.contains("stale") => Ok(Pushed::Moved),
            Some(told) if told.contains("non-fast-forward") || told.contains("cannot lock ref") => {
                Ok(Pushed::Moved)
            }
            Some(told) => {
                let said =
                    output.messages.lines().find_map(|line| line.trim().strip_prefix("remote: error: "));
                Ok(Pushed::Refused(crate::text::as_line(said.unwrap_or(&told), "it gave no reason")))
            }
            None => Err(output.failed()),
        }
    }

    /// A call in the host's own folder, with the objects of the repository.
    async fn apart(&self, repository: &Repository) -> Result<Call<'_>, GitError> {
        let folder = self.folder_for(repository).await?;
        let none: [&str; 0] = [];
        let call = self.inner.git.call(none).env("GIT_DIR", &folder);
        let call = call.env("GIT_OBJECT_DIRECTORY", repository.common_dir().join("objects"));
        let shallow = repository.common_dir().join("shallow");
        Ok(if shallow.is_file() { call.env("GIT_SHALLOW_FILE", shallow) } else { call })
    }

    /// The same, with what it takes to get to the other side.
    async fn transfer(
        &self,
        repository: &Repository,
        remote: &Remote,
        name: &str,
    ) -> Result<Call<'_>, GitError> {
        let (user, password) = &remote.login;
        let login = Base64::encode_string(format!("{user}:{}", password.expose()).as_bytes());
        // Goes to this address alone, as the environment of git shows, which only this user can see.
        let header = format!("http.{}.extraHeader", remote.url);
        let settings: [(OsString, OsString); 4] = [
            (header.into(), format!("Authorization: Basic {login}").into()),
            ("http.followRedirects".into(), "false".into()),
            ("http.lowSpeedLimit".into(), SLOWEST.0.into()),
            ("http.lowSpeedTime".into(), SLOWEST.1.into()),
        ];
        let scheme = remote.url.split(':').next().unwrap_or_default();
        let call = self.apart(repository).await?.settings(&settings).env("GIT_ALLOW_PROTOCOL", scheme);
        Ok(call.time_limit(TRANSFER_TIME_LIMIT).arg(name))
    }

    /// The host's own folder for what a repository exchanges with others. Made once; whatever is in it can be made again.
    async fn folder_for(&self, repository: &Repository) -> Result<PathBuf, GitError> {
        let folder = self.inner.data_dir.join("forge").join(format!("{}.git", repository_name(repository)));
        if folder.join("HEAD").is_file() {
            return Ok(folder);
        }
        create_private_dir(&folder).map_err(|source| GitError::File {
            what: "create",
            path: folder.display().to_string(),
            source,
        })?;
        let format = repository.call(["rev-parse", "--show-object-format"]).text().await?;
        let format = format!("--object-format={format}");
        let args = ["init", "--quiet", "--bare", "--template=", "--initial-branch=none", &format];
        self.inner.git.call(args).arg(&folder).checked().await?;
        Ok(folder)
    }
}

/// Branches whose tips the other side is told, so that it sends only what lies beyond them.
const TIPS_TOLD: &str = "--count=32";

impl Repository {
    /// The tips of the branches that were worked on last.
    async fn some_tips(&self) -> Result<Vec<String>, GitError> {
        let args =
            ["for-each-ref", TIPS_TOLD, "--sort=-committerdate", "--format=%(objectname)", "refs/heads"];
        let listed = self.call(args).text().await?;
        Ok(listed.lines().filter(|line| commit_id(line).is_ok()).map(str::to_owned).collect())
    }
}
