//! Standard error for people: log lines, and on a terminal one status line below them.

use crate::slot::lock;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// Back to the first column, and clear the line.
const CLEAR_LINE: &[u8] = b"\r\x1b[2K";

/// Standard error with a status line that log lines scroll past.
#[derive(Clone, Debug)]
pub struct Terminal {
    status: Arc<Mutex<String>>,
    shows_status: bool,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { status: Arc::default(), shows_status: std::io::stderr().is_terminal() }
    }
}

impl Terminal {
    /// Shows another status line; an empty one takes it away. Does nothing where nobody looks.
    pub fn set_status(&self, text: String) {
        if !self.shows_status {
            return;
        }
        let mut status = lock(&self.status);
        *status = text;
        let mut stderr = std::io::stderr().lock();
        // A terminal that is gone is no reason to stop a robot.
        let _ = stderr.write_all(CLEAR_LINE).and_then(|()| stderr.write_all(status.as_bytes()));
        let _ = stderr.flush();
    }
}

impl Write for Terminal {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let status = lock(&self.status);
        let mut stderr = std::io::stderr().lock();
        if status.is_empty() {
            stderr.write_all(line)?;
        } else {
            stderr.write_all(&[CLEAR_LINE, line, status.as_bytes()].concat())?;
        }
        stderr.flush()?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for Terminal {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
