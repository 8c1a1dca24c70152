use crate::fake::FakeService;
use crate::{TOKEN, state};
use expect_test::expect;
use lockstep_server::{bind, serve};
use std::error::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

#[tokio::test]
async fn addresses_beyond_this_machine_need_a_word() {
    let mut said = String::new();
    for address in ["0.0.0.0:0", "[::]:0", "7420", "127.0.0.1"] {
        said.push_str(&format!("{}\n", bind(address, false).await.unwrap_err()));
    }
    expect![[r#"
        0.0.0.0:0 can be reached from other machines: listen on 127.0.0.1, or add --allow-remote if that is meant
        [::]:0 can be reached from other machines: listen on 127.0.0.1, or add --allow-remote if that is meant
        "7420" is not an address to listen on: write HOST:PORT, for example 127.0.0.1:7420
        "127.0.0.1" is not an address to listen on: write HOST:PORT, for example 127.0.0.1:7420
    "#]].assert_eq(&said);
    assert!(bind("0.0.0.0:0", true).await.is_ok());
    let taken = bind("localhost:0", false).await.unwrap().local_addr().unwrap();
    let holder = bind(&taken.to_string(), false).await.unwrap();
    let refused = bind(&holder.local_addr().unwrap().to_string(), false).await.unwrap_err();
    assert!(refused.source().is_some());
}

#[tokio::test]
async fn a_stopped_server_ends_streams_and_then_itself() {
    let listener = bind("127.0.0.1:0", false).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let service = FakeService::new();
    let server =
        tokio::spawn(serve(listener, state(&service), async move { stopped.await.unwrap_or_default() }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /v1/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 15];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    stop.send(()).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "the stream was cut off");
    server.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

/// A connection that asked for `path`, and the status line of the answer.
async fn asked(address: std::net::SocketAddr, path: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    (stream, String::from_utf8_lossy(&status).into_owned())
}

#[tokio::test]
async fn a_thousand_streams_leave_room_for_others() {
    let listener = bind("127.0.0.1:0", false).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let service = FakeService::new();
    let server =
        tokio::spawn(serve(listener, state(&service), async move { stopped.await.unwrap_or_default() }));
    let (mut open, mut refused) = (Vec::new(), 0);
    for _ in 0..1000 {
        let (mut stream, status) = asked(address, "/v1/events").await;
        match status.as_str() {
            "HTTP/1.1 200" => open.push(stream),
            _ => {
                // It is told why and let go of, so that it does not keep others from connecting.
                let mut rest = String::new();
                stream.read_to_string(&mut rest).await.unwrap();
                assert!(rest.contains("\"code\":\"busy\""), "{status}{rest}");
                refused += 1;
            }
        }
    }
    assert_eq!((open.len(), refused), (64, 936));
    assert_eq!(asked(address, "/v1/runs").await.1, "HTTP/1.1 200");
    stop.send(()).unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn a_body_that_does_not_end_in_time_is_told_so() {
    let service = FakeService::new();
    let server = lockstep_server::app(state(&service));
    let body = axum::body::Body::from_stream(tokio_stream::pending::<Result<Vec<u8>, std::io::Error>>());
    tokio::time::pause();
    let response = tower::ServiceExt::oneshot(server, crate::request("POST /v1/runs", body)).await.unwrap();
    assert_eq!(
        crate::shown(response).await,
        "408 too-slow: the body did not arrive in time: send it again\n"
    );
    assert_eq!(service.calls(), "");
}
