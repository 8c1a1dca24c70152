//! What stands between a registry and its client, or in its place: a relay that breaks off, a server that follows a script.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Asks a registry for what no client of ours would, and gives the status.
pub(crate) fn put_manifest(host: &str, name: &str, text: &str) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let head =
        format!("PUT /v2/{name} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}");
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

/// Passes connections on to `host`, but no more than so many bytes each way. Gives its own address.
pub(crate) fn relay(host: &str, to: u64, from: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (own, host) = (listener.local_addr().unwrap().to_string(), host.to_owned());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&host).unwrap());
            for (source, sink, limit) in [(&client, &server, to), (&server, &client, from)] {
                let (source, mut sink) = (source.try_clone().unwrap(), sink.try_clone().unwrap());
                std::thread::spawn(move || {
                    // Whoever left early is no fault of the relay.
                    std::io::copy(&mut source.take(limit), &mut sink).map(drop).unwrap_or_default();
                    sink.shutdown(Shutdown::Both).unwrap_or_default();
                });
            }
        }
    });
    own
}

/// A server that answers each request as `answer` says to its head. Gives its address, and what it was asked.
pub(crate) fn scripted(
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let lines = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let head = head.join("\n");
            let text = answer(&head);
            seen.lock().unwrap().push(head);
            let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
            let head = head.replace('\n', "\r\n");
            let length = body.len();
            write!(client, "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
                .unwrap();
        }
    });
    (own, asked)
}
