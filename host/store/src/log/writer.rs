//! The end of the log.

use super::frame::{self, Change, Placed};
use super::{Log, Position, SEGMENT_BYTES, SEGMENT_HEAD_BYTES, segment_head};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Appends to the log. There is one.
pub(crate) struct Writer {
    log: Arc<Log>,
    file: File,
    /// Everything before it is on the device, and nothing counts that lies behind it.
    end: Position,
    /// Number of the last frame on the device.
    number: u64,
    /// A write failed, and what it left behind the end is still there.
    is_torn: bool,
}

/// Frames that go to the device together.
pub(crate) struct Batch {
    base: Position,
    durable: u64,
    frames: u64,
    buffer: Vec<u8>,
}

impl Batch {
    /// Adds a frame, and says where its values will lie.
    pub(crate) fn add(&mut self, changes: &[Change]) -> Vec<Placed> {
        self.frames += 1;
        let numbers = (self.durable + self.frames, self.durable);
        frame::encode(&mut self.buffer, self.base, numbers, changes)
    }

    /// A value of this batch, which no reader can find yet.
    pub(crate) fn value(&self, place: &frame::Place) -> Option<&[u8]> {
        let begin = place.at.offset.checked_sub(self.base.offset)? as usize;
        if place.at.segment != self.base.segment {
            return None;
        }
        self.buffer.get(begin..begin + place.len as usize)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

impl Writer {
    /// Goes on at `end`, behind frame `number`. What lies behind that is cut off.
    pub(crate) fn resume(log: Arc<Log>, end: Position, number: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(log.path(end.segment))?;
        let mut writer = Self { log, file, end, number, is_torn: true };
        writer.mend()?;
        Ok(writer)
    }

    /// Begins a log that has no segment, or the one after `last`.
    pub(crate) fn begin(log: Arc<Log>, segment: u32, number: u64) -> io::Result<Self> {
        let (file, end) = create(&log, segment)?;
        Ok(Self { log, file, end, number, is_torn: false })
    }

    pub(crate) fn end(&self) -> Position {
        self.end
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A batch for the end of the log. A full segment is closed first: no batch lies in two.
    pub(crate) fn batch(&mut self) -> io::Result<Batch> {
        self.mend()?;
        if self.end.offset >= SEGMENT_BYTES {
            self.roll()?;
        }
        Ok(Batch { base: self.end, durable: self.number, frames: 0, buffer: Vec::new() })
    }

    /// Begins a new segment, unless the one there is holds nothing.
    pub(crate) fn roll(&mut self) -> io::Result<()> {
        self.mend()?;
        if self.end.offset > SEGMENT_HEAD_BYTES {
            let (file, end) = create(&self.log, self.end.segment + 1)?;
            (self.file, self.end) = (file, end);
        }
        Ok(())
    }

    /// Puts a batch on the device. If that fails nothing of it is there, or what is will be cut off before anything else is
    /// written.
    pub(crate) fn write(&mut self, batch: &Batch) -> io::Result<()> {
        self.is_torn = true;
        self.file.write_all_at(&batch.buffer, u64::from(self.end.offset))?;
        self.file.sync_data()?;
        self.is_torn = false;
        self.number += batch.frames;
        // A segment is begun anew before it could hold more than an offset can name.
        self.end.offset += batch.buffer.len() as u32;
        Ok(())
    }

    /// What a write does that fails after its bytes reached the file.
    #[cfg(test)]
    pub(crate) fn tear(&mut self, batch: &Batch) {
        self.is_torn = true;
        self.file.write_all_at(&batch.buffer, u64::from(self.end.offset)).unwrap();
    }

    /// Tries to cut off what a failed write left behind.
    pub(crate) fn mend(&mut self) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(u64::from(self.end.offset))?;
            self.file.sync_data()?;
            self.is_torn = false;
        }
        Ok(())
    }
}

/// Makes a segment: its head is on the device, and its name.
fn create(log: &Log, segment: u32) -> io::Result<(File, Position)> {
    // A crash, or a full disk, may have left one without any frame.
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(log.path(segment))?;
    file.write_all_at(&segment_head(), 0)?;
    file.sync_all()?;
    log.sync_folder()?;
    Ok((file, Position { segment, offset: SEGMENT_HEAD_BYTES }))
}
