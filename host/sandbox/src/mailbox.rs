use lockstep_ports::Observer;
use lockstep_types::{ObservationAnswer, ObservationRequest};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

/// Carries one question at a time from a component's call to whoever drives it, and the answer back.
///
/// A store's data cannot borrow the observer, so the call leaves its question here and stays pending; `drive`
/// sees it, asks the observer and polls the call again. A call that asks nothing pays for an unlocked lock.
#[derive(Default)]
pub(crate) struct Mailbox(Mutex<Letter>);

#[derive(Default)]
enum Letter {
    #[default]
    None,
    Question(ObservationRequest),
    Answer(ObservationAnswer),
}

impl Mailbox {
    fn letter(&self) -> MutexGuard<'_, Letter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks whoever drives the call, and waits for the answer.
    pub(crate) async fn ask(&self, request: ObservationRequest) -> ObservationAnswer {
        *self.letter() = Letter::Question(request);
        // No waker is kept: `drive` polls the call itself as soon as it has answered.
        poll_fn(|_| {
            let mut letter = self.letter();
            match std::mem::take(&mut *letter) {
                Letter::Answer(answer) => Poll::Ready(answer),
                other => {
                    *letter = other;
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn take_question(&self) -> Option<ObservationRequest> {
        let mut letter = self.letter();
        match std::mem::take(&mut *letter) {
            Letter::Question(request) => Some(request),
            other => {
                *letter = other;
                None
            }
        }
    }
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
                *mailbox.letter() = Letter::Answer(answer);
            }
            if let Poll::Ready(output) = call.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            let Some(request) = mailbox.take_question() else {
                return Poll::Pending;
            };
            observing = Some(Box::pin(async move { observer.observe(&request).await }));
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::{Mailbox, drive};
    use lockstep_ports::RecordedObserver;
    use lockstep_types::{Observation, ObservationAnswer, ObservationRequest};

    #[tokio::test]
    async fn every_question_gets_its_own_answer_in_order() {
        let record: Vec<_> = (0..3_u8)
            .map(|n| Observation {
                request: ObservationRequest::ReadFile { path: n.to_string() },
                answer: ObservationAnswer::ReadFile(Some(vec![n])),
            })
            .collect();
        let (mailbox, observer) = (Mailbox::default(), RecordedObserver::new(record.clone()));
        let call = async {
            let mut told = Vec::new();
            for observation in &record {
                // A call is also pending for reasons of its own: a yield in a long computation.
                tokio::task::yield_now().await;
                told.push(mailbox.ask(observation.request.clone()).await);
            }
            told
        };
        let told = drive(call, &mailbox, &observer).await;
        assert_eq!(told, record.into_iter().map(|observation| observation.answer).collect::<Vec<_>>());
        assert_eq!(observer.complaints(), Vec::<String>::new());
    }
}
