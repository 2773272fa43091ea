//! Our own message.

use super::builtin_interfaces::Time;
use super::message;
use super::std_msgs::Header;
use crate::{Error, Stamp};
use std::collections::HashSet;

message! {
    sinew_msgs/ActionChunk uses [std_msgs/Header, builtin_interfaces/Time]
    /// The steps a policy computed from one observation.
    ///
    /// Decoding checks the encoding only; [`ActionChunk::validate`] checks that the fields agree.
    ///
    /// # Shapes
    ///
    /// `values` is row-major `[step_count, dimension_count]`.
    #[derive(Debug, Clone, Default, PartialEq)]
    pub struct ActionChunk {
        /// Capture time of the newest head-camera frame the chunk was computed from.
        pub header: Header,
        /// Number of the chunk: 0 for the first published, then one more each.
        pub sequence: u64,
        /// The policy bundle that computed the chunk.
        pub bundle_id: String,
        /// The instruction the policy was following.
        pub instruction: String,
        /// When the chunk left the policy.
        pub published_at: Time,
        /// Number of steps, at least 1.
        pub step_count: u32,
        /// Number of values in each step, at least 1.
        pub dimension_count: u32,
        /// Name of each dimension.
        pub names: Vec<String>,
        /// Unit of each dimension; empty for a pure number.
        pub units: Vec<String>,
        /// Time each step is meant for.
        pub step_times: Vec<Time>,
        /// The steps.
        pub values: Vec<f32>,
    }
}

impl ActionChunk {
    /// Checks that counts, names, units, times and values agree.
    ///
    /// # Errors
    ///
    /// [`Error::Chunk`] naming the field at fault: a count of 0, a sequence whose length differs from its count,
    /// a name used twice, a step time that is not later than the one before, a value that is not finite.
    /// [`Error::Nanosec`] for a time that is none.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_lengths()?;
        let mut seen = HashSet::with_capacity(self.names.len());
        if let Some(name) = self.names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(fault("names", "each name once", format!("{name:?} twice")));
        }
        Stamp::try_from(self.header.stamp)?;
        Stamp::try_from(self.published_at)?;
        let mut previous = None;
        for (step, &time) in self.step_times.iter().enumerate() {
            let time = Stamp::try_from(time)?;
            if previous.is_some_and(|previous| time <= previous) {
                return Err(fault(
                    "step_times",
                    "each later than the one before",
                    format!("step {step} is not"),
                ));
            }
            previous = Some(time);
        }
        match self.values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(fault("values", "finite", format!("{} at {index}", self.values[index]))),
            None => Ok(()),
        }
    }

    /// The values of one step, `None` past the last.
    ///
    /// # Shapes
    ///
    /// `[dimension_count]`
    #[must_use]
    pub fn step(&self, index: usize) -> Option<&[f32]> {
        let width = self.dimension_count as usize;
        let start = index.checked_mul(width)?;
        self.values.get(start..start.checked_add(width)?).filter(|_| index < self.step_count as usize)
    }

    fn validate_lengths(&self) -> Result<(), Error> {
        let (steps, dimensions) = (self.step_count as usize, self.dimension_count as usize);
        for (field, count) in [("step_count", steps), ("dimension_count", dimensions)] {
            if count == 0 {
                return Err(fault(field, "at least 1", 0));
            }
        }
        let lengths = [
            ("names", dimensions, self.names.len()),
            ("units", dimensions, self.units.len()),
            ("step_times", steps, self.step_times.len()),
            ("values", steps.saturating_mul(dimensions), self.values.len()),
        ];
        match lengths.iter().find(|(_, expected, found)| expected != found) {
            Some((field, expected, found)) => Err(fault(field, format!("{expected} entries"), found)),
            None => Ok(()),
        }
    }
}

fn fault(field: &'static str, expected: impl ToString, found: impl ToString) -> Error {
    Error::Chunk { field, expected: expected.to_string(), found: found.to_string() }
}
