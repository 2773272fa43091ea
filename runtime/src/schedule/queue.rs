//! The steps ahead: what the robot is going to be told, one entry a period, made of one chunk or several.
//!
//! Steps are counted from the start of the run, and only while they are played: the count is the schedule's own time.
//! A chunk lies on it at a *position*, that of the moment its observation was taken, which need not be whole; steps
//! between its rows are interpolated.

/// Rows of a chunk, and where they lie.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The position its first row is meant for.
    pub position: f64,
    /// Row-major, one number a joint.
    pub values: &'a [f64],
}

impl Rows<'_> {
    /// The row at a step: the two rows around it, weighted.
    pub(super) fn write_step(&self, step: u64, row: &mut [f64]) {
        let width = row.len();
        let offset = (step as f64 - self.position).max(0.0);
        let (index, rest) = (offset.floor() as usize, offset.fract());
        let start = index * width;
        let this = &self.values[start..start + width];
        let next = self.values.get(start + width..start + 2 * width).unwrap_or(this);
        for ((x, a), b) in row.iter_mut().zip(this).zip(next) {
            *x = a + rest * (b - a);
        }
    }

    /// The first step behind the last row.
    fn end(&self, width: usize) -> u64 {
        (self.position + (self.values.len() / width) as f64).floor() as u64
    }
}

/// What becomes of steps that both the queue and a new chunk have.
#[derive(Clone, Debug, PartialEq)]
pub enum Merge {
    /// The new chunk's. Steps behind its end are forgotten.
    Replace,
    /// From the old to the new over so many steps, then as [`Merge::Replace`].
    Blend {
        /// How many; with 0 it is [`Merge::Replace`].
        step_count: usize,
    },
    /// The average over all chunks that have the step, chunk i (0 the oldest) weighted `exp(−coefficient · i)`, as
    /// ACT's temporal ensembling does.
    Ensemble {
        /// Positive: older chunks count more.
        coefficient: f64,
    },
}

/// Steps ahead, in a ring that is allocated once.
#[derive(Clone, Debug)]
pub struct StepQueue {
    width: usize,
    merge: Merge,
    /// The next step to be taken.
    front: u64,
    /// The step behind the last one.
    end: u64,
    /// Step s is in slot `s % capacity`.
    values: Box<[f64]>,
    /// How many chunks each slot's step is made of.
    chunk_counts: Box<[usize]>,
    /// Ensemble weights, and their running sums.
    weights: Box<[f64]>,
    weight_sums: Box<[f64]>,
    row: Box<[f64]>,
}

impl StepQueue {
    /// For chunks of at most `chunk` rows of `width` numbers.
    #[must_use]
    pub fn new(width: usize, chunk: usize, merge: Merge) -> Self {
        let coefficient = if let Merge::Ensemble { coefficient } = merge { coefficient } else { 0.0 };
        let weights: Box<[f64]> = (0..chunk).map(|i| (-coefficient * i as f64).exp()).collect();
        let mut sum = 0.0;
        let weight_sums = weights.iter().map(|weight| {
            sum += weight;
            sum
        });
        Self {
            width,
            merge,
            front: 0,
            end: 0,
            values: vec![0.0; chunk * width].into(),
            chunk_counts: vec![0; chunk].into(),
            weight_sums: weight_sums.collect(),
            weights,
            row: vec![0.0; width].into(),
        }
    }

    /// The next step to be taken.
    #[must_use]
    pub fn front(&self) -> u64 {
        self.front
    }

    /// Steps ahead.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.end - self.front) as usize
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.front == self.end
    }

    /// A step ahead, if it is there.
    #[must_use]
    pub fn get(&self, step: u64) -> Option<&[f64]> {
        (self.front..self.end).contains(&step).then(|| &self.values[self.slot(step)])
    }

    /// Takes the next step. Returns whether there was one.
    pub fn take(&mut self, row: &mut [f64]) -> bool {
        let Some(values) = self.get(self.front) else { return false };
        row.copy_from_slice(values);
        self.front += 1;
        true
    }

    /// Forgets every step ahead.
    pub fn clear(&mut self) {
        self.end = self.front;
    }

    /// Takes a chunk in. Its rows for steps that were taken already are left out. Returns the steps that it has a part
    /// in, none of them if all of it is over.
    ///
    /// # Shapes
    /// `rows` is `[at most the chunk, width]`.
    pub fn merge(&mut self, rows: Rows<'_>) -> std::ops::Range<u64> {
        let steps = self.front..rows.end(self.width).min(self.front + self.chunk_counts.len() as u64);
        if steps.is_empty() {
            return self.front..self.front;
        }
        for step in steps.clone() {
            let mut row = std::mem::take(&mut self.row);
            rows.write_step(step, &mut row);
            self.combine(step, &row);
            self.row = row;
        }
        self.end =
            if matches!(self.merge, Merge::Ensemble { .. }) { self.end.max(steps.end) } else { steps.end };
        steps
    }

    /// Writes a chunk's row over what is there, as the rule says.
    fn combine(&mut self, step: u64, row: &[f64]) {
        let slot = self.slot(step);
        let count = &mut self.chunk_counts[(step % self.weights.len() as u64) as usize];
        let (old, new) = match self.merge {
            _ if step >= self.end => (0.0, 1.0),
            Merge::Replace => (0.0, 1.0),
            Merge::Blend { step_count } => {
                let done = (step - self.front + 1) as f64 / (step_count + 1) as f64;
                (1.0 - done.min(1.0), done.min(1.0))
            }
            Merge::Ensemble { .. } => {
                let (before, after) = (self.weight_sums[*count - 1], self.weight_sums[*count]);
                (before / after, self.weights[*count] / after)
            }
        };
        *count = if step >= self.end { 1 } else { (*count + 1).min(self.weights.len() - 1) };
        for (x, y) in self.values[slot].iter_mut().zip(row) {
            *x = if old == 0.0 { *y } else { old * *x + new * y };
        }
    }

    fn slot(&self, step: u64) -> std::ops::Range<usize> {
        let start = (step % self.weights.len() as u64) as usize * self.width;
        start..start + self.width
    }
}
