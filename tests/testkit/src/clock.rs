use crate::lock;
use async_trait::async_trait;
use lockstep_ports::Clock;
use lockstep_types::Timestamp;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::sync::oneshot;

/// A clock that stands still until the test moves it.
#[derive(Debug)]
pub struct SimClock(Mutex<State>);

#[derive(Debug)]
struct State {
    now: Timestamp,
    /// State of SplitMix64, whose outputs do not repeat before 2^64 of them.
    seed: u64,
    /// Tells apart sleepers of the same time, in the order they came.
    asleep: u64,
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
}

impl SimClock {
    /// A clock at `now`; the same seed gives the same `unique` numbers.
    #[must_use]
    pub fn new(now: Timestamp, seed: u64) -> Self {
        Self(Mutex::new(State { now, seed, asleep: 0, sleepers: BTreeMap::new() }))
    }

    /// Moves to `at`, if that is later, and wakes whoever slept until then or less, the earliest first. Gives how many.
    pub fn advance_to(&self, at: Timestamp) -> usize {
        let mut state = lock(&self.0);
        state.now = state.now.max(at);
        let next = state.now.plus_ms(1);
        let later = state.sleepers.split_off(&(next, 0));
        let due = std::mem::replace(&mut state.sleepers, later);
        due.into_values().filter_map(|sleeper| sleeper.send(()).ok()).count()
    }

    /// Moves on by `ms` milliseconds.
    pub fn advance_ms(&self, ms: u64) -> usize {
        let at = lock(&self.0).now.plus_ms(ms);
        self.advance_to(at)
    }

    /// When the next sleeper is to be woken.
    pub fn next_due(&self) -> Option<Timestamp> {
        let mut state = lock(&self.0);
        state.sleepers.retain(|_, sleeper| !sleeper.is_closed());
        state.sleepers.keys().next().map(|(at, _)| *at)
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        lock(&self.0).now
    }

    async fn sleep_until(&self, at: Timestamp) {
        let woken = {
            let mut state = lock(&self.0);
            if at <= state.now {
                return;
            }
            let (waker, woken) = oneshot::channel();
            state.asleep += 1;
            let order = state.asleep;
            state.sleepers.insert((at, order), waker);
            woken
        };
        // The waker goes only when the clock does, and then nobody waits on it.
        drop(woken.await);
    }

    fn unique(&self) -> u64 {
        let mut state = lock(&self.0);
        state.seed = state.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state.seed ^ (state.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
