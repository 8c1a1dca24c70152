//! `lockstep serve` on a port of its own, and requests to it as bytes.

use crate::host::Host;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    pub(crate) fn start(host: &Host) -> Self {
        let mut serve = host.command(&["serve", "--listen", "127.0.0.1:0"]);
        let complaints = host.data.with_extension("log");
        let log = File::create(&complaints).expect("the log can be written");
        let mut child = serve.stdout(Stdio::piped()).stderr(log).spawn().expect("the binary starts");
        let out = child.stdout.take().expect("its output is piped");
        let ready = BufReader::new(out).lines().map_while(Result::ok).find(|line| line.contains("http://"));
        let complaints = std::fs::read_to_string(complaints).unwrap_or_default();
        assert!(ready.is_some(), "the server did not come up: {complaints}");
        let json = std::fs::read_to_string(host.data.join("server.json")).expect("server.json is there");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let address =
            json["url"].as_str().unwrap().trim_start_matches("http://").trim_end_matches('/').to_owned();
        let token = std::fs::read_to_string(host.data.join("token")).unwrap().trim().to_owned();
        Self { child, address, token }
    }

    /// Ends it in order, as Ctrl-C does.
    pub(crate) fn interrupt(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.child.wait().expect("it ended");
    }

    /// A request as bytes, the whole answer as text.
    pub(crate) fn http(&self, request: &str, token: &str) -> String {
        let mut stream = self.send(request, token).expect("the server listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the answer is text");
        answer
    }

    /// Sends a request and does not wait for the answer.
    pub(crate) fn send(&self, request: &str, token: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address)?;
        let (line, body) = request.split_once('\n').unwrap_or((request, ""));
        let length = body.len();
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}",
            self.address
        )?;
        Ok(stream)
    }
}
