//! The endless stream of draws, epoch after epoch, and where in it a run stands.

use crate::Error;
use crate::data::{Draw, Order};

/// Draws of one epoch after another.
#[derive(Debug)]
pub struct DrawStream {
    order: Order,
    epoch: u64,
    draws: Vec<Draw>,
    next: usize,
}

impl DrawStream {
    /// From a place on.
    ///
    /// # Errors
    /// If an epoch has no draws at all.
    pub fn new(order: Order, from: Place) -> Result<Self, Error> {
        let draws = order.epoch(from.epoch);
        if draws.is_empty() {
            return Err(Error::Usage("no training frame is left by the filters of [data]".to_owned()));
        }
        Ok(Self { order, epoch: from.epoch, draws, next: from.draw_count as usize })
    }
}

impl Iterator for DrawStream {
    type Item = Draw;

    fn next(&mut self) -> Option<Draw> {
        if self.next >= self.draws.len() {
            self.epoch += 1;
            self.draws = self.order.epoch(self.epoch);
            self.next = 0;
        }
        let draw = self.draws.get(self.next).copied();
        self.next += 1;
        draw
    }
}

/// How far a run has come in the stream: what is decoded ahead of it does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The epoch.
    pub epoch: u64,
    /// Draws of it that were trained on.
    pub draw_count: u64,
}

impl Place {
    /// After one more draw.
    pub fn after(self, draw: &Draw) -> Self {
        let draw_count = if draw.epoch == self.epoch { self.draw_count + 1 } else { 1 };
        Self { epoch: draw.epoch, draw_count }
    }
}
