//! The line at the bottom of a terminal.

use sinew_runtime::telemetry::{Event, EventKind, Terminal};
use std::time::{Duration, Instant};

/// How a run is doing, in the line at the bottom of a terminal.
pub(crate) struct StatusLine<'a> {
    terminal: &'a Terminal,
    /// When the chunks of the last moments were published.
    recent: Vec<Instant>,
    shown: Option<Instant>,
}

impl<'a> StatusLine<'a> {
    const WINDOW: Duration = Duration::from_secs(3);
    const REFRESH: Duration = Duration::from_millis(200);

    pub(crate) fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, recent: Vec::new(), shown: None }
    }

    pub(crate) fn take_in(&mut self, event: &Event) {
        let text = match &event.kind {
            EventKind::Chunk(chunk) => {
                self.recent.push(Instant::now());
                self.recent.retain(|time| time.elapsed() < Self::WINDOW);
                if self.shown.is_some_and(|shown| shown.elapsed() < Self::REFRESH) {
                    return;
                }
                format!(
                    "running  chunk {}  {:.1} per second  latency {:.0} ms  held at limits: {}",
                    chunk.sequence,
                    self.recent.len() as f64 / Self::WINDOW.as_secs_f64(),
                    chunk.observation_to_publish_ms,
                    chunk.clamps.len()
                )
            }
            EventKind::NotReady { message, .. } => format!("waiting  {message}"),
            _ => return,
        };
        self.shown = Some(Instant::now());
        self.terminal.set_status(text);
    }
}
