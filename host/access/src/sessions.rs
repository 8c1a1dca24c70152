//! Browsers that somebody has logged in with. Of a session the store holds the digest of its id alone; the id is in the
//! cookie, and what forms must send along follows from it.

use crate::identity::Identity;
use crate::keeper::{Access, State};
use crate::token::{self, SECRET_BYTES};
use lockstep_ports::{AccessChange, ServiceError};
use lockstep_types::{Digest, SessionOf, SessionRow, Timestamp};
use std::sync::Arc;

/// How long a session lasts that nobody uses: a working day and its evening.
pub const SESSION_IDLE_MS: u64 = 12 * 60 * 60 * 1000;
/// How long a session lasts at most: a week.
pub const SESSION_ABSOLUTE_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// How exactly its last use is kept: a write every ten minutes is nothing, and 12 hours need no more.
const SEEN_STEP_MS: u64 = 10 * 60 * 1000;
/// Sessions at once; beyond that the one that was not used for longest ends. All of them are in memory.
const SESSIONS_MAX: usize = 1000;
/// How long a log-in link is good for: from a terminal to a browser.
const LINK_MS: u64 = 2 * 60 * 1000;
/// Log-in links at once that nobody has used; beyond that the oldest is no longer good.
const LINKS_MAX: usize = 16;

impl Access {
    /// Begins a session and gives its id, for a cookie. Whatever the browser held before is never taken over.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub async fn begin_session(&self, of: SessionOf) -> Result<String, ServiceError> {
        let id = token::random(SECRET_BYTES)?;
        let now = self.now();
        let row = SessionRow { id: Digest::of(id.as_bytes()), of, begun_at: now, seen_at: now };
        let _in_order = self.writing.lock().await;
        let ended = self.ended_sessions(now);
        let mut changes: Vec<_> = ended.iter().copied().map(AccessChange::RemoveSession).collect();
        changes.push(AccessChange::PutSession(row.clone()));
        self.keep(changes).await?;
        let mut state = self.state();
        ended.iter().for_each(|id| drop(state.sessions.remove(id)));
        state.sessions.insert(row.id, row);
        Ok(id)
    }

    /// Sessions that go before another one begins: those that are over, and one if there are too many.
    fn ended_sessions(&self, now: Timestamp) -> Vec<Digest> {
        let state = self.state();
        let is_gone = |row: &&SessionRow| is_over(row, now) || is_orphan(&state, row);
        let mut ended: Vec<Digest> = state.sessions.values().filter(is_gone).map(|row| row.id).collect();
        if state.sessions.len() - ended.len() >= SESSIONS_MAX {
            let oldest = state.sessions.values().filter(|row| !ended.contains(&row.id));
            ended.extend(oldest.min_by_key(|row| row.seen_at).map(|row| row.id));
        }
        ended
    }

    /// Whoever holds the session of this id; `local` is the digest of the data folder's token. None if there is no such
    /// session, it is over, or what it was begun with is no longer good.
    pub fn in_session(self: &Arc<Self>, id: &str, local: Digest) -> Option<Identity> {
        let key = Digest::of(id.as_bytes());
        let row = self.state().sessions.get(&key).cloned()?;
        let now = self.now();
        if is_over(&row, now) {
            return None;
        }
        let mut identity = match &row.of {
            SessionOf::Local { name, token } if *token == local => {
                Identity { names_others: false, via: "session of local".to_owned(), ..Identity::local(name) }
            }
            SessionOf::Local { .. } => return None,
            SessionOf::Token(token) => self.of_token_id(token)?,
        };
        identity.csrf = Digest::of_parts(&[b"lockstep csrf ", id.as_bytes()]).to_string();
        self.note_seen(&row, now);
        Some(identity)
    }

    /// Keeps when a session was used, now and then.
    fn note_seen(self: &Arc<Self>, row: &SessionRow, now: Timestamp) {
        if now.ms_since(row.seen_at) < SEEN_STEP_MS {
            return;
        }
        let id = row.id;
        if let Some(row) = self.state().sessions.get_mut(&id) {
            row.seen_at = now;
        }
        let access = Arc::clone(self);
        tokio::spawn(async move {
            let _in_order = access.writing.lock().await;
            // It may have ended meanwhile, and must not come back.
            let row = access.state().sessions.get(&id).cloned();
            if let Some(row) = row {
                drop(access.keep(vec![AccessChange::PutSession(row)]).await);
            }
        });
    }

    /// Ends the session of this id; one that is not there has ended.
    ///
    /// # Errors
    /// If that cannot be stored; it has ended for this process all the same.
    pub async fn end_session(&self, id: &str) -> Result<(), ServiceError> {
        let key = Digest::of(id.as_bytes());
        let _in_order = self.writing.lock().await;
        match self.state().sessions.remove(&key) {
            Some(_) => {}
            None => return Ok(()),
        }
        self.keep(vec![AccessChange::RemoveSession(key)]).await
    }

    /// The code of a link with which the user of the data folder logs in once, under this name, in the next two minutes.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn new_link(&self, name: &str) -> Result<String, ServiceError> {
        let code = token::random(SECRET_BYTES)?;
        let now = self.now();
        let mut state = self.state();
        state.links.retain(|_, (_, until)| *until > now);
        if state.links.len() >= LINKS_MAX {
            let oldest = state.links.iter().min_by_key(|(_, (_, until))| *until).map(|(key, _)| *key);
            oldest.map(|key| state.links.remove(&key));
        }
        state.links.insert(Digest::of(code.as_bytes()), (name.to_owned(), now.plus_ms(LINK_MS)));
        Ok(code)
    }

    /// For whom a link was, which is used up by this; none if it is not good, or no longer.
    pub fn use_link(&self, code: &str) -> Option<String> {
        let (name, until) = self.state().links.remove(&Digest::of(code.as_bytes()))?;
        (until > self.now()).then_some(name)
    }
}

/// Sessions that were begun with a token.
pub(crate) fn of_token<'a>(state: &'a State, id: &'a str) -> impl Iterator<Item = &'a SessionRow> {
    state.sessions.values().filter(move |row| matches!(&row.of, SessionOf::Token(of) if of == id))
}

fn is_over(row: &SessionRow, now: Timestamp) -> bool {
    now.ms_since(row.seen_at) >= SESSION_IDLE_MS || now.ms_since(row.begun_at) >= SESSION_ABSOLUTE_MS
}

fn is_orphan(state: &State, row: &SessionRow) -> bool {
    matches!(&row.of, SessionOf::Token(id) if !state.tokens.contains_key(id))
}
