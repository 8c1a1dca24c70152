//! Tells those outside what happens in runs: each at its own pace, in order, at least once.
//!
//! How far somebody was told is kept, so that a host that was killed goes on where it was. Somebody who does not answer is
//! tried again and again for about a day, and holds up nobody else; then the message is given up.

use crate::runtime::Runtime;
use lockstep_ports::{Bookmark, Bookmarks, Clock, Happening, Listener, Measure, Message, Meter, RunService};
use lockstep_types::TimelineEntry;
use std::sync::Arc;
use tokio::sync::watch;

/// Records read at a time.
const PAGE: usize = 100;

/// Wait before a message is sent again; doubled each time.
const FIRST_WAIT_MS: u64 = 1000;

/// Longest wait.
const LONGEST_WAIT_MS: u64 = 10 * 60 * 1000;

/// Times a message is sent: with waits that grow to ten minutes, about a day.
const TRIES_MAX: u32 = 150;

/// Records without a message after which the place is kept: so many at most are read again after a start.
const KEEP_EVERY: u64 = 1000;

/// Wait after the feed or a bookmark could not be read.
const TROUBLE_WAIT_MS: u64 = 10_000;

impl Runtime {
    /// Tells each listener what happens in runs from where it was told last, a new one from now on, until the host goes
    /// down.
    pub fn follow(
        &self,
        listeners: Vec<Arc<dyn Listener>>,
        bookmarks: &Arc<dyn Bookmarks>,
        meter: &Arc<dyn Meter>,
    ) {
        for listener in listeners {
            let follower = Follower {
                runs: self.clone(),
                clock: Arc::clone(&self.shared.outside.clock),
                listener,
                bookmarks: Arc::clone(bookmarks),
                meter: Arc::clone(meter),
                bookmark: Bookmark::default(),
                kept: 0,
            };
            let mut stopping = self.shared.stopping.subscribe();
            tokio::spawn(async move {
                tokio::select! {
                    () = until_stopped(&mut stopping) => {}
                    () = follower.follow() => {}
                }
            });
        }
    }
}

async fn until_stopped(stopping: &mut watch::Receiver<bool>) {
    stopping.wait_for(|stopping| *stopping).await.map(drop).unwrap_or_default();
}

struct Follower {
    runs: Runtime,
    clock: Arc<dyn Clock>,
    listener: Arc<dyn Listener>,
    bookmarks: Arc<dyn Bookmarks>,
    meter: Arc<dyn Meter>,
    bookmark: Bookmark,
    /// The position that is durable.
    kept: u64,
}

impl Follower {
    async fn follow(mut self) {
        self.bookmark = self.begin().await;
        self.kept = self.bookmark.position;
        loop {
            let after = self.bookmark.position;
            let page = match self.runs.feed(after, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(listener = self.listener.name(), %error, "the feed cannot be read; again soon");
                    self.wait(TROUBLE_WAIT_MS).await;
                    continue;
                }
            };
            if page.is_empty() {
                self.runs.feed_beyond(after).await;
            }
            for item in page {
                let mut has_told = false;
                for (number, entry) in item.entries.iter().enumerate() {
                    if let Some(what) = Happening::of(&entry.what).filter(|what| self.listener.wants(*what)) {
                        self.tell(what, number, entry).await;
                        has_told = true;
                    }
                }
                // Only with its last message is a record told: after a crash it is told again, whole.
                self.bookmark.position = item.position;
                if has_told || item.position >= self.kept + KEEP_EVERY {
                    self.keep().await;
                }
            }
        }
    }

    /// Where it was told last. One that is beyond the feed is of a host that was put back to an earlier state.
    async fn begin(&self) -> Bookmark {
        loop {
            let end = self.runs.feed_end().await;
            match self.bookmarks.load(self.listener.name()).await {
                Ok(Some(bookmark)) => return Bookmark { position: bookmark.position.min(end), ..bookmark },
                Ok(None) => {
                    let bookmark = Bookmark { position: end, ..Bookmark::default() };
                    if self.bookmarks.save(self.listener.name(), &bookmark).await.is_ok() {
                        return bookmark;
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        listener = self.listener.name(),
                        error,
                        "its place in the feed cannot be read"
                    );
                }
            }
            self.wait(TROUBLE_WAIT_MS).await;
        }
    }

    /// Sends one message until it is taken or given up.
    async fn tell(&mut self, what: Happening, number: usize, entry: &TimelineEntry) {
        let delivery = Message {
            id: format!("{}.{}.{number}", entry.run, entry.seq),
            at: entry.at,
            what,
            run: entry.run.clone(),
            step: entry.step.clone(),
            text: entry.text.clone(),
            summary: self.runs.get(&entry.run).await.ok().map(|view| view.summary),
        };
        for tries in 1.. {
            let Err(error) = self.listener.deliver(&delivery).await else {
                self.note("delivered");
                self.bookmark.delivered += 1;
                self.bookmark.last_success = Some(self.clock.now());
                self.bookmark.failing = None;
                break;
            };
            let since = self.bookmark.failing.take().map_or_else(|| self.clock.now(), |(since, _)| since);
            self.bookmark.failing = Some((since, error.message.clone()));
            if !error.is_temporary || tries >= TRIES_MAX {
                self.note("given-up");
                self.bookmark.given_up += 1;
                let (listener, id) = (self.listener.name(), &delivery.id);
                tracing::warn!(listener, id, tries, %error, "a message is given up: see `lockstep doctor`");
                break;
            }
            self.note("failed");
            if tries == 1 {
                tracing::warn!(listener = self.listener.name(), %error, "a message was not taken; it is sent again");
                self.keep().await;
            }
            self.wait(wait_ms(tries)).await;
        }
    }

    async fn keep(&mut self) {
        match self.bookmarks.save(self.listener.name(), &self.bookmark).await {
            Ok(()) => self.kept = self.bookmark.position,
            Err(error) => {
                tracing::warn!(
                    listener = self.listener.name(),
                    error,
                    "its place in the feed cannot be kept"
                );
            }
        }
    }

    fn note(&self, outcome: &str) {
        self.meter.note(&Measure::Delivery { listener: self.listener.name(), outcome });
    }

    async fn wait(&self, ms: u64) {
        self.clock.sleep_until(self.clock.now().plus_ms(ms)).await;
    }
}

/// Wait after a message was sent so many times.
fn wait_ms(tries: u32) -> u64 {
    (FIRST_WAIT_MS << (tries - 1).min(16)).min(LONGEST_WAIT_MS)
}
