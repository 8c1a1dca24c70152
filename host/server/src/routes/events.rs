//! The feed of all runs, as an event stream and as a long poll.

use super::Answer;
use crate::AppState;
use crate::extract::{LastEventId, QueryOf};
use crate::problem::{self, Problem};
use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use lockstep_access::carried;
use lockstep_ports::FeedItem;
use lockstep_types::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Records read from the feed at once: a slow reader holds no more than this in memory.
const PAGE: usize = 128;

/// Most records one long poll answers.
const FEED_LIMIT_MAX: usize = 1024;

/// Events waiting for a reader to take them before the stream stops reading the feed.
const QUEUE: usize = 32;

/// How often a silent stream says that it is alive: below the usual 30 to 60 seconds of proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a reader waits before it comes back after a lost connection.
const RECONNECT: Duration = Duration::from_secs(1);

#[derive(Deserialize, JsonSchema)]
pub(super) struct StreamQuery {
    /// Position of the feed to begin after; none: its end.
    after: Option<u64>,
    /// Only what happens in this run.
    run: Option<RunId>,
}

/// Streams the feed: what is named by `Last-Event-ID` or `after` and later; with neither, what happens from now on.
pub(super) async fn stream(
    State(state): State<AppState>,
    LastEventId(last): LastEventId,
    QueryOf(query): QueryOf<StreamQuery>,
) -> Answer<Sse<impl tokio_stream::Stream<Item = Result<Event, Infallible>>>> {
    let permit = state.stream_permit()?;
    let end = state.service().feed_end().await;
    // A reader that reconnects repeats the address it first used, so what it has already seen counts first.
    let position = last.or(query.after).unwrap_or(end);
    within(position, end)?;
    let (events, queue) = mpsc::channel(QUEUE);
    let pump = Pump { state, run: query.run, position, events };
    tokio::spawn(carried(async move {
        pump.run().await;
        drop(permit);
    }));
    let stream = ReceiverStream::new(queue);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("still here")))
}

/// A position beyond the end was handed out by another data folder; waiting for it would be silence for ever.
fn within(position: u64, end: u64) -> Answer<()> {
    if position <= end {
        return Ok(());
    }
    let detail = format!("position {position} is beyond the end of the feed, {end}: begin again without one");
    Err(Problem::new(problem::INVALID, detail))
}

/// Carries the feed to one reader.
struct Pump {
    state: AppState,
    run: Option<RunId>,
    position: u64,
    events: mpsc::Sender<Result<Event, Infallible>>,
}

impl Pump {
    async fn run(mut self) {
        let (state, events) = (self.state.clone(), self.events.clone());
        tokio::select! {
            () = self.pump() => {}
            () = events.closed() => {}
            () = state.stopped() => {}
        }
    }

    /// Returns when the reader is gone or the feed cannot be read.
    async fn pump(&mut self) {
        // The first event carries a position, so that a reader who loses the connection before anything happened
        // resumes here.
        if !self.send(self.mark().retry(RECONNECT)).await {
            return;
        }
        loop {
            let end = self.state.service().feed_end().await;
            let page = match self.state.service().feed(self.position, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    let event = Event::default().event("problem").data(Problem::from(error).to_line());
                    self.send(event).await;
                    return;
                }
            };
            if page.is_empty() {
                // What is at the end may have gone with its run, too.
                if self.position < end && !self.gap(end + 1).await {
                    return;
                }
                self.position = self.position.max(end);
                self.state.service().feed_beyond(self.position).await;
            } else if !self.forward(page).await {
                return;
            }
        }
    }

    async fn forward(&mut self, page: Vec<FeedItem>) -> bool {
        let mut passed_over = false;
        for mut item in page {
            if item.position > self.position + 1 && !self.gap(item.position).await {
                return false;
            }
            self.position = item.position;
            if let Some(run) = &self.run {
                item.entries.retain(|entry| entry.run == *run);
            }
            passed_over = item.entries.is_empty();
            if !passed_over && !self.send(timeline_event(&item)).await {
                return false;
            }
        }
        !passed_over || self.send(self.mark()).await
    }

    /// Says that what was between the reader's place and `next` is no longer kept: it went with its run.
    async fn gap(&mut self, next: u64) -> bool {
        let data = format!("{{\"after\":{},\"before\":{next}}}", self.position);
        self.position = next - 1;
        self.send(Event::default().event("gap").id(self.position.to_string()).data(data)).await
    }

    /// An event without data: readers take note of its position and show nothing.
    fn mark(&self) -> Event {
        Event::default().id(self.position.to_string())
    }

    async fn send(&self, event: Event) -> bool {
        self.events.send(Ok(event)).await.is_ok()
    }
}

fn timeline_event(item: &FeedItem) -> Event {
    let data = serde_json::to_string(item).unwrap_or_default();
    Event::default().event("timeline").id(item.position.to_string()).data(data)
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct FeedQuery {
    /// Position of the feed to begin after; none: its end.
    after: Option<u64>,
    /// At most so many records.
    #[schemars(range(max = 1024))]
    limit: Option<usize>,
    /// Whether to wait, at most 15 seconds, until there is something after `after`.
    #[serde(default)]
    wait: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct FeedPage {
    items: Vec<FeedItem>,
    /// Position of the last record of the feed when the page was read.
    end: u64,
}

/// One page of the feed, for clients that would rather not read a stream.
pub(super) async fn feed(
    State(state): State<AppState>,
    QueryOf(query): QueryOf<FeedQuery>,
) -> Answer<Json<FeedPage>> {
    let limit = query.limit.unwrap_or(PAGE);
    if limit > FEED_LIMIT_MAX {
        return Err(Problem::new(problem::INVALID, format!("`limit` must be 0 to {FEED_LIMIT_MAX}")));
    }
    let mut end = state.service().feed_end().await;
    let after = query.after.unwrap_or(end);
    within(after, end)?;
    if query.wait && after == end {
        let _permit = state.stream_permit()?;
        tokio::select! {
            () = state.service().feed_beyond(after) => {}
            () = state.stopped() => {}
        }
        end = state.service().feed_end().await;
    }
    let items = if limit == 0 { Vec::new() } else { state.service().feed(after, limit).await? };
    Ok(Json(FeedPage { items, end }))
}
