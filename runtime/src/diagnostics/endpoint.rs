//! The page for Prometheus, over HTTP/1.1. One reader at a time, none of whom can take long or send much.

use crate::error::Error;
use crate::slot::lock;
use crate::stop::Stop;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long the thread waits before it looks for a reader or the wish to stop.
const POLL: Duration = Duration::from_millis(50);
/// Longest that a reader may take to ask, and then to take the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest request.
const MAX_REQUEST: usize = 8192;
/// Where the page is.
const PATH: &str = "/metrics";

/// A bound address.
#[derive(Debug)]
pub(super) struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
}

impl Endpoint {
    /// Listens on an address.
    ///
    /// # Errors
    /// If the system refuses it.
    pub(super) fn open(address: SocketAddr) -> Result<Self, Error> {
        let listener = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        });
        let (address, listener) = listener.map_err(|source| Error::Listen { address, source })?;
        Ok(Self { listener, address })
    }

    /// Where it is reached.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the stop.
    pub(super) fn serve(&self, page: &Mutex<String>, stop: &Stop) {
        while !stop.is_requested() {
            match self.listener.accept() {
                // A reader that goes away harms nobody but itself.
                Ok((stream, _)) => drop(answer(stream, page)),
                Err(_) => drop(stop.sleep_until(Instant::now() + POLL)),
            }
        }
    }
}

fn answer(mut stream: TcpStream, page: &Mutex<String>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = read_head(&mut stream, Instant::now() + PATIENCE)?;
    let first_line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let (status, body) = match Request::parse(first_line) {
        Request::Page => ("200 OK", lock(page).clone()),
        Request::OtherPath => ("404 Not Found", format!("the page is {PATH}\n")),
        Request::OtherMethod => ("405 Method Not Allowed", "this page can only be read\n".to_owned()),
        Request::None => ("400 Bad Request", "this is no HTTP request\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: \
         close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    stream.flush()
}

/// Reads up to the empty line, no further than needed.
fn read_head(stream: &mut TcpStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() || head.len() > MAX_REQUEST {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(rest))?;
        match stream.read(&mut piece)? {
            0 => break,
            count => head.extend_from_slice(&piece[..count]),
        }
    }
    Ok(head)
}

#[derive(Debug, PartialEq, Eq)]
enum Request {
    Page,
    OtherPath,
    OtherMethod,
    None,
}

impl Request {
    fn parse(line: &[u8]) -> Self {
        let Ok(line) = std::str::from_utf8(line) else { return Self::None };
        let mut words = line.split(' ');
        let (method, path, version) = (words.next(), words.next(), words.next());
        match (method, path, version) {
            (Some(_), Some(_), Some(version)) if !version.starts_with("HTTP/1.") => Self::None,
            (Some("GET"), Some(path), Some(_)) => {
                let path = path.split('?').next().unwrap_or_default();
                if path == PATH { Self::Page } else { Self::OtherPath }
            }
            (Some(_), Some(_), Some(_)) => Self::OtherMethod,
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn ask(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        // A server that has heard enough may hang up before all was said.
        let _ = stream.write_all(request);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn only_the_page_is_served_and_a_reader_that_says_nothing_holds_nobody_up() {
        let endpoint = Endpoint::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, stop) = (endpoint.address(), Stop::default());
        let (page, for_thread) = (Arc::new(Mutex::new("sinew_up 1\n".to_owned())), stop.clone());
        let serve = {
            let page = Arc::clone(&page);
            move || endpoint.serve(&page, &for_thread)
        };
        let thread = std::thread::Builder::new().name("endpoint".to_owned()).spawn(serve).unwrap();
        let silent = TcpStream::connect(address).unwrap();
        let answer = ask(address, b"GET /metrics?x=1 HTTP/1.1\r\nHost: here\r\n\r\n");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nsinew_up 1\n"),
            "{answer}"
        );
        let status = |request: &[u8]| ask(address, request).split(' ').nth(1).unwrap_or_default().to_owned();
        assert_eq!(status(b"GET / HTTP/1.1\r\n\r\n"), "404");
        assert_eq!(status(b"POST /metrics HTTP/1.1\r\n\r\n"), "405");
        assert_eq!(status(b"GET /metrics SMTP\r\n\r\n"), "400");
        assert_eq!(status(b"\xff\xfe\r\n\r\n"), "400");
        let endless = [b"GET /metrics HTTP/1.1\r\n".to_vec(), b"a: b\r\n".repeat(1 << 16)].concat();
        assert_eq!(status(&endless), "");
        drop(silent);
        stop.request();
        thread.join().unwrap();
    }
}
