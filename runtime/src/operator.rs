//! The operator's stop, resume and signs of life: by zenoh, by signal, by keyboard.
//!
//! Any message on a key counts, whatever is in it: a stop must not fail for its spelling.

use crate::clock::{self, Moment};
use crate::error::Error;
use crate::record::Marker;
use crate::ros::{Ros, Subscription};
use crate::safety::Operator;
use crate::stop::Stop;
use signal_hook::consts::{SIGTSTP, SIGUSR1};
use sinew_proto::key::{ALIVE, Key, RESUME, STOP};
use std::io::{BufRead, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Where the operator's wishes wait for the control tick.
#[derive(Debug, Default)]
pub struct Panel {
    stop: Arc<AtomicBool>,
    resume: AtomicBool,
    /// 0: never.
    alive_at_ns: AtomicI64,
}

impl Panel {
    /// Says stop.
    pub fn say_stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Says that a stopped robot may go on.
    pub fn say_resume(&self) {
        self.resume.store(true, Ordering::SeqCst);
    }

    /// Gives a sign of life.
    pub fn say_alive(&self, now: Moment) {
        self.alive_at_ns.store(now.ns().max(1), Ordering::SeqCst);
    }

    /// What was said since the last time somebody asked.
    pub fn take(&self) -> Operator {
        let alive_at_ns = self.alive_at_ns.load(Ordering::SeqCst);
        Operator {
            stop: self.stop.swap(false, Ordering::SeqCst),
            resume: self.resume.swap(false, Ordering::SeqCst),
            alive_at: (alive_at_ns != 0).then(|| Moment::from_ns(alive_at_ns)),
        }
    }
}

/// A panel that is listened to.
#[derive(Debug)]
pub struct OperatorLink {
    panel: Arc<Panel>,
    subscriptions: Vec<Subscription>,
}

impl OperatorLink {
    /// Listens to the keys, to SIGUSR1 and Ctrl-Z (stop: a process that sleeps brakes nothing), and, where it has one and somebody
    /// sits at it, to the keyboard: the return key is stop, `r` and return resume; while episodes are recorded, marks of them go
    /// to the `marker`.
    ///
    /// # Errors
    /// If zenoh or the system refuses.
    pub(crate) fn open(
        ros: &Ros,
        namespace: &str,
        marker: Option<Marker>,
        stop: &Stop,
        has_keyboard: bool,
    ) -> Result<Self, Error> {
        let panel = Arc::<Panel>::default();
        for signal in [SIGUSR1, SIGTSTP] {
            signal_hook::flag::register(signal, Arc::clone(&panel.stop)).map_err(Error::Signal)?;
        }
        let mut link = Self { panel, subscriptions: Vec::new() };
        link.listen(ros, namespace, STOP, Panel::say_stop)?;
        link.listen(ros, namespace, RESUME, Panel::say_resume)?;
        link.listen(ros, namespace, ALIVE, |panel| panel.say_alive(clock::moment()))?;
        if has_keyboard && std::io::stdin().is_terminal() {
            read_keyboard(link.panel(), marker, stop.clone())?;
        }
        Ok(link)
    }

    /// Where what was said waits.
    #[must_use]
    pub fn panel(&self) -> Arc<Panel> {
        Arc::clone(&self.panel)
    }

    fn listen(&mut self, ros: &Ros, namespace: &str, topic: &str, say: fn(&Panel)) -> Result<(), Error> {
        let key = Key::of_topic_in(namespace, topic)?;
        let panel = self.panel();
        self.subscriptions.push(ros.subscribe(key.as_str(), None, move |_| say(&panel))?);
        Ok(())
    }
}

/// Nobody waits for this thread: a read of the keyboard cannot be interrupted. It ends with the program.
fn read_keyboard(panel: Arc<Panel>, marker: Option<Marker>, stop: Stop) -> Result<(), Error> {
    let name = "keyboard".to_owned();
    let read = move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match line.trim() {
                _ if stop.is_requested() => return,
                "r" => panel.say_resume(),
                line if marker.as_ref().is_some_and(|marker| marker.take(line)) => {}
                _ => panel.say_stop(),
            }
        }
    };
    let thread = std::thread::Builder::new().name(name.clone()).spawn(read);
    thread.map(drop).map_err(|source| Error::Thread { name, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_heard_once_and_life_lasts() {
        let panel = Panel::default();
        assert_eq!(panel.take(), Operator::default());
        panel.say_stop();
        panel.say_resume();
        panel.say_alive(Moment::from_ns(7));
        let alive_at = Some(Moment::from_ns(7));
        assert_eq!(panel.take(), Operator { stop: true, resume: true, alive_at });
        assert_eq!(panel.take(), Operator { stop: false, resume: false, alive_at });
    }
}
