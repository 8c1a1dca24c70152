use crate::AppState;
use crate::problem::Problem;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use lockstep_access::carried;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

/// How soon a page is told again that something changed: a busy host must not make browsers fetch all the time.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a silent stream says that it is alive: below the usual 30 to 60 seconds of proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Tells a page, by the event `changed`, that something happened since it was made.
pub(super) async fn live(
    State(state): State<AppState>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let permit = state.stream_permit()?;
    let (events, queue) = mpsc::channel(1);
    tokio::spawn(carried(async move {
        tokio::select! {
            () = tell(&state, &events) => {}
            () = events.closed() => {}
            () = state.stopped() => {}
        }
        drop(permit);
    }));
    Ok(Sse::new(ReceiverStream::new(queue)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

async fn tell(state: &AppState, events: &mpsc::Sender<Result<Event, Infallible>>) {
    let mut seen = state.service().feed_end().await;
    loop {
        state.service().feed_beyond(seen).await;
        let end = state.service().feed_end().await;
        if end > seen {
            seen = end;
            if events.send(Ok(Event::default().event("changed").data(seen.to_string()))).await.is_err() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
