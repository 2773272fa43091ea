//! Which of a camera's topics is used.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The most preferred topic that has spoken. A less preferred one is never gone back to: that camera is lost, which the
/// operator has to know.
#[derive(Debug)]
pub(super) struct TopicChoice {
    /// `usize::MAX`: none has spoken.
    chosen: AtomicUsize,
    is_contested: AtomicBool,
}

/// Two topics of one camera have spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contest {
    /// The one that is used.
    pub(super) used: usize,
    /// The one that is not, or no longer.
    pub(super) ignored: usize,
}

impl Default for TopicChoice {
    fn default() -> Self {
        Self { chosen: AtomicUsize::new(usize::MAX), is_contested: AtomicBool::new(false) }
    }
}

impl TopicChoice {
    /// A topic spoke, 0 being the preferred one. Returns whether it is used, and which is used instead of which when a
    /// second one speaks for the first time, or takes over.
    pub(super) fn hear(&self, topic: usize) -> (bool, Option<Contest>) {
        let before = self.chosen.fetch_min(topic, Ordering::Relaxed);
        let used = before.min(topic);
        let is_second = before != usize::MAX && before != topic;
        let is_news = is_second && (!self.is_contested.swap(true, Ordering::Relaxed) || topic < before);
        (used == topic, is_news.then_some(Contest { used, ignored: before.max(topic) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_speaks_is_used_until_a_preferred_one_does() {
        let choice = TopicChoice::default();
        assert_eq!(choice.hear(1), (true, None));
        assert_eq!(choice.hear(2), (false, Some(Contest { used: 1, ignored: 2 })));
        assert_eq!(choice.hear(1), (true, None));
        assert_eq!(choice.hear(0), (true, Some(Contest { used: 0, ignored: 1 })));
        assert_eq!((choice.hear(1), choice.hear(0)), ((false, None), (true, None)));
        let choice = TopicChoice::default();
        assert_eq!((choice.hear(1), choice.hear(1)), ((true, None), (true, None)));
        assert_eq!(choice.hear(0), (true, Some(Contest { used: 0, ignored: 1 })));
    }
}
