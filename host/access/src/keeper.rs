//! The tokens and sessions there are, in memory as they are stored.

use crate::audit::{Came, Deed};
use crate::identity::Identity;
use crate::{sessions, token};
use async_trait::async_trait;
use lockstep_ports::{
    AccessChange, AccessService, AccessStore, AuditPage, AuditQuery, DoneBeside, IssuedToken, JournalError,
    NewToken, ServiceError, TokenView,
};
use lockstep_types::{Digest, SessionRow, Timestamp, TokenRow};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use subtle::ConstantTimeEq;

/// Tokens at once: people and programs of a team are some dozens, and all of them are in memory.
const TOKENS_MAX: usize = 1000;
/// Workspaces a token may be limited to.
const WORKSPACES_MAX: usize = 100;
/// Longest name of a token.
const NAME_MAX: usize = 64;
/// How exactly the last use of a token is kept: to know which are no longer needed, an hour will do.
const USED_STEP_MS: u64 = 60 * 60 * 1000;
/// Longest life of a token that has one: ten years.
const EXPIRES_DAYS_MAX: u32 = 3650;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Names that stand for something else in journals and in the audit.
const RESERVED: [&str; 5] = ["api", "host", "local", "operator", "terminal"];

/// Who may speak to the host. Share it with `Arc`.
pub struct Access {
    pub(crate) store: Option<Arc<dyn AccessStore>>,
    pub(crate) state: Mutex<State>,
    /// Held while tokens and sessions are stored, so that what is in memory and on disk change in one order.
    pub(crate) writing: tokio::sync::Mutex<()>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

#[derive(Default)]
pub(crate) struct State {
    /// By id.
    pub(crate) tokens: HashMap<String, TokenRow>,
    /// By the digest of their id.
    pub(crate) sessions: HashMap<Digest, SessionRow>,
    /// Log-in links that were not used yet, by the digest of their code: for whom, and until when.
    pub(crate) links: HashMap<Digest, (String, Timestamp)>,
}

impl Access {
    /// What a store holds of it, by the clock of the machine.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn open(store: Arc<dyn AccessStore>) -> Result<Self, JournalError> {
        Self::open_at(store, system_time).await
    }

    /// The same by another clock.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn open_at(
        store: Arc<dyn AccessStore>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, JournalError> {
        let tokens = store.token_rows().await?.into_iter().map(|row| (row.id.clone(), row)).collect();
        let sessions = store.session_rows().await?.into_iter().map(|row| (row.id, row)).collect();
        let state = State { tokens, sessions, links: HashMap::new() };
        Ok(Self {
            store: Some(store),
            state: Mutex::new(state),
            writing: tokio::sync::Mutex::default(),
            clock: Box::new(clock),
        })
    }

    /// One that keeps nothing: there is no token but that of the data folder, sessions end with the process, and nothing is
    /// written down.
    #[must_use]
    pub fn unkept() -> Self {
        Self {
            store: None,
            state: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            clock: Box::new(system_time),
        }
    }

    /// The time, as tokens and sessions go by it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever sends a token that was issued; none if there is no such token, or it has expired.
    pub fn holder(self: &Arc<Self>, text: &str) -> Option<Identity> {
        let (id, secret) = token::parts(text)?;
        let digest = Digest::of(secret.as_bytes());
        let row = self.state().tokens.get(id).cloned();
        // Somebody who guesses ids learns no sooner that there is none.
        let stored = row.as_ref().map_or_else(Digest::zero, |row| row.secret);
        let is_right: bool = digest.bytes().ct_eq(stored.bytes()).into();
        let row = row.filter(|row| is_right && !is_expired(row, self.now()))?;
        self.note_use(&row);
        Some(of_token(&row, format!("token {}", row.id)))
    }

    /// Whether the token somebody was known by is still accepted.
    pub(crate) fn is_good(&self, identity: &Identity) -> bool {
        let via = identity.via.strip_prefix("session of ").unwrap_or(&identity.via);
        via.strip_prefix("token ").is_none_or(|id| self.of_token_id(id).is_some())
    }

    /// Whoever a token is for, which is there and has not expired.
    pub(crate) fn of_token_id(&self, id: &str) -> Option<Identity> {
        let row = self.state().tokens.get(id).cloned()?;
        (!is_expired(&row, self.now())).then(|| of_token(&row, format!("session of token {}", row.id)))
    }

    /// Keeps when a token was used, now and then. Nobody waits for it, and nothing is lost if it fails.
    fn note_use(self: &Arc<Self>, row: &TokenRow) {
        let now = self.now();
        if row.used_at.is_some_and(|used| now.ms_since(used) < USED_STEP_MS) {
            return;
        }
        let used_at = Some(Timestamp(now.0 - now.0 % USED_STEP_MS));
        let Some(row) = self.state().tokens.get_mut(&row.id).map(|row| {
            row.used_at = used_at;
            row.id.clone()
        }) else {
            return;
        };
        let access = Arc::clone(self);
        tokio::spawn(async move {
            let _in_order = access.writing.lock().await;
            // It may have been revoked meanwhile, and must not come back.
            let row = access.state().tokens.get(&row).cloned();
            if let Some(row) = row {
                drop(access.keep(vec![AccessChange::PutToken(row)]).await);
            }
        });
    }

    pub(crate) async fn keep(&self, changes: Vec<AccessChange>) -> Result<(), ServiceError> {
        match &self.store {
            Some(store) => store.change_access(changes).await.map_err(|error| unavailable(&error)),
            None => Ok(()),
        }
    }

    fn is_taken(&self, name: &str) -> bool {
        self.state().tokens.values().any(|row| row.name == name)
    }
}

#[async_trait]
impl AccessService for Access {
    async fn add_token(&self, token: NewToken, by: &str) -> Result<IssuedToken, ServiceError> {
        let NewToken { name, role, mut workspaces, expires_days } = token;
        check(&name, workspaces.len(), expires_days)?;
        let _in_order = self.writing.lock().await;
        if self.is_taken(&name) {
            return Err(ServiceError::Conflict(format!(
                "there is a token {name} already: revoke it, or choose another name"
            )));
        }
        if self.state().tokens.len() >= TOKENS_MAX {
            let why = format!("there are {TOKENS_MAX} tokens, the most there may be: revoke some");
            return Err(ServiceError::Conflict(why));
        }
        workspaces.sort();
        workspaces.dedup();
        let (id, secret) = token::new()?;
        let now = self.now();
        let row = TokenRow {
            id: id.clone(),
            name,
            secret: Digest::of(secret.as_bytes()),
            role,
            workspaces,
            created_at: now,
            created_by: by.to_owned(),
            expires_at: expires_days.map(|days| now.plus_ms(u64::from(days) * DAY_MS)),
            used_at: None,
        };
        self.keep(vec![AccessChange::PutToken(row.clone())]).await?;
        let token = view(&row, now);
        self.state().tokens.insert(id.clone(), row);
        Ok(IssuedToken { secret: token::written(&id, &secret), token })
    }

    async fn tokens(&self) -> Result<Vec<TokenView>, ServiceError> {
        let now = self.now();
        let mut tokens: Vec<_> = self.state().tokens.values().map(|row| view(row, now)).collect();
        tokens.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tokens)
    }

    async fn revoke_token(&self, name: &str, _: &str) -> Result<TokenView, ServiceError> {
        let _in_order = self.writing.lock().await;
        let found = self.state().tokens.values().find(|row| row.name == name || row.id == name).cloned();
        let row = found.ok_or_else(|| {
            ServiceError::NotFound(format!("there is no token {name}: see `lockstep token list`"))
        })?;
        let theirs: Vec<Digest> = {
            let state = self.state();
            let of = sessions::of_token(&state, &row.id);
            of.map(|session| session.id).collect()
        };
        let mut changes = vec![AccessChange::RemoveToken(row.id.clone())];
        changes.extend(theirs.iter().copied().map(AccessChange::RemoveSession));
        self.keep(changes).await?;
        let mut state = self.state();
        state.tokens.remove(&row.id);
        theirs.iter().for_each(|id| drop(state.sessions.remove(id)));
        drop(state);
        Ok(view(&row, self.now()))
    }

    async fn note(&self, done: DoneBeside, subject: &str, by: &str) -> Result<(), ServiceError> {
        let number = self.begin(None, by, Deed::new(done.word(), subject)).await?;
        self.finish(number, None, Came::default()).await;
        Ok(())
    }

    async fn audit_page(&self, query: AuditQuery) -> Result<AuditPage, ServiceError> {
        self.page_of_audit(query).await
    }
}

fn check(name: &str, workspaces: usize, expires_days: Option<u32>) -> Result<(), ServiceError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    let wrong = if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(is_plain) {
        format!("{name:?} cannot name a token: use 1 to {NAME_MAX} letters, digits, `-`, `_`, `.` or `@`")
    } else if RESERVED.contains(&name) {
        format!("{name:?} stands for something else in the audit: choose another name")
    } else if workspaces > WORKSPACES_MAX {
        format!("a token may be limited to {WORKSPACES_MAX} workspaces: name fewer, or none for all")
    } else if expires_days.is_some_and(|days| !(1..=EXPIRES_DAYS_MAX).contains(&days)) {
        format!("a token may expire in 1 to {EXPIRES_DAYS_MAX} days")
    } else {
        return Ok(());
    };
    Err(ServiceError::Invalid(wrong))
}

fn is_expired(row: &TokenRow, now: Timestamp) -> bool {
    row.expires_at.is_some_and(|end| end <= now)
}

fn of_token(row: &TokenRow, via: String) -> Identity {
    Identity {
        name: row.name.clone(),
        role: row.role,
        workspaces: row.workspaces.clone(),
        via,
        from: String::new(),
        csrf: String::new(),
        names_others: false,
    }
}

fn view(row: &TokenRow, now: Timestamp) -> TokenView {
    TokenView {
        id: row.id.clone(),
        name: row.name.clone(),
        role: row.role,
        workspaces: row.workspaces.clone(),
        created_at: row.created_at,
        created_by: row.created_by.clone(),
        expires_at: row.expires_at,
        is_expired: is_expired(row, now),
        used_at: row.used_at,
    }
}

/// A failure of the store, as whoever asked is told.
pub(crate) fn unavailable(error: &JournalError) -> ServiceError {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    match error {
        JournalError::Full { .. } | JournalError::Closed => ServiceError::Unavailable(text),
        _ => ServiceError::Internal(text),
    }
}

fn system_time() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
