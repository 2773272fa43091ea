//! The wish to stop: set once, by a signal, a time limit or a failure, and seen by every thread.

use crate::error::Error;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a waiting thread sleeps before it looks again.
const POLL: Duration = Duration::from_millis(20);

/// A flag shared by all threads of a program, with a time limit if there is one.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Stop {
    /// A flag that SIGINT, SIGTERM and SIGQUIT set, and SIGHUP unless whoever started the program had it ignored (`nohup`). A second
    /// of the first three ends the process at once, for when stopping hangs. A terminal that goes away may say so twice, and while
    /// the program stops already: that is no wish to hurry.
    ///
    /// # Errors
    /// If the system refuses the handler.
    pub fn on_signals() -> Result<Self, Error> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM, SIGQUIT] {
            // The order matters: on the first signal the flag is not yet set when the first action looks at it.
            signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop.flag))
                .map_err(Error::Signal)?;
            signal_hook::flag::register(signal, Arc::clone(&stop.flag)).map_err(Error::Signal)?;
        }
        if !is_ignored(SIGHUP) {
            signal_hook::flag::register(SIGHUP, Arc::clone(&stop.flag)).map_err(Error::Signal)?;
        }
        Ok(stop)
    }

    /// The same flag, and from now on also after so long.
    #[must_use]
    pub fn within(self, limit: Option<Duration>) -> Self {
        Self { deadline: limit.and_then(|limit| Instant::now().checked_add(limit)).or(self.deadline), ..self }
    }

    /// Asks everyone to stop.
    pub fn request(&self) {
        self.flag.store(true, Ordering::SeqCst);
    }

    /// Whether to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.flag.load(Ordering::SeqCst) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Sleeps until a time or the stop. Returns whether the time came.
    #[must_use]
    pub fn sleep_until(&self, time: Instant) -> bool {
        loop {
            if self.is_requested() {
                return false;
            }
            let rest = time.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return true;
            }
            std::thread::sleep(rest.min(POLL));
        }
    }
}

/// Whether whoever started the program had it ignore a signal.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
