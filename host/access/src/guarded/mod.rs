//! The services of the host as somebody in particular may use them.

mod board;
mod components;
mod runs;
mod tokens;

use crate::audit::{Came, Deed};
use crate::identity::{Identity, carried, current};
use crate::keeper::Access;
use lockstep_ports::{
    AccessService, BacktestService, BoardService, ComponentService, RunService, ServiceError,
};
use lockstep_types::board::WorkspaceId;
use lockstep_types::{Role, RunId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Runs whose workspace is remembered: it never changes, and a feed names the same runs again and again.
const KNOWN_MAX: usize = 4096;

/// The services a host offers.
#[derive(Clone)]
pub struct Offered {
    /// Runs.
    pub runs: Arc<dyn RunService>,
    /// Boards.
    pub board: Arc<dyn BoardService>,
    /// Components.
    pub components: Arc<dyn ComponentService>,
    /// Backtests.
    pub backtests: Arc<dyn BacktestService>,
}

/// Those services, each call of which is made for whoever asks in the task it is made from: refused if they may not, shown
/// only as far as they may see, in their name, and written into the audit if it changes anything. Cheap to clone.
#[derive(Clone)]
pub struct Guarded(Arc<Shared>);

struct Shared {
    to: Offered,
    access: Arc<Access>,
    /// Who asks where a task does not say; none: such a call is refused.
    otherwise: Option<Arc<Identity>>,
    known: Mutex<HashMap<RunId, Option<WorkspaceId>>>,
}

type Answer<T> = Result<T, ServiceError>;

/// What a call takes.
#[derive(Clone, Copy)]
struct Takes {
    role: Role,
    /// Whether it concerns the whole host, and so nobody who is limited to workspaces.
    everywhere: bool,
}

const fn role(role: Role) -> Takes {
    Takes { role, everywhere: false }
}

const fn everywhere(role: Role) -> Takes {
    Takes { role, everywhere: true }
}

/// Whoever asks; none: the host itself.
#[derive(Clone)]
struct Who(Option<Arc<Identity>>);

impl Who {
    /// In whose name something is done for which the client gave `named`.
    fn by(&self, named: Option<&str>) -> String {
        match (&self.0, named) {
            (Some(identity), named) if !identity.names_others || named.is_none() => identity.name.clone(),
            (_, Some(named)) => named.to_owned(),
            (_, None) => "host".to_owned(),
        }
    }

    fn names_others(&self) -> bool {
        self.0.as_ref().is_none_or(|identity| identity.names_others)
    }

    fn sees(&self, workspace: Option<&WorkspaceId>) -> bool {
        self.0.as_ref().is_none_or(|identity| identity.sees(workspace))
    }

    fn is_unlimited(&self) -> bool {
        self.0.as_ref().is_none_or(|identity| identity.is_unlimited())
    }

    /// Workspaces it is limited to.
    fn workspaces(&self) -> &[WorkspaceId] {
        self.0.as_ref().map_or(&[], |identity| &identity.workspaces)
    }

    fn may(&self, takes: Takes) -> Answer<()> {
        let Some(identity) = &self.0 else { return Ok(()) };
        let name = &identity.name;
        if identity.role < takes.role {
            let (has, needs) = (identity.role.word(), takes.role.word());
            return Err(ServiceError::Forbidden(format!(
                "{name} is {} {has}, and this takes {} {needs}: ask somebody who is",
                article(has),
                article(needs)
            )));
        }
        if takes.everywhere && !identity.is_unlimited() {
            let named: Vec<&str> = identity.workspaces.iter().map(WorkspaceId::as_str).collect();
            let named = named.join(", ");
            return Err(ServiceError::Forbidden(format!(
                "{name} is limited to {named}, and this concerns the whole host: ask somebody who is not"
            )));
        }
        Ok(())
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'o']) { "an" } else { "a" }
}

impl Guarded {
    /// Services that are asked by whoever the task they are called in says; a call that nobody is known to make is
    /// refused.
    #[must_use]
    pub fn new(to: Offered, access: Arc<Access>) -> Self {
        Self(Arc::new(Shared { to, access, otherwise: None, known: Mutex::default() }))
    }

    /// Services that `identity` alone asks.
    #[must_use]
    pub fn by(to: Offered, access: Arc<Access>, identity: Identity) -> Self {
        Self(Arc::new(Shared { to, access, otherwise: Some(Arc::new(identity)), known: Mutex::default() }))
    }

    /// The same services, all of them from this one.
    #[must_use]
    pub fn offered(&self) -> Offered {
        Offered {
            runs: Arc::new(self.clone()),
            board: Arc::new(self.clone()),
            components: Arc::new(self.clone()),
            backtests: Arc::new(self.clone()),
        }
    }

    /// The tokens and the audit in the same way.
    #[must_use]
    pub fn access(&self) -> Arc<dyn AccessService> {
        Arc::new(self.clone())
    }

    /// Whoever asks. A stream that was begun with a token ends with it, too.
    fn who(&self) -> Answer<Who> {
        match (current(), &self.0.otherwise) {
            (Some(Some(identity)), _) if !self.0.access.is_good(&identity) => {
                Err(ServiceError::Forbidden(format!("the token of {} is accepted no more", identity.name)))
            }
            (Some(who), _) => Ok(Who(who)),
            (None, Some(identity)) => Ok(Who(Some(Arc::clone(identity)))),
            (None, None) => Err(ServiceError::Forbidden("nobody is known to ask for this".to_owned())),
        }
    }

    /// Whoever asks, who may.
    fn may(&self, takes: Takes) -> Answer<Who> {
        let who = self.who()?;
        who.may(takes)?;
        Ok(who)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<RunId, Option<WorkspaceId>>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The workspace of a run.
    async fn place_of(&self, run: &RunId) -> Answer<Option<WorkspaceId>> {
        let known = self.known().get(run).cloned();
        if let Some(place) = known {
            return Ok(place);
        }
        let place = self.0.to.runs.get(run).await?.summary.workspace;
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(run.clone(), place.clone());
        Ok(place)
    }

    /// Whether a run may be seen; one that cannot be read may not.
    async fn shows(&self, who: &Who, run: &RunId) -> bool {
        who.is_unlimited() || self.place_of(run).await.is_ok_and(|place| who.sees(place.as_ref()))
    }

    /// Answers about a run that may not be seen as about one that is not there.
    async fn see_run(&self, who: &Who, run: &RunId) -> Answer<()> {
        if self.shows(who, run).await {
            return Ok(());
        }
        Err(ServiceError::NotFound(format!("there is no run {run}: see `lockstep runs list`")))
    }

    /// The same of a workspace.
    fn see_board(&self, who: &Who, workspace: &WorkspaceId) -> Answer<()> {
        if who.sees(Some(workspace)) {
            return Ok(());
        }
        let detail = format!("there is no workspace {workspace}: list them, or create it");
        Err(ServiceError::NotFound(detail))
    }

    /// Whoever asks, who may read what is on a board.
    fn reads(&self, workspace: &WorkspaceId) -> Answer<()> {
        let who = self.may(role(Role::Viewer))?;
        self.see_board(&who, workspace)
    }

    /// Does what changes something: writes down that it was asked for, by whom, and how it ended. `work` is told in whose
    /// name; it comes to its end even if whoever asked goes away.
    async fn changes<T, F>(
        &self,
        who: &Who,
        takes: Takes,
        deed: Deed,
        named: Option<&str>,
        work: impl FnOnce(String) -> F + Send,
        came: impl FnOnce(&T) -> Came + Send + 'static,
    ) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        let (access, who, by) = (Arc::clone(&self.0.access), who.clone(), who.by(named));
        let work = work(by.clone());
        let done = tokio::spawn(carried(async move {
            let number = access.begin(who.0.as_deref(), &by, deed).await?;
            let result = match who.may(takes) {
                Ok(()) => tokio::spawn(carried(work)).await.unwrap_or_else(|_| Err(fault())),
                Err(error) => Err(error),
            };
            let came = result.as_ref().map_or_else(|_| Came::default(), came);
            access.finish(number, result.as_ref().err(), came).await;
            result
        }));
        done.await.unwrap_or_else(|_| Err(fault()))
    }
}

/// What is said of a panic, which has a line in the log.
fn fault() -> ServiceError {
    tracing::error!("a request ended in a panic");
    ServiceError::Internal("the request ended in a fault of the host: see its log".to_owned())
}

/// Nothing more to write down than what was asked.
fn as_asked<T>(_: &T) -> Came {
    Came::default()
}
