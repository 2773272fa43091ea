//! Threads with names, so that a stack dump of a stuck robot can be read, and whose ends are errors, not panics.

use crate::error::Error;
use std::thread::{Builder, JoinHandle};
use thread_priority::unix::{
    RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};
use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// Puts the calling thread before all others that are not in real time themselves.
///
/// # Errors
/// Why the system does not.
pub(crate) fn run_in_real_time(priority: u8) -> Result<(), String> {
    let priority = ThreadPriorityValue::try_from(priority).map_err(|error| error.to_string())?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(priority), policy)
        .map_err(|error| error.to_string())
}

/// A running thread.
#[derive(Debug)]
pub(crate) struct Thread<T> {
    name: String,
    handle: JoinHandle<Result<T, Error>>,
}

impl<T: Send + 'static> Thread<T> {
    /// Starts a thread.
    ///
    /// # Errors
    /// If the system refuses one.
    pub(crate) fn spawn(
        name: impl Into<String>,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let name = name.into();
        match Builder::new().name(name.clone()).spawn(work) {
            Ok(handle) => Ok(Self { name, handle }),
            Err(source) => Err(Error::Thread { name, source }),
        }
    }

    /// Whether it has ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Its own, or that it died of a bug.
    pub(crate) fn join(self) -> Result<T, Error> {
        let Self { name, handle } = self;
        handle.join().map_err(|_| Error::Panicked(name))?
    }
}
