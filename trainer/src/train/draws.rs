//! The endless stream of draws, epoch after epoch, and where in it a run stands.

use crate::Error;
use crate::data::{Draw, Order};

/// Draws of one epoch after another.
#[derive(Debug)]
pub struct DrawStream {
    order: Order,
    epoch: u64,
    draws: Vec<Draw>,
    position: usize,
}

impl DrawStream {
    /// Stands before the `position`-th draw of an epoch.
    ///
    /// # Errors
    /// If an epoch has no draws at all.
    pub fn new(order: Order, epoch: u64, position: u64) -> Result<Self, Error> {
        let draws = order.epoch(epoch);
        if draws.is_empty() {
            return Err(Error::Usage("no training frame is left by the filters of [data]".to_owned()));
        }
        Ok(Self { order, epoch, draws, position: position as usize })
    }

    /// The next draws.
    pub fn take(&mut self, count: usize) -> Vec<Draw> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            if self.position >= self.draws.len() {
                self.epoch += 1;
                self.draws = self.order.epoch(self.epoch);
                self.position = 0;
            }
            let end = self.draws.len().min(self.position + count - taken.len());
            taken.extend_from_slice(&self.draws[self.position..end]);
            self.position = end;
        }
        taken
    }

    /// The epoch, and how many of its draws are taken.
    pub fn position(&self) -> (u64, u64) {
        (self.epoch, self.position as u64)
    }
}
