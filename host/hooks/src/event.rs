use lockstep_ports::{ForgePullRequest, ReviewVerdict};

/// What a delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Something happened that may concern an item.
    Event(ForgeEvent),
    /// The forge tries out whether it is heard.
    Ping,
    /// Nothing that concerns anybody here, and why.
    Ignored(String),
}

/// Something that happened in a repository of a forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgeEvent {
    /// `OWNER/NAME`.
    pub repository: String,
    /// Login of whoever caused it.
    pub sender: String,
    /// What.
    pub happened: Happened,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A pull request got a label, or was opened with labels.
    Labelled {
        /// The pull request.
        on: SeenPullRequest,
        /// The labels it got.
        labels: Vec<String>,
    },
    /// Somebody said something under an open pull request.
    Commented {
        /// Number of the pull request.
        number: u64,
        /// Login of who said it.
        author: String,
        /// Whether the forge says that they may write to the repository.
        may_write: bool,
        /// What.
        text: String,
    },
    /// A check or status of a commit ended.
    CheckSettled {
        /// The commit.
        head: String,
        /// Its name.
        name: String,
        /// Whether it stands in the way.
        failed: bool,
        /// Pull requests it belongs to, as far as the forge says.
        numbers: Vec<u64>,
        /// Branches it belongs to, as far as the forge says.
        branches: Vec<String>,
    },
    /// A review was given.
    Reviewed {
        /// The pull request.
        on: SeenPullRequest,
        /// Its id.
        review: u64,
        /// Login of the reviewer.
        author: String,
        /// Whether the forge says that they may write to the repository.
        may_write: bool,
        /// What they concluded.
        verdict: ReviewVerdict,
        /// What they said.
        text: String,
        /// The commit they looked at.
        commit: String,
    },
    /// The head of a pull request moved.
    Synchronised {
        /// The pull request.
        on: SeenPullRequest,
    },
    /// A pull request was closed.
    Closed {
        /// The pull request.
        on: SeenPullRequest,
        /// Whether it was merged.
        merged: bool,
    },
    /// A branch was pushed to.
    Pushed {
        /// Which.
        branch: String,
        /// Its new tip; none: it was deleted.
        head: Option<String>,
    },
    /// A pull request left the merge queue without being merged.
    QueueRejected {
        /// Number of the pull request.
        number: u64,
        /// Its head, where the forge says it.
        head: Option<String>,
        /// Why, in the forge's words.
        reason: String,
        /// Whether it is because of conflicts.
        conflicts: bool,
    },
}

/// A pull request as an event tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPullRequest {
    /// Its number.
    pub number: u64,
    /// Where people look at it.
    pub url: String,
    /// Title.
    pub title: String,
    /// Text.
    pub body: String,
    /// Branch that carries the change; none: it is in another repository (a fork).
    pub head_branch: Option<String>,
    /// Commit at its tip.
    pub head_commit: String,
    /// Branch that receives it.
    pub base_branch: String,
    /// Whether it is open.
    pub is_open: bool,
}

impl From<&ForgePullRequest> for SeenPullRequest {
    fn from(known: &ForgePullRequest) -> Self {
        Self {
            number: known.number,
            url: known.url.clone(),
            title: known.title.clone(),
            body: known.body.clone(),
            head_branch: known.head_branch.clone(),
            head_commit: known.head_commit.clone(),
            base_branch: known.base_branch.clone(),
            is_open: known.is_open,
        }
    }
}

impl Happened {
    /// The number of the pull request it is about, if it names one.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Commented { number, .. } | Self::QueueRejected { number, .. } => Some(*number),
            Self::CheckSettled { numbers, .. } => numbers.first().copied(),
            Self::Pushed { .. } => None,
            Self::Labelled { on, .. }
            | Self::Reviewed { on, .. }
            | Self::Synchronised { on }
            | Self::Closed { on, .. } => Some(on.number),
        }
    }

    /// The branch it is about, if it names one.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        match self {
            Self::Commented { .. } | Self::QueueRejected { .. } => None,
            Self::CheckSettled { branches, .. } => branches.first().map(String::as_str),
            Self::Pushed { branch, .. } => Some(branch),
            Self::Labelled { on, .. }
            | Self::Reviewed { on, .. }
            | Self::Synchronised { on }
            | Self::Closed { on, .. } => on.head_branch.as_deref(),
        }
    }

    /// The pull request, if it tells of it whole.
    #[must_use]
    pub fn pull_request(&self) -> Option<&SeenPullRequest> {
        match self {
            Self::Labelled { on, .. }
            | Self::Reviewed { on, .. }
            | Self::Synchronised { on }
            | Self::Closed { on, .. } => Some(on),
            _ => None,
        }
    }
}
