//! The thread behind the committer: it brings the index up to date, and gives back the space of what went.

use crate::Inner;
use crate::committer::{Request, Write};
use crate::error::{Failure, Shared};
use crate::index::{Flush, SegmentUsage};
use crate::log::scan::{Found, Frame, Scan};
use crate::log::{Placed, Position};
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::{mpsc, oneshot};

/// A segment of which so much is dead, in percent, is written anew without that: space at most doubles, and each byte
/// that stays is written twice at most for each that goes.
const DEAD_PERCENT: u64 = 50;
/// Bytes carried at a time, between which other writes go on.
const CARRY_BYTES: usize = 1024 * 1024;

enum Call {
    Settle,
    /// Writes every segment anew that has something dead in it, or something damaged if that is to go.
    Compact {
        drops_damage: bool,
        reply: SyncSender<Result<u64, Failure>>,
    },
    Stop,
}

/// Calls the keeper.
pub(crate) struct Waker(SyncSender<Call>);

impl Waker {
    pub(crate) fn settle(&self) {
        // One that waits already will do.
        drop(self.0.try_send(Call::Settle));
    }

    pub(crate) fn stop(&self) {
        drop(self.0.send(Call::Stop));
    }

    /// Waits until everything dead is gone, and gives the bytes that came back.
    pub(crate) fn compact(&self, drops_damage: bool) -> Result<u64, Failure> {
        let closed = || Failure::Io("compact", Shared::new("the store is closed"));
        let (reply, answer) = sync_channel(1);
        self.0.send(Call::Compact { drops_damage, reply }).map_err(|_| closed())?;
        answer.recv().map_err(|_| closed())?
    }
}

pub(crate) struct Keeper(Receiver<Call>);

impl Keeper {
    pub(crate) fn new() -> (Self, Waker) {
        let (sender, receiver) = sync_channel(1);
        (Self(receiver), Waker(sender))
    }

    /// Serves until it is told to stop.
    pub(crate) fn run(self, inner: &Inner, queue: &mpsc::WeakSender<Request>) {
        while let Ok(call) = self.0.recv() {
            match call {
                Call::Stop => break,
                Call::Settle => {
                    let kept = inner.view.index.settle(Flush::WhenDue).and_then(|()| {
                        match worst(closed_segments(inner)) {
                            Some(segment) => compact(inner, queue, segment, false).map(drop),
                            None => Ok(()),
                        }
                    });
                    if let Err(failure) = kept {
                        // The next write opens the index again, or tells whoever asked for it that it cannot.
                        tracing::warn!(folder = %inner.shown(), ?failure, "the store could not be tidied up");
                    }
                }
                Call::Compact { drops_damage, reply } => {
                    drop(reply.send(compact_all(inner, queue, drops_damage)));
                }
            }
        }
    }
}

impl Inner {
    pub(crate) fn wake_keeper(&self) {
        self.keeper.settle();
    }
}

/// Segments that are not written to any more, and how much of them is needed.
fn closed_segments(inner: &Inner) -> Vec<(u32, SegmentUsage)> {
    let usage = inner.view.index.usage().0;
    let last = usage.keys().next_back().copied();
    usage.into_iter().filter(|(segment, _)| Some(*segment) != last).collect()
}

/// The segment most worth writing anew, if one is.
fn worst(closed: Vec<(u32, SegmentUsage)>) -> Option<u32> {
    let share = |usage: &SegmentUsage| usage.dead * 100 / usage.bytes.max(1);
    let (segment, usage) = closed.into_iter().max_by_key(|(_, usage)| share(usage))?;
    (share(&usage) >= DEAD_PERCENT).then_some(segment)
}

fn compact_all(inner: &Inner, queue: &mpsc::WeakSender<Request>, drops_damage: bool) -> Result<u64, Failure> {
    let wanted = closed_segments(inner).into_iter().filter(|(_, usage)| usage.dead > 0 || drops_damage);
    wanted.map(|(segment, _)| compact(inner, queue, segment, drops_damage)).sum()
}

/// Writes what is still needed of a segment at the end of the log, and removes it; gives the bytes that came back. What is
/// damaged goes with it if `drops_damage`; else nothing is done until somebody has looked at that.
fn compact(
    inner: &Inner,
    queue: &mpsc::WeakSender<Request>,
    segment: u32,
    drops_damage: bool,
) -> Result<u64, Failure> {
    let failed = |error| Failure::of_io("compact", error);
    let view = &inner.view;
    let is_oldest = view.log.segments().map_err(failed)?.first() == Some(&segment);
    let file = view.log.file(segment).map_err(failed)?;
    let mut scan = Scan::new(&file, Position { segment, offset: 0 }).map_err(failed)?;
    let (mut carried, mut bytes, mut total) = (Vec::new(), 0, 0);
    let mut gone = BTreeSet::new();
    while let Some(found) = scan.next().map_err(failed)? {
        let mut frame = match found {
            Found::Frame(frame) if frame.damaged.is_empty() || drops_damage => frame,
            Found::Damaged { .. } if drops_damage => continue,
            _ => return Ok(0),
        };
        frame.damaged.drain(..).rev().for_each(|damaged| drop(frame.placed.remove(damaged)));
        for (key, place) in needed(inner, frame, is_oldest, &mut gone)? {
            bytes += place.map_or(0, |place| place.len as usize) + key.len();
            carried.push((key, place));
            if bytes >= CARRY_BYTES {
                carry(inner, queue, std::mem::take(&mut carried))?;
                total += std::mem::take(&mut bytes);
            }
        }
    }
    carry(inner, queue, carried)?;
    // Until the index is on the device it may still name the old places after a crash.
    view.index.settle(Flush::Now)?;
    let len = file.metadata().map_err(failed)?.len();
    view.log.remove(segment).map_err(failed)?;
    view.index.forget_segment(segment);
    Ok(len.saturating_sub((total + bytes) as u64))
}

/// What of a frame is needed: values that are the last of their key, and, unless the segment is the oldest, that keys are
/// gone whose values may lie in an older one.
fn needed(
    inner: &Inner,
    frame: Frame,
    is_oldest: bool,
    gone: &mut BTreeSet<Vec<u8>>,
) -> Result<Vec<Placed>, Failure> {
    let mut needed = Vec::new();
    for (key, place) in frame.placed {
        let now = inner.view.index.get(&key)?;
        match place {
            Some(_) if now == place => needed.push((key, place)),
            None if now.is_none() && !is_oldest && gone.insert(key.clone()) => needed.push((key, None)),
            _ => {}
        }
    }
    Ok(needed)
}

fn carry(inner: &Inner, queue: &mpsc::WeakSender<Request>, values: Vec<Placed>) -> Result<(), Failure> {
    if values.is_empty() {
        return Ok(());
    }
    let closing = || Failure::Io("compact", Shared::new("the store is being closed"));
    let (reply, answer) = oneshot::channel();
    let request = Request { write: Write::Carry(values), reply };
    queue.upgrade().ok_or_else(closing)?.blocking_send(request).map_err(|_| closing())?;
    let written = answer.blocking_recv().map_err(|_| closing())?;
    written
        .map(drop)
        .map_err(|error| Failure::Io("compact", Shared::new(format!("{}: {error}", inner.shown()))))
}

#[cfg(test)]
mod tests {
    use super::worst;
    use crate::index::SegmentUsage;

    #[test]
    fn the_segment_with_the_most_dead_in_it_is_written_anew_if_that_is_half() {
        let closed = |dead: &[u64]| {
            let usage = |dead: &u64| SegmentUsage { bytes: 100, dead: *dead };
            (1..).zip(dead.iter().map(usage)).collect::<Vec<_>>()
        };
        assert_eq!(worst(closed(&[])), None);
        assert_eq!(worst(closed(&[0, 49, 10])), None);
        assert_eq!(worst(closed(&[50, 80, 10])), Some(2));
    }
}
