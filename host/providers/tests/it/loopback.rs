//! A service on loopback that answers what a test tells it to, one reply a connection, and keeps what it was asked.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `GET /path?query`.
    pub(crate) line: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The bytes of a reply; an empty one cuts the connection, `None` never answers.
type Answer = Arc<dyn Fn(&Asked) -> Option<Vec<u8>> + Send + Sync>;

pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Service {
    /// A service that answers by a function of the request.
    pub(crate) fn new(answer: impl Fn(&Asked) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer): (_, Answer) = (Arc::clone(&asked), Arc::new(answer));
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &kept, &answer));
            }
        });
        Self { address, asked }
    }

    /// A service that gives these replies in order, and the last one for ever.
    pub(crate) fn script(replies: &[&str]) -> Self {
        let replies: Vec<String> = replies.iter().rev().map(|reply| (*reply).to_owned()).collect();
        let replies = Mutex::new(replies);
        Self::new(move |_| {
            let mut replies = replies.lock().unwrap();
            let reply = if replies.len() > 1 { replies.pop() } else { replies.last().cloned() };
            Some(reply.unwrap_or_default().into_bytes())
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The first lines of all requests.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

/// A whole reply.
pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Asked>>, answer: &Answer) {
    let Some(asked) = read(&mut stream) else { return };
    kept.lock().unwrap().push(asked.clone());
    match answer(&asked) {
        Some(bytes) => stream.write_all(&bytes).unwrap_or_default(),
        // Whoever asked closes.
        None => drop(stream.read(&mut [0; 1])),
    }
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(length) if length > 0 => bytes.extend_from_slice(&piece[..length]),
            _ => return None,
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).ok()?;
    let mut lines = text.lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = bytes[head..].to_vec();
    let rest = length - body.len();
    let mut more = vec![0; rest];
    stream.read_exact(&mut more).ok()?;
    body.extend_from_slice(&more);
    Some(Asked { line, headers, body: String::from_utf8(body).ok()? })
}
