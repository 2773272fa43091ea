//! Where threads meet: a cell that holds the newest value only.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Locks a mutex. A thread that panicked while holding it left plain data behind, which is still usable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cell for one value. A new value replaces one that nobody took: a slow reader sees fewer values, never
/// older ones, and no memory is piled up.
#[derive(Debug)]
pub struct Slot<T> {
    value: Mutex<Option<T>>,
    filled: Condvar,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { value: Mutex::new(None), filled: Condvar::new() }
    }
}

impl<T> Slot<T> {
    /// Puts a value in and returns the one it replaces, if nobody took that.
    pub fn put(&self, value: T) -> Option<T> {
        let replaced = lock(&self.value).replace(value);
        self.filled.notify_one();
        replaced
    }

    /// Takes the value out.
    pub fn take(&self) -> Option<T> {
        lock(&self.value).take()
    }

    /// Takes the value out, if nobody else is at the cell right now.
    pub fn try_take(&self) -> Option<T> {
        self.value.try_lock().ok()?.take()
    }

    /// Takes the value out, waiting so long for one.
    pub fn wait(&self, timeout: Duration) -> Option<T> {
        let waiting = self.filled.wait_timeout_while(lock(&self.value), timeout, |value| value.is_none());
        waiting.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

/// The newest of a value that one thread writes and others copy. The writer never waits: while somebody copies, it
/// keeps its value for the next time.
#[derive(Debug)]
pub struct Latest<T> {
    value: Mutex<T>,
}

impl<T: Copy> Latest<T> {
    /// Starts with a value.
    pub fn new(value: T) -> Self {
        Self { value: Mutex::new(value) }
    }

    /// Writes, unless somebody copies right now. Returns whether it did.
    pub fn try_set(&self, value: T) -> bool {
        let Ok(mut place) = self.value.try_lock() else { return false };
        *place = value;
        true
    }

    /// A copy.
    pub fn get(&self) -> T {
        *lock(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_value_nobody_took_is_replaced_and_handed_back() {
        let slot = Slot::default();
        assert_eq!(slot.put(1), None);
        assert_eq!(slot.put(2), Some(1));
        assert_eq!(slot.take(), Some(2));
        assert_eq!(slot.take(), None);
        assert_eq!(slot.put(3), None);
    }

    #[test]
    fn a_waiting_reader_is_woken_by_the_value() {
        let slot = Arc::new(Slot::default());
        let reader = {
            let slot = Arc::clone(&slot);
            std::thread::Builder::new()
                .name("reader".into())
                .spawn(move || slot.wait(Duration::from_secs(60)))
        };
        slot.put("frame");
        assert_eq!(reader.unwrap().join().unwrap(), Some("frame"));
        assert_eq!(slot.wait(Duration::ZERO), None);
    }
}
