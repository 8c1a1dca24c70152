//! Reading a segment from front to end, past what is damaged.

use super::frame::{self, HEAD_BYTES, Head, MAGIC, Placed};
use super::{Position, SEGMENT_HEAD_BYTES};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes read at a time: large enough that the disk is read in one go, small beside what the host needs anyway.
const WINDOW_BYTES: usize = 1024 * 1024;

/// What lies in a segment, in order.
pub(crate) enum Found {
    /// A frame whose head and table are whole.
    Frame(Frame),
    /// Bytes that are no frame, up to the next frame or the end of the file.
    Damaged { from: u32, to: u32 },
}

pub(crate) struct Frame {
    pub(crate) head: Head,
    pub(crate) at: Position,
    pub(crate) placed: Vec<Placed>,
    /// The changes whose value is not what its checksum says, by place in `placed`.
    pub(crate) damaged: Vec<usize>,
}

impl Frame {
    pub(crate) fn end(&self) -> Position {
        // A frame is bounded, and so is a segment.
        Position { offset: self.at.offset + self.head.frame_bytes() as u32, ..self.at }
    }
}

/// Reads one segment.
pub(crate) struct Scan<'a> {
    file: &'a File,
    len: u64,
    at: Position,
    window: Vec<u8>,
    /// Where in the file the window begins.
    window_at: u64,
}

impl<'a> Scan<'a> {
    /// Begins at `from`, which must be the beginning of a frame or of the segment.
    pub(crate) fn new(file: &'a File, from: Position) -> io::Result<Self> {
        let offset = from.offset.max(SEGMENT_HEAD_BYTES);
        let at = Position { offset, ..from };
        Ok(Self { file, len: file.metadata()?.len(), at, window: Vec::new(), window_at: 0 })
    }

    /// The bytes from `from` on, `count` of them or as many as there are.
    fn bytes(&mut self, from: u64, count: usize) -> io::Result<&[u8]> {
        let end = self.window_at + self.window.len() as u64;
        if from < self.window_at || from + count as u64 > end {
            let wanted = (count.max(WINDOW_BYTES) as u64).min(self.len.saturating_sub(from));
            // Bounded by the largest frame.
            self.window.resize(wanted as usize, 0);
            self.window_at = from;
            self.file.read_exact_at(&mut self.window, from)?;
        }
        let begin = (from - self.window_at) as usize;
        let end = (begin + count).min(self.window.len());
        Ok(&self.window[begin..end])
    }

    /// What lies next, or nothing at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found>> {
        if u64::from(self.at.offset) >= self.len {
            return Ok(None);
        }
        if let Some(frame) = self.frame(self.at)? {
            self.at = frame.end();
            return Ok(Some(Found::Frame(frame)));
        }
        let from = self.at.offset;
        let to = self.resync()?;
        self.at.offset = to;
        Ok(Some(Found::Damaged { from, to }))
    }

    fn frame(&mut self, at: Position) -> io::Result<Option<Frame>> {
        let from = u64::from(at.offset);
        let Some(head) = frame::head(self.bytes(from, HEAD_BYTES)?) else { return Ok(None) };
        if from + head.frame_bytes() as u64 > self.len {
            return Ok(None);
        }
        let bytes = self.bytes(from, head.frame_bytes())?;
        let Some(placed) = frame::table(&head, at, bytes) else { return Ok(None) };
        let mut damaged = Vec::new();
        for (number, (_, place)) in placed.iter().enumerate() {
            let Some(place) = place else { continue };
            let begin = (place.at.offset - at.offset) as usize;
            let value = bytes.get(begin..begin + place.len as usize);
            if value.is_none_or(|value| crc32fast::hash(value) != place.crc) {
                damaged.push(number);
            }
        }
        Ok(Some(Frame { head, at, placed, damaged }))
    }

    /// Where the next frame begins whose head and table are whole, or the end of the file.
    fn resync(&mut self) -> io::Result<u32> {
        let mut from = u64::from(self.at.offset) + 1;
        while from < self.len {
            let bytes = self.bytes(from, WINDOW_BYTES)?;
            let Some(found) = bytes.windows(MAGIC.len()).position(|window| window == MAGIC) else {
                // The mark may lie across two windows.
                from += (bytes.len().saturating_sub(MAGIC.len() - 1)).max(1) as u64;
                continue;
            };
            from += found as u64;
            let at = Position { offset: from as u32, ..self.at };
            if self.frame(at)?.is_some() {
                return Ok(at.offset);
            }
            from += 1;
        }
        Ok(self.len.min(u64::from(u32::MAX)) as u32)
    }
}
