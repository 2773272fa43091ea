//! Marks from the keyboard of whoever sits at the terminal.

use super::mark::of_line;
use super::writer::text_message;
use crate::error::Error;
use crate::ros::{Ros, TopicPublisher};
use crate::stop::Stop;
use sinew_proto::Message;
use sinew_proto::key::{EPISODE, Key};
use sinew_proto::msg::std_msgs;
use std::io::{BufRead, IsTerminal};
use std::sync::Arc;
use zenoh::qos::Priority;

/// What the keys mean, for people.
pub(super) const KEYS: &str =
    "b begins an episode; s success, f failure, d discard end it; n TEXT is a note (each with return)";

/// Sends marks by a session, as any other operator does.
#[derive(Clone, Debug)]
pub(crate) struct Marker {
    publisher: Arc<TopicPublisher>,
}

impl Marker {
    /// # Errors
    /// If the namespace is no key.
    pub(crate) fn new(ros: &Ros, namespace: &str) -> Result<Self, Error> {
        let topic = Key::of_topic_in(namespace, EPISODE)?;
        let publisher = ros.publisher(topic.as_str(), std_msgs::String::TYPE_NAME, Priority::Data)?;
        Ok(Self { publisher: Arc::new(publisher) })
    }

    /// Sends the mark that a line stands for. Returns whether it stands for one.
    pub(crate) fn take(&self, line: &str) -> bool {
        let Some(mark) = of_line(line) else { return false };
        if let Err(error) = self.publisher.put(text_message(&mark)) {
            tracing::warn!("mark `{mark}` was not sent: {error}");
        }
        true
    }
}

/// Listens to the keyboard, if somebody sits at a terminal. Nobody waits for this thread: a read of the keyboard cannot
/// be interrupted. It ends with the program.
pub(crate) fn listen(marker: Marker, stop: Stop) -> Result<(), Error> {
    if !std::io::stdin().is_terminal() {
        return Ok(());
    }
    tracing::info!("{KEYS}");
    let name = "keyboard".to_owned();
    let read = move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if stop.is_requested() {
                return;
            }
            if !marker.take(&line) {
                tracing::warn!("`{line}` is no mark: {KEYS}");
            }
        }
    };
    let thread = std::thread::Builder::new().name(name.clone()).spawn(read);
    thread.map(drop).map_err(|source| Error::Thread { name, source })
}
