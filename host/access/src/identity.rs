//! Who asks, and how that is known where it counts.

use lockstep_types::Role;
use lockstep_types::board::WorkspaceId;
use std::sync::Arc;

/// Whoever asks something of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name that goes into journals and the audit.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Workspaces they may see and touch; none: all, and what belongs to none.
    pub workspaces: Vec<WorkspaceId>,
    /// By what they are known: `local`, `token ID`, `session of token ID`, `terminal`.
    pub via: String,
    /// The address they ask from; empty for a terminal of this machine.
    pub from: String,
    /// What a form on a page must send along; empty where no page was served.
    pub csrf: String,
    /// Whether they may say in whose name they act. Only the user of the data folder may, who could write into it anyway.
    pub names_others: bool,
}

impl Identity {
    /// The user of the data folder, at a terminal.
    #[must_use]
    pub fn at_terminal(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            role: Role::Admin,
            workspaces: Vec::new(),
            via: "terminal".to_owned(),
            from: String::new(),
            csrf: String::new(),
            names_others: true,
        }
    }

    /// The user of the data folder, by its token.
    #[must_use]
    pub fn local(name: &str) -> Self {
        Self { via: "local".to_owned(), ..Self::at_terminal(name) }
    }

    /// Whether all there is may be seen.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.workspaces.is_empty()
    }

    /// Whether what belongs to `workspace` may be seen; none: it belongs to no board.
    #[must_use]
    pub fn sees(&self, workspace: Option<&WorkspaceId>) -> bool {
        self.is_unlimited() || workspace.is_some_and(|workspace| self.workspaces.contains(workspace))
    }

    /// What limits of requests and streams count by: whatever one person or program holds.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} {}", self.via, self.csrf)
    }
}

tokio::task_local! {
    /// Who asks in this task; none: nobody did, the host itself is at work.
    static CURRENT: Option<Arc<Identity>>;
}

/// Does `work` for whoever asks; for the host itself if that is nobody.
pub async fn acting<F: Future>(identity: Option<Arc<Identity>>, work: F) -> F::Output {
    CURRENT.scope(identity, work).await
}

/// `work` for whoever asks now, for a task of its own: a task that is spawned without this asks for nobody, and a guarded
/// service refuses it.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let identity = CURRENT.try_with(Clone::clone).ok();
    async move {
        match identity {
            Some(identity) => CURRENT.scope(identity, work).await,
            None => work.await,
        }
    }
}

/// Who asks in this task: nothing is known; the host itself; somebody.
#[must_use]
pub fn current() -> Option<Option<Arc<Identity>>> {
    CURRENT.try_with(Clone::clone).ok()
}
