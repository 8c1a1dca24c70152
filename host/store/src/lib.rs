//! The embedded store: the journal and the components behind the ports, on sled and a folder of files.
//!
//! One thread writes. It takes every write that waits, makes them durable in one batch with one flush to the device,
//! and only then answers and lets readers see them. It never decides what a record means, never repairs one, and never
//! writes from two threads: sled 0.34 can lock up when several flush at once from its own pool.
#![warn(missing_docs)]

mod boards;
mod committer;
mod components;
mod error;
mod journal;
mod keys;
mod open;
mod registry;
mod repair;
mod values;

pub use open::OpenError;

use committer::{Committer, QUEUE_MAX, Request, Write};
use error::{Failure, Shared};
use lockstep_ports::JournalError;
use open::{Database, shown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// The folder of the database within the data folder.
const DATABASE: &str = "journal";
/// The folder of component files within the data folder.
const COMPONENTS: &str = "components";

/// A data folder opened for one host: its journal and its components. Cloning is not offered: share it with `Arc`.
pub struct SledStore {
    inner: Arc<Inner>,
    queue: RwLock<Option<mpsc::Sender<Request>>>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

/// What the committer and readers share.
pub(crate) struct Inner {
    /// The folder of the database.
    folder: PathBuf,
    /// The folder of component files.
    components: PathBuf,
    access: RwLock<Access>,
    /// Position of the last durable record in the feed of all runs.
    feed_end: AtomicU64,
}

pub(crate) enum Access {
    Open(Database),
    /// A write failed, and the database could not be opened again yet.
    Failed(Failure),
    Closed,
}

impl SledStore {
    /// Opens the data folder `path`, or makes a new one there. What a crash left behind is put right. The time this takes
    /// depends on how much was written since the last start, not on how many runs there are.
    ///
    /// # Errors
    /// `OpenError` if it is in use, was written by a newer version, is damaged, or cannot be read and written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let folder = path.as_ref().join(DATABASE);
        let database = open::open(&folder)?;
        let feed_end = journal::feed_end(&database.db).map_err(|source| OpenError::Damaged {
            what: "the feed",
            path: shown(&folder),
            source: source.into(),
        })?;
        let components = path.as_ref().join(COMPONENTS);
        components::prepare(&components).map_err(|source| OpenError::Io {
            operation: "prepare the folder of components",
            path: shown(&components),
            source,
        })?;
        let inner = Arc::new(Inner {
            folder,
            components,
            access: RwLock::new(Access::Open(database)),
            feed_end: AtomicU64::new(feed_end),
        });
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let committer = Committer::new(Arc::clone(&inner), receiver);
        let thread = thread::Builder::new()
            .name("store-committer".to_owned())
            .spawn(move || committer.run())
            .map_err(|source| OpenError::Io { operation: "start a thread", path: inner.shown(), source })?;
        Ok(Self { inner, queue: RwLock::new(Some(sender)), committer: Mutex::new(Some(thread)) })
    }

    /// Waits until all that was asked for is written, then closes the folder: it can be opened again at once. Closing it
    /// again does nothing. Blocks for as long as a flush takes.
    pub fn close(&self) {
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.committer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(folder = %self.inner.folder.display(), "the committer panicked");
        }
    }

    fn queue(&self) -> Result<mpsc::Sender<Request>, JournalError> {
        self.queue.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(JournalError::Closed)
    }

    /// Hands a write to the committer and waits until it is durable.
    async fn write(&self, write: Write) -> Result<u64, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.queue()?.send(Request { write, reply }).await.map_err(|_| self.inner.no_committer())?;
        answer.await.map_err(|_| self.inner.no_committer())?
    }

    /// Reads off the calling task: a page may have to come from the disk, and a batch may be on its way to it.
    async fn read<T, F>(&self, read: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&sled::Db) -> Result<T, Failure> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let result = blocking(move || inner.read(read)).await?;
        if matches!(&result, Err(JournalError::Io { .. } | JournalError::Full { .. })) {
            // If the database failed, it is the committer that opens it again; a full queue will make it try anyway.
            let (reply, _) = oneshot::channel();
            drop(self.queue()?.try_send(Request { write: Write::Recover, reply }));
        }
        result
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    fn read<T>(&self, read: impl FnOnce(&sled::Db) -> Result<T, Failure>) -> Result<T, JournalError> {
        match &*self.access.read().unwrap_or_else(PoisonError::into_inner) {
            Access::Open(database) => read(&database.db).map_err(|failure| failure.journal(&self.shown())),
            Access::Failed(failure) => Err(failure.journal(&self.shown())),
            Access::Closed => Err(JournalError::Closed),
        }
    }

    /// Where the database is, for people.
    fn shown(&self) -> String {
        shown(&self.folder)
    }

    fn no_committer(&self) -> JournalError {
        Failure::Io("write", Shared::new("the committer stopped: restart the host")).journal(&self.shown())
    }

    fn feed_end(&self) -> u64 {
        self.feed_end.load(Ordering::Acquire)
    }
}

/// Runs what may block where it holds up no other task, if there are others.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JournalError> {
    match Handle::try_current() {
        // It fails only when the runtime shuts down.
        Ok(runtime) => runtime.spawn_blocking(work).await.map_err(|_| JournalError::Closed),
        Err(_) => Ok(work()),
    }
}
