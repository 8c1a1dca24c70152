//! What a log holds from some place on, and where it ends: told apart are damage to what was once on the device, and the
//! torn end of a batch nobody was told is stored.

use super::frame::Placed;
use super::scan::{Found, Frame, Scan};
use super::{Log, Position, SEGMENT_HEAD_BYTES};
use std::io;

/// Bytes that were on the device and cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) at: Position,
    pub(crate) to: u32,
    /// The keys whose values lie there, if the table of the frame can be read.
    pub(crate) keys: Vec<Vec<u8>>,
}

/// Where a log ends.
#[derive(Debug, Default)]
pub(crate) struct End {
    /// Behind the last frame; none in a log without segments.
    pub(crate) position: Option<Position>,
    /// Number of the last frame.
    pub(crate) number: u64,
    /// Bytes behind the end, of batches that were being written.
    pub(crate) torn: u64,
    pub(crate) damage: Vec<Damage>,
}

/// Gives the changes of all frames from `from` on to `take`, in order, with where each frame ends and its number. Frame `before` is the one before, if that is known.
pub(crate) fn replay(
    log: &Log,
    (from, before): (Position, Option<u64>),
    mut take: impl FnMut(Position, u64, Vec<Placed>) -> io::Result<()>,
) -> io::Result<End> {
    let mut end = End { number: before.unwrap_or(0), ..End::default() };
    let mut is_first = before.is_none();
    let segments: Vec<u32> = log.segments()?.into_iter().filter(|segment| *segment >= from.segment).collect();
    for segment in &segments {
        let begin = Position { segment: *segment, offset: SEGMENT_HEAD_BYTES };
        let file = log.file(*segment)?;
        let mut scan = Scan::new(&file, begin.max(from))?;
        let is_last = Some(segment) == segments.last();
        end.position = Some(begin.max(from));
        let mut found = Vec::new();
        while let Some(next) = scan.next()? {
            if is_last {
                // Where the last one ends is known only when all of it was seen. Its values stay on the disk.
                found.push(next);
            } else {
                keep(next, *segment, &mut end, &mut take)?;
                is_first = false;
            }
        }
        if is_last {
            let len = file.metadata()?.len();
            let whole = cut(&found, (!is_first).then_some(end.number));
            for next in found.into_iter().take(whole) {
                keep(next, *segment, &mut end, &mut take)?;
            }
            let position = end.position.unwrap_or(begin);
            end.torn = len.saturating_sub(u64::from(position.offset));
        }
    }
    Ok(end)
}

/// How many of the last segment's parts count; frame `before` came before it, if that is known. Of what follows the last
/// frame known to have been on the device, only what has no hole counts: nobody was told of anything behind one.
fn cut(found: &[Found], before: Option<u64>) -> usize {
    let frames = || {
        found.iter().filter_map(|found| match found {
            Found::Frame(frame) => Some(frame),
            Found::Damaged { .. } => None,
        })
    };
    let durable = frames().map(|frame| frame.head.durable).max().or(before).unwrap_or(0);
    let mut last = before;
    let mut is_hole = false;
    for (at, next) in found.iter().enumerate() {
        let frame = match next {
            // Frames are numbered in order: an earlier one is none of this log's.
            Found::Frame(frame) if last.is_none_or(|last| frame.head.number > last) => Some(frame),
            _ => None,
        };
        let Some(Frame { head, damaged, .. }) = frame else {
            if last.is_some_and(|last| last >= durable) {
                return at;
            }
            is_hole = true;
            continue;
        };
        let follows = match last {
            // What was on the device and is damaged leaves no gap in what came after.
            Some(last) => head.number == last.max(durable) + 1,
            // Nothing is known of what came before: the first of a batch follows whatever that was.
            None => !is_hole || head.number == head.durable + 1,
        };
        if head.number > durable && !(follows && damaged.is_empty()) {
            return at;
        }
        last = Some(head.number);
        is_hole = false;
    }
    found.len()
}

fn keep(
    found: Found,
    segment: u32,
    end: &mut End,
    take: &mut impl FnMut(Position, u64, Vec<Placed>) -> io::Result<()>,
) -> io::Result<()> {
    match found {
        Found::Frame(frame) if frame.head.number <= end.number => {
            end.position = Some(frame.end());
            end.damage.push(Damage { at: frame.at, to: frame.end().offset, keys: Vec::new() });
            Ok(())
        }
        Found::Frame(frame) => {
            end.position = Some(frame.end());
            end.number = frame.head.number;
            if !frame.damaged.is_empty() {
                end.damage.push(damage_of(&frame));
            }
            take(frame.end(), frame.head.number, frame.placed)
        }
        Found::Damaged { from, to } => {
            let at = Position { segment, offset: from };
            end.position = Some(Position { segment, offset: to });
            end.damage.push(Damage { at, to, keys: Vec::new() });
            Ok(())
        }
    }
}

pub(crate) fn damage_of(frame: &Frame) -> Damage {
    let keys = frame.damaged.iter().map(|number| frame.placed[*number].0.clone()).collect();
    Damage { at: frame.at, to: frame.end().offset, keys }
}
