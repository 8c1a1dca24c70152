//! Keeping sled close behind the log.

use super::checkpoint::Checkpoint;
use super::{Access, CHECKPOINT_BYTES, Index, catch_up, distance};
use crate::error::{Failure, Shared};
use std::sync::{Arc, PoisonError};

/// When sled is flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// When the log has grown enough since the last time.
    WhenDue,
    Now,
}

impl Index {
    /// Moves what is in memory to sled. If that fails nothing is lost: it stays in memory, and in the log.
    pub(crate) fn settle(&self, flush: Flush) -> Result<(), Failure> {
        let mut checkpoint = self.keeping();
        let settled = self.settle_held(&mut checkpoint, flush, false);
        if let Err(failure) = &settled {
            self.fail(failure);
        }
        settled
    }

    /// Settles, and closes sled: it holds everything, and needs no look into the log when it is opened again.
    pub(crate) fn close(&self) {
        let mut checkpoint = self.keeping();
        if let Err(failure) = self.settle_held(&mut checkpoint, Flush::Now, true) {
            tracing::warn!(folder = %self.folder.display(), ?failure, "the index is brought up to date at the next start");
        }
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Access::Closed;
    }

    fn settle_held(&self, checkpoint: &mut Checkpoint, flush: Flush, is_last: bool) -> Result<(), Failure> {
        let (settling, through, usage) = {
            let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
            let fresh = std::mem::take(&mut recent.fresh);
            // Something is left there only after a failure.
            Arc::make_mut(&mut recent.settling).extend(fresh);
            (Arc::clone(&recent.settling), recent.through, recent.usage.clone())
        };
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let table = match &*table {
            Access::Open(table) => table,
            Access::Failed(failure) => return Err(failure.clone()),
            Access::Closed => return Err(Failure::Io("write", Shared::new("the store is closed"))),
        };
        table.check()?;
        table.apply(&settling)?;
        self.recent.write().unwrap_or_else(PoisonError::into_inner).settling = Arc::default();
        if flush == Flush::Now || distance(checkpoint.through, through.0) >= CHECKPOINT_BYTES {
            table.flush(through.1)?;
            let reached = checkpoint.reach(&self.folder, through, usage, is_last);
            reached.map_err(|error| Failure::of_io("write the index", error))?;
            self.recent.write().unwrap_or_else(PoisonError::into_inner).flushed = through.0;
        }
        Ok(())
    }

    /// Nothing can be read any more until sled is open again.
    fn fail(&self, failure: &Failure) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*table, Access::Open(_)) {
            tracing::debug!(folder = %self.folder.display(), ?failure, "the index failed");
            *table = Access::Failed(failure.clone());
        }
    }

    /// Opens sled anew if it failed. Readers wait meanwhile: half an index would tell them that things are not there.
    pub(crate) fn ensure_open(&self) -> Result<(), Failure> {
        let is_open = |access: &Access| match access {
            Access::Open(table) => table.check().is_ok(),
            Access::Failed(_) => false,
            Access::Closed => true,
        };
        if is_open(&self.table.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let mut checkpoint = self.keeping();
        let mut access = self.table.write().unwrap_or_else(PoisonError::into_inner);
        // The database has to be closed before its folder can be opened.
        *access = Access::Failed(Failure::Io("open the index", Shared::new("it failed before")));
        match catch_up(&self.folder, &self.log, &mut checkpoint) {
            Ok((table, recent, _)) => {
                *self.recent.write().unwrap_or_else(PoisonError::into_inner) = recent;
                *access = Access::Open(table);
                tracing::info!(folder = %self.folder.display(), "the index is open again");
                Ok(())
            }
            Err(failure) => {
                *access = Access::Failed(failure.clone());
                Err(failure)
            }
        }
    }
}
