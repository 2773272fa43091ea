//! A column in memory, and action chunks cut from it.

use crate::error::{Error, Result};

/// A column of vectors, one per row of the episode.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    width: usize,
    values: Vec<f32>,
}

/// Rows around one row, with what lies outside the episode marked.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// One row per offset, shape `[offset_count, width]`.
    pub rows: Rows,
    /// Per offset, whether it fell outside the episode and repeats the episode's first or last row.
    pub is_pad: Vec<bool>,
}

impl Rows {
    /// `values` in row-major order, shape `[values.len() / width, width]`.
    pub(crate) fn new(width: usize, values: Vec<f32>) -> Self {
        debug_assert!(
            width > 0 && values.len().is_multiple_of(width),
            "{} values in rows of {width}",
            values.len()
        );
        Self { width, values }
    }

    /// Numbers per row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many rows there are.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.values.len() / self.width
    }

    /// All numbers in row-major order, shape `[row_count, width]`.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// One row, shape `[width]`, or `None` past the end.
    #[must_use]
    pub fn row(&self, row: usize) -> Option<&[f32]> {
        self.iter().nth(row)
    }

    /// The rows in order, each of shape `[width]`.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.width)
    }

    /// The rows at `row + offset` for every offset, padded as [`padded_row`] says. An action chunk of 50 is
    /// `chunk(row, 0..50)`.
    ///
    /// # Shapes
    /// `rows` is `[offset_count, width]`, `is_pad` is `[offset_count]`.
    ///
    /// # Errors
    /// [`Error::RowOutOfRange`] if `row` itself is not a row.
    pub fn chunk(&self, row: usize, offsets: impl IntoIterator<Item = i64>) -> Result<Chunk> {
        let row_count = self.row_count();
        if row >= row_count {
            return Err(Error::RowOutOfRange { row, row_count });
        }
        let mut values = Vec::new();
        let mut is_pad = Vec::new();
        for offset in offsets {
            let (source, pad) = padded_row(row, offset, row_count);
            values.extend_from_slice(&self.values[source * self.width..][..self.width]);
            is_pad.push(pad);
        }
        Ok(Chunk { rows: Self::new(self.width, values), is_pad })
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = &'a [f32];
    type IntoIter = std::slice::ChunksExact<'a, f32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The row of an episode of `row_count` rows that stands for `row + offset`, and whether it is padding: outside the
/// episode the first or last row is repeated and marked, as LeRobot does.
///
/// `row` must be a row of the episode.
#[must_use]
pub fn padded_row(row: usize, offset: i64, row_count: usize) -> (usize, bool) {
    debug_assert!(row < row_count, "row {row} of {row_count}");
    let wanted = row as i64 + offset;
    let clamped = wanted.clamp(0, row_count as i64 - 1);
    (clamped as usize, clamped != wanted)
}
