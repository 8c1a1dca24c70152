//! Listens, and ends without cutting anybody off.

use crate::origin::Peer;
use crate::{AppState, app};
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections open at once; a further one waits to be accepted. Well below the usual limit of 1,024 open files.
const CONNECTIONS_MAX: usize = 256;

/// How long the head of a request may take, and how long a connection may lie idle.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);

/// How long requests in flight may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// How long to wait after a connection could not be accepted: without files left, trying at once fails at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why the server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The text is not an address, or its name has none.
    #[error("{text:?} is not an address to listen on: write HOST:PORT, for example 127.0.0.1:7420")]
    Address {
        /// What was given.
        text: String,
        /// Why, where there is more to say.
        #[source]
        source: Option<io::Error>,
    },
    /// The address can be reached from other machines.
    #[error(
        "{address} can be reached from other machines: listen on 127.0.0.1, or add --allow-remote if that is meant"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error("cannot listen on {address}: give another address with --listen")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Binds `text`, a `HOST:PORT`; an address beyond this machine only if that is allowed.
///
/// # Errors
/// The text is no address, the address is refused, or it cannot be had.
pub async fn bind(text: &str, allow_remote: bool) -> Result<TcpListener, ServeError> {
    let unusable = |source| ServeError::Address { text: text.to_owned(), source };
    let addresses: Vec<_> =
        tokio::net::lookup_host(text).await.map_err(|error| unusable(Some(error)))?.collect();
    let beyond = addresses.iter().find(|address| !address.ip().is_loopback());
    if let (Some(&address), false) = (beyond, allow_remote) {
        return Err(ServeError::NotLoopback { address });
    }
    let &address = addresses.first().ok_or_else(|| unusable(None))?;
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })
}

/// Serves until `shutdown`; then event streams end, requests in flight are answered, and it returns.
pub async fn serve(listener: TcpListener, state: AppState, shutdown: impl Future<Output = ()>) {
    let router = app(state.clone());
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = &mut shutdown => break,
        };
        if let Some((stream, peer, permit)) = accepted {
            let service = OfPeer { inner: TowerToHyperService::new(router.clone()), peer };
            tokio::spawn(converse(stream, service, graceful.watcher(), permit));
        }
    }
    drop(listener);
    state.stop();
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still in flight after {} s and are cut off", GRACE.as_secs());
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, Peer(peer), permit)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// The routes, each request of which says who is at the other end of the connection.
struct OfPeer {
    inner: TowerToHyperService<Router>,
    peer: Peer,
}

impl Service<Request<Incoming>> for OfPeer {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.inner.call(request)
    }
}

async fn converse(stream: TcpStream, service: OfPeer, watcher: Watcher, permit: OwnedSemaphorePermit) {
    // Events are small and must not wait for more of them.
    stream.set_nodelay(true).unwrap_or_default();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(permit);
}
