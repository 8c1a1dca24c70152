//! The embedded store: the journal and the components behind the ports, on a log of files and sled.
//!
//! One thread writes. It takes every write that waits, appends them to the log, flushes once to the device, and only then
//! answers and lets readers see them. Another brings sled, which finds values in the log, up to date behind it, and gives
//! back the space of what went. Nothing here decides what a record means.
#![warn(missing_docs)]

mod access;
mod boards;
mod committer;
mod components;
mod deliveries;
mod error;
mod index;
mod journal;
mod keeper;
mod keys;
mod log;
mod migrate;
mod open;
mod registry;
mod replies;
mod staging;
pub mod tools;
mod turn;
mod view;

pub use open::OpenError;

use committer::{Committer, QUEUE_MAX, Request, Write};
use error::{Failure, Shared};
use keeper::Keeper;
use lockstep_ports::JournalError;
use open::{Opened, shown};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use view::View;

/// The folder of log and index within the data folder.
const STORE: &str = "journal";
/// The folder of component files within the data folder.
const COMPONENTS: &str = "components";

/// A data folder opened for one host: its journal and its components. Cloning is not offered: share it with `Arc`.
pub struct SledStore {
    inner: Arc<Inner>,
    queue: RwLock<Option<mpsc::Sender<Request>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
    shelf: deliveries::Shelf,
}

/// What the threads of the store and readers share.
pub(crate) struct Inner {
    /// The folder of log and index.
    folder: PathBuf,
    /// The folder of component files.
    components: PathBuf,
    view: View,
    /// Position of the last durable record in the feed of all runs.
    feed_end: AtomicU64,
    is_closed: AtomicBool,
    keeper: keeper::Waker,
}

impl SledStore {
    /// Opens the data folder `path`, or makes a new one there. What a crash left behind is put right. The time this takes
    /// depends on how much was written since the last start, not on how many runs there are; only after a crash of the
    /// machine everything stored is read once.
    ///
    /// # Errors
    /// `OpenError` if it is in use, was written by a newer version, is damaged, or cannot be read and written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let folder = path.as_ref().join(STORE);
        let Opened { view, writer, lock } = open::open(&folder)?;
        let feed_end = journal::feed_end(&view).map_err(|failure| OpenError::of(failure, &folder))?;
        let components = path.as_ref().join(COMPONENTS);
        components::prepare(&components)
            .map_err(OpenError::io("prepare the folder of components", &components))?;
        let (keeper, wake) = Keeper::new();
        let inner = Arc::new(Inner {
            folder,
            components,
            view,
            feed_end: AtomicU64::new(feed_end),
            is_closed: AtomicBool::new(false),
            keeper: wake,
        });
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let committer = Committer::new(Arc::clone(&inner), writer, receiver);
        let (of_keeper, queue) = (Arc::clone(&inner), sender.downgrade());
        let threads = [
            spawn("store-committer", &inner, move || committer.run())?,
            spawn("store-keeper", &inner, move || keeper.run(&of_keeper, &queue))?,
        ];
        Ok(Self {
            inner,
            queue: RwLock::new(Some(sender)),
            threads: Mutex::new(threads.into()),
            lock: Mutex::new(Some(lock)),
            shelf: deliveries::Shelf::default(),
        })
    }

    /// Waits until all that was asked for is written, then closes the folder: it can be opened again at once. Closing it
    /// again does nothing. Blocks for as long as a flush takes.
    pub fn close(&self) {
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if threads.is_empty() {
            return;
        }
        self.inner.keeper.stop();
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!(folder = %self.inner.folder.display(), "a thread of the store panicked");
            }
        }
        self.inner.is_closed.store(true, Ordering::Release);
        self.inner.view.index.close();
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
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

    /// The same for who has no runtime, or may block it.
    fn write_blocking(&self, write: Write) -> Result<u64, JournalError> {
        let (reply, answer) = oneshot::channel();
        let request = Request { write, reply };
        self.queue()?.blocking_send(request).map_err(|_| self.inner.no_committer())?;
        answer.blocking_recv().map_err(|_| self.inner.no_committer())?
    }

    /// Reads off the calling task: a page may have to come from the disk.
    async fn read<T, F>(&self, read: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&View) -> Result<T, Failure> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let result = blocking(move || inner.read(read)).await?;
        if matches!(&result, Err(JournalError::Io { .. } | JournalError::Full { .. })) {
            // If the index failed, it is the committer that opens it again; a full queue will make it try anyway.
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
    fn read<T>(&self, read: impl FnOnce(&View) -> Result<T, Failure>) -> Result<T, JournalError> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(JournalError::Closed);
        }
        read(&self.view).map_err(|failure| failure.journal(&self.shown()))
    }

    /// Where the store is, for people.
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

fn spawn(
    name: &str,
    inner: &Inner,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, OpenError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(OpenError::io("start a thread", &inner.folder))
}

/// Runs what may block where it holds up no other task, if there are others.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JournalError> {
    match Handle::try_current() {
        // It fails only when the runtime shuts down.
        Ok(runtime) => runtime.spawn_blocking(work).await.map_err(|_| JournalError::Closed),
        Err(_) => Ok(work()),
    }
}
