//! Who computes when. Most calls are over before they have used up their first slice of fuel; they are made at once, where
//! they were asked for. A call that takes longer is given up and made again on threads that yield to all others, first
//! among those that may last a while, then among those that may last until their fuel ends. It is a pure function of
//! its input and of what it was told, which was kept, so that it ends the same wherever it is made.

use crate::calls::{Call, Called, Export, Machine};
use crate::faults::fault;
use crate::mailbox::{Mailbox, Patience, drive, patiently};
use lockstep_ports::Observer;
use lockstep_types::FailureClass;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Calls at the same time in the first lane, and what they may use there. The standard kinds use less than half a slice and
/// ask less than ten times, a Python guest uses one; more calls than these would only wait for observations.
const QUICK_AT_ONCE: usize = 64;
const QUICK: Patience = Patience { slices: 1, asks: 32 };

/// The same for each of the other lanes. Each call there may have grown to all the memory there is for one, so few are let
/// in; the second lane is for those that do real work, so that they need not wait for many that never end.
const SLOW_AT_ONCE: usize = 4;
const SLOW: [Patience; 2] =
    [Patience { slices: 32, asks: usize::MAX }, Patience { slices: u64::MAX, asks: usize::MAX }];

/// Instances there can be at the same time.
pub(crate) const CALLS_AT_ONCE: usize = QUICK_AT_ONCE + SLOW.len() * SLOW_AT_ONCE;

/// How much the threads of slow calls yield to others, of 19. There are half as many as cores, so that something is left
/// even where this is not to be had. At 10 they have a tenth of a core that others want too, so
/// that they end even beside jobs that take all there is.
const NICENESS: i32 = 10;

pub(crate) struct Lanes {
    quick: Semaphore,
    slow: [Arc<Semaphore>; SLOW.len()],
    /// None only while it is dropped.
    threads: Option<Runtime>,
}

impl Lanes {
    pub(crate) fn new() -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = Builder::new_multi_thread()
            .worker_threads((cores / 2).clamp(1, SLOW_AT_ONCE))
            .thread_name("sandbox-slow")
            .on_thread_start(yield_to_others)
            .build()?;
        let slow = SLOW.map(|_| Arc::new(Semaphore::new(SLOW_AT_ONCE)));
        Ok(Self { quick: Semaphore::new(QUICK_AT_ONCE), slow, threads: Some(threads) })
    }

    /// Makes `call` to its end.
    pub(crate) async fn make<E: Export>(
        &self,
        machine: &Arc<Machine>,
        call: Call<E>,
        observer: &dyn Observer,
    ) -> Called<E::Answer> {
        let mut mailbox = Arc::new(if E::MAY_ASK { Mailbox::default() } else { Mailbox::closed() });
        {
            // Dropped after the instance, whose place in the pool must be free by then.
            let Ok(_permit) = self.quick.acquire().await else { return closed() };
            let attempt = patiently(machine.make(&call, &mailbox), &mailbox, QUICK);
            if let Some(called) = drive(attempt, &mailbox, observer).await {
                return called;
            }
        }
        let call = Arc::new(call);
        for (lane, patience) in self.slow.iter().zip(SLOW) {
            let (Ok(permit), Some(threads)) = (Arc::clone(lane).acquire_owned().await, &self.threads) else {
                break;
            };
            mailbox = Arc::new(mailbox.again());
            let (machine, call, theirs) = (Arc::clone(machine), Arc::clone(&call), Arc::clone(&mailbox));
            let attempt = AbortOnDrop(threads.spawn(async move {
                let called = patiently(machine.make(&call, &theirs), &theirs, patience).await;
                drop(permit);
                called
            }));
            match drive(attempt, &mailbox, observer).await {
                Ok(Some(called)) => return called,
                Ok(None) => {}
                Err(error) => {
                    let message = format!("the host ended its call early: {error}");
                    return Called::without_running(fault(FailureClass::Trapped, &message));
                }
            }
        }
        closed()
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

fn closed<T>() -> Called<T> {
    Called::without_running(fault(FailureClass::Unloadable, "the sandbox is closed"))
}

/// A call nobody waits for any more is not made to its end.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> Future for AbortOnDrop<T> {
    type Output = <JoinHandle<T> as Future>::Output;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(cx)
    }
}

fn yield_to_others() {
    // Elsewhere it would be the whole process that yields.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "long calls of components have the same priority as everything else");
    }
}
