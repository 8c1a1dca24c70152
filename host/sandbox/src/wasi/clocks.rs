use async_trait::async_trait;
use lockstep_types::Timestamp;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

/// Nanoseconds of a millisecond: the time of an event is known no finer.
const MILLISECOND: u64 = 1_000_000;

/// Nanoseconds of a second.
const SECOND: u64 = 1000 * MILLISECOND;

/// A clock that stands at the time of the event. Only a component that has nothing else to do than to wait moves it: to the
/// end of what it waits for, at once.
#[derive(Clone)]
pub(super) struct Clock(Arc<Mutex<Times>>);

#[derive(Default)]
struct Times {
    /// Nanoseconds since the Unix epoch. The monotonic clock counts the same, so that it goes on from call to call.
    now: u64,
    /// How many wait for which time.
    awaited: BTreeMap<u64, usize>,
}

impl Clock {
    pub(super) fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Times { now: now.0.saturating_mul(MILLISECOND), ..Times::default() })))
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.times().now
    }
}

/// A time a component waits for.
struct Deadline {
    at: u64,
    clock: Clock,
}

/// One who waits, as long as it does.
struct Waiting<'d>(&'d Deadline);

impl<'d> Waiting<'d> {
    fn begin(deadline: &'d Deadline) -> Self {
        *deadline.clock.times().awaited.entry(deadline.at).or_default() += 1;
        Self(deadline)
    }

    /// Whether its time has come, or is the next that comes of all that are waited for.
    fn is_over(&self) -> bool {
        let mut times = self.0.clock.times();
        if times.awaited.first_key_value().is_some_and(|(first, _)| *first >= self.0.at) {
            times.now = times.now.max(self.0.at);
        }
        times.now >= self.0.at
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut times = self.0.clock.times();
        if let Some(count) = times.awaited.get_mut(&self.0.at) {
            *count -= 1;
            if *count == 0 {
                times.awaited.remove(&self.0.at);
            }
        }
    }
}

#[async_trait]
impl Pollable for Deadline {
    async fn ready(&mut self) {
        if self.clock.now() >= self.at {
            return;
        }
        let waiting = Waiting::begin(self);
        // What is waited for beside it is looked at once before time moves: whoever is ready by then needs no time.
        let mut looks = 0_u32;
        poll_fn(|cx| {
            looks = looks.saturating_add(1);
            if looks > 1 && waiting.is_over() {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// The clock with the table in which those who wait are kept.
pub(crate) struct View<'a> {
    pub(super) clock: &'a Clock,
    pub(super) table: &'a mut ResourceTable,
}

impl View<'_> {
    fn wait_until(&mut self, at: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let deadline = self.table.push(Deadline { at, clock: self.clock.clone() })?;
        subscribe(self.table, deadline)
    }
}

impl monotonic_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.now())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(MILLISECOND)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.wait_until(when)
    }

    fn subscribe_duration(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.wait_until(self.clock.now().saturating_add(when))
    }
}

impl wall_clock::Host for View<'_> {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(datetime(self.clock.now()))
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(datetime(MILLISECOND))
    }
}

fn datetime(nanoseconds: u64) -> wall_clock::Datetime {
    let rest = u32::try_from(nanoseconds % SECOND).unwrap_or(0);
    wall_clock::Datetime { seconds: nanoseconds / SECOND, nanoseconds: rest }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Deadline};
    use lockstep_types::Timestamp;
    use wasmtime_wasi::p2::Pollable as _;

    #[tokio::test]
    async fn the_first_to_come_is_the_only_one_that_comes() {
        let clock = Clock::at(Timestamp(1));
        let deadline = |at| Deadline { at, clock: clock.clone() };
        let (mut late, mut soon, mut past) = (deadline(9_000_000), deadline(3_000_000), deadline(1_000_000));
        tokio::select! {
            biased;
            () = late.ready() => panic!("not yet"),
            () = soon.ready() => panic!("one is past already"),
            () = past.ready() => {}
        }
        assert_eq!(clock.now(), 1_000_000, "nobody had to wait");
        tokio::select! {
            biased;
            () = late.ready() => panic!("the other comes first"),
            () = soon.ready() => {}
        }
        assert_eq!(clock.now(), 3_000_000);
        late.ready().await;
        assert_eq!(clock.now(), 9_000_000);
    }
}
