use lockstep_ports::Observer;
use lockstep_types::{Observation, ObservationAnswer, ObservationRequest};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Carries one question at a time from a component's call to whoever drives it, and the answer back, and keeps both.
///
/// A store's data cannot borrow the observer, so the call leaves its question here and stays pending; `drive` sees it,
/// asks the observer and polls the call again. A call that asks nothing pays for an unlocked lock.
#[derive(Default)]
pub(crate) struct Mailbox {
    post: Mutex<Post>,
    /// Whether the call runs on another thread than who drives it: each must wake the other.
    is_remote: bool,
    /// Whether nothing may be asked: the component describes itself or reads a state.
    is_closed: bool,
}

#[derive(Default)]
struct Post {
    letter: Letter,
    /// Whether the call waits for an answer.
    is_asking: bool,
    /// What was told in an attempt that was given up. The call asks the same again and is told the same.
    told_before: VecDeque<Observation>,
    told: Vec<Observation>,
    /// Times the call gave way to others because it had used up a slice of its fuel.
    slices: u64,
    asker: Option<Waker>,
    driver: Option<Waker>,
}

#[derive(Default)]
enum Letter {
    #[default]
    None,
    Question(ObservationRequest),
    Answer(ObservationAnswer),
}

/// What an attempt to make a call may use before it is given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Slices of fuel.
    pub(crate) slices: u64,
    /// Questions.
    pub(crate) asks: usize,
}

impl Mailbox {
    /// For a call that may ask nothing.
    pub(crate) fn closed() -> Self {
        Self { is_closed: true, ..Self::default() }
    }

    /// For the same call, to be made again on another thread.
    pub(crate) fn again(&self) -> Self {
        let told_before = std::mem::take(&mut self.post().told).into();
        let post = Mutex::new(Post { told_before, ..Post::default() });
        Self { post, is_remote: true, is_closed: self.is_closed }
    }

    fn post(&self) -> MutexGuard<'_, Post> {
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// How often the call was told something.
    pub(crate) fn told(&self) -> usize {
        self.post().told.len()
    }

    /// Keeps what the call was told.
    pub(crate) fn keep(&self, observation: Observation) {
        self.post().told.push(observation);
    }

    /// All that was kept, in order.
    pub(crate) fn take_told(&self) -> Vec<Observation> {
        std::mem::take(&mut self.post().told)
    }

    /// Counts what the call did that it cannot do for ever: slices of fuel and questions.
    pub(crate) fn progress(&self) -> u64 {
        let post = self.post();
        post.slices + post.told.len() as u64
    }

    /// Asks whoever drives the call, and waits for the answer.
    pub(crate) async fn ask(&self, request: ObservationRequest) -> ObservationAnswer {
        {
            let mut post = self.post();
            match post.told_before.pop_front() {
                Some(known) if known.request == request => return known.answer,
                // Cannot be of a component that is a pure function; whatever it is, it is told the truth.
                Some(_) => post.told_before.clear(),
                None => {}
            }
            post.letter = Letter::Question(request);
            post.is_asking = true;
            wake(post.driver.take());
        }
        poll_fn(|cx| {
            let mut post = self.post();
            match std::mem::take(&mut post.letter) {
                Letter::Answer(answer) => {
                    post.is_asking = false;
                    Poll::Ready(answer)
                }
                other => {
                    post.letter = other;
                    // On one thread, `drive` polls the call itself as soon as it has answered.
                    post.asker = self.is_remote.then(|| cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn answer(&self, answer: ObservationAnswer) {
        let mut post = self.post();
        post.letter = Letter::Answer(answer);
        wake(post.asker.take());
    }

    /// The question that waits for an answer; if there is none, the task of `cx` is woken by the next one.
    fn take_question(&self, cx: &Context<'_>) -> Option<ObservationRequest> {
        let mut post = self.post();
        match std::mem::take(&mut post.letter) {
            Letter::Question(request) => Some(request),
            other => {
                post.letter = other;
                post.driver = self.is_remote.then(|| cx.waker().clone());
                None
            }
        }
    }

    /// Counts a poll that did not end the call, and says whether it is to go on.
    fn goes_on(&self, patience: Patience) -> bool {
        let mut post = self.post();
        if post.is_asking {
            return post.told.len() < patience.asks;
        }
        post.slices += 1;
        post.slices < patience.slices
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Polls `call` until it ends, or until it went beyond `patience`; then it is given up and there is no output.
pub(crate) async fn patiently<C: Future>(
    call: C,
    mailbox: &Mailbox,
    patience: Patience,
) -> Option<C::Output> {
    let mut call = pin!(call);
    poll_fn(move |cx| match call.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if mailbox.goes_on(patience) => Poll::Pending,
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Drives `call` to its end, answering through `observer` what it asks through `mailbox`.
pub(crate) async fn drive<C: Future>(call: C, mailbox: &Mailbox, observer: &dyn Observer) -> C::Output {
    let mut call = pin!(call);
    let mut observing: Option<Pin<Box<dyn Future<Output = ObservationAnswer> + Send + '_>>> = None;
    poll_fn(move |cx| {
        loop {
            if let Some(observation) = &mut observing {
                let Poll::Ready(answer) = observation.as_mut().poll(cx) else {
                    return Poll::Pending;
                };
                observing = None;
                mailbox.answer(answer);
            }
            if let Poll::Ready(output) = call.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            let Some(request) = mailbox.take_question(cx) else {
                return Poll::Pending;
            };
            observing = Some(Box::pin(async move { observer.observe(&request).await }));
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::{Mailbox, Patience, drive, patiently};
    use lockstep_ports::RecordedObserver;
    use lockstep_types::{Observation, ObservationAnswer, ObservationRequest};
    use std::sync::Arc;

    fn record() -> Vec<Observation> {
        (0..3_u8)
            .map(|n| Observation {
                request: ObservationRequest::ReadFile { path: n.to_string() },
                answer: ObservationAnswer::ReadFile(Some(vec![n])),
            })
            .collect()
    }

    fn answers() -> Vec<ObservationAnswer> {
        record().into_iter().map(|observation| observation.answer).collect()
    }

    /// Asks for everything there is a record of, and keeps it.
    async fn call(mailbox: &Mailbox) -> Vec<ObservationAnswer> {
        let mut told = Vec::new();
        for Observation { request, .. } in record() {
            // A call is also pending for reasons of its own: a yield in a long computation.
            tokio::task::yield_now().await;
            let answer = mailbox.ask(request.clone()).await;
            mailbox.keep(Observation { request, answer: answer.clone() });
            told.push(answer);
        }
        told
    }

    #[tokio::test]
    async fn every_question_gets_its_own_answer_in_order() {
        let (mailbox, observer) = (Mailbox::default(), RecordedObserver::new(record()));
        assert_eq!(drive(call(&mailbox), &mailbox, &observer).await, answers());
        assert_eq!(observer.complaints(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn an_attempt_made_again_elsewhere_asks_only_for_what_is_new() {
        let (mailbox, observer) = (Mailbox::default(), RecordedObserver::new(record()));
        let patience = Patience { slices: 3, asks: 9 };
        let attempt = patiently(call(&mailbox), &mailbox, patience);
        assert_eq!(drive(attempt, &mailbox, &observer).await, None, "it gives way for the third time");
        assert_eq!(mailbox.told(), 2);

        let again = Arc::new(mailbox.again());
        let elsewhere = tokio::spawn({
            let mailbox = Arc::clone(&again);
            async move { call(&mailbox).await }
        });
        assert_eq!(drive(elsewhere, &again, &observer).await.unwrap(), answers());
        assert_eq!(observer.complaints(), Vec::<String>::new(), "nothing was asked twice");
        assert_eq!(again.take_told(), record());
    }

    #[tokio::test]
    async fn who_asks_too_often_is_given_up() {
        let (mailbox, observer) = (Mailbox::default(), RecordedObserver::new(record()));
        let attempt = patiently(call(&mailbox), &mailbox, Patience { slices: 99, asks: 2 });
        assert_eq!(drive(attempt, &mailbox, &observer).await, None);
        assert_eq!(mailbox.told(), 2);
    }
}
