//! Columns out of a Parquet file, by name, reading only the row groups that are needed.

use std::fs::File;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;

use crate::error::{Error, Result};
use crate::info::io_error;
use crate::numbers::Numbers;
use crate::rows::Rows;

/// Rows decoded at a time.
const BATCH_ROWS: usize = 8192;

/// An opened Parquet file: its footer has been read, its columns have not.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
}

impl Table {
    /// Reads the footer of the file; `what` says what it should hold if it is missing.
    pub(crate) fn open(path: &Path, what: &str) -> Result<Self> {
        let file = File::open(path).map_err(|source| io_error(path, what, source))?;
        let metadata = contain(path, || ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()))?;
        Ok(Self { path: path.to_owned(), metadata })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn row_count(&self) -> usize {
        self.metadata.metadata().row_groups().iter().map(group_rows).fold(0, usize::saturating_add)
    }

    /// The Arrow schema of its rows.
    pub(crate) fn schema(&self) -> &Schema {
        self.metadata.schema()
    }

    /// Whether its columns have the names and types of another's, so that row groups of both can be in one file.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let columns =
            |table: &Self| table.metadata.metadata().file_metadata().schema_descr().root_schema_ptr();
        columns(self) == columns(other)
    }

    /// Rows of each row group, in order.
    pub(crate) fn group_row_counts(&self) -> Vec<usize> {
        self.metadata.metadata().row_groups().iter().map(group_rows).collect()
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.metadata.schema().index_of(column).is_ok()
    }

    /// A column of numbers or of equally long lists of numbers, as shape `[rows.len(), width]`. float64 is rounded to
    /// float32, booleans become 0 and 1.
    pub(crate) fn vectors(&self, column: &str, rows: Range<usize>) -> Result<Rows> {
        let mut width = None;
        let mut values = Vec::new();
        for array in self.read(column, rows)? {
            let (numbers, batch_width) = self.flatten(column, array)?;
            if *width.get_or_insert(batch_width) != batch_width {
                return Err(self.column_error(column, "lists of one length", "lists of several"));
            }
            self.refuse_nulls(column, numbers.as_ref())?;
            match numbers.data_type() {
                DataType::Float32 => values.extend_from_slice(numbers.as_primitive::<Float32Type>().values()),
                DataType::Float64 => {
                    values.extend(
                        numbers.as_primitive::<Float64Type>().values().iter().map(|value| *value as f32),
                    );
                }
                DataType::Boolean => values.extend(numbers.as_boolean().values().iter().map(f32::from)),
                found => {
                    return Err(self.column_error(column, "float32, float64 or bool", &found.to_string()));
                }
            }
        }
        match width {
            Some(width) if width > 0 => Ok(Rows::new(width, values)),
            _ => Err(self.column_error(column, "at least one number a row", "none")),
        }
    }

    /// A column of numbers or of equally long lists of numbers in its own type, and how many numbers a row has.
    pub(crate) fn numbers(&self, column: &str, rows: Range<usize>) -> Result<(Numbers, usize)> {
        let mut found: Option<(Numbers, usize)> = None;
        for array in self.read(column, rows)? {
            let (array, width) = self.flatten(column, array)?;
            self.refuse_nulls(column, array.as_ref())?;
            let (numbers, known_width) = match &mut found {
                Some(found) => found,
                None => {
                    let expected = "float32, float64, int64 or bool";
                    let none = Numbers::none_like(array.as_ref())
                        .ok_or_else(|| self.column_error(column, expected, &array.data_type().to_string()))?;
                    found.insert((none, width))
                }
            };
            if *known_width != width {
                return Err(self.column_error(column, "lists of one length", "lists of several"));
            }
            numbers.extend(array.as_ref());
        }
        found.ok_or_else(|| self.column_error(column, "at least one number a row", "none"))
    }

    /// A column of float32 or float64, widened.
    pub(crate) fn doubles(&self, column: &str, rows: Range<usize>) -> Result<Vec<f64>> {
        let values = self.read_doubles(column, rows)?;
        self.all_present(column, values)
    }

    /// All of a column of float32 or float64, absent values as `None`.
    pub(crate) fn optional_doubles(&self, column: &str) -> Result<Vec<Option<f64>>> {
        self.read_doubles(column, 0..self.row_count())
    }

    /// A column of non-negative integers.
    pub(crate) fn counts_in(&self, column: &str, rows: Range<usize>) -> Result<Vec<u64>> {
        let values = self.read_counts(column, rows)?;
        self.all_present(column, values)
    }

    /// All of a column of non-negative integers.
    pub(crate) fn counts(&self, column: &str) -> Result<Vec<u64>> {
        self.counts_in(column, 0..self.row_count())
    }

    /// All of a column of non-negative integers, absent values as `None`.
    pub(crate) fn optional_counts(&self, column: &str) -> Result<Vec<Option<u64>>> {
        self.read_counts(column, 0..self.row_count())
    }

    /// All of a column of strings.
    pub(crate) fn strings(&self, column: &str) -> Result<Vec<String>> {
        let mut strings = Vec::new();
        for array in self.read(column, 0..self.row_count())? {
            self.push_strings(column, array.as_ref(), &mut strings)?;
        }
        Ok(strings)
    }

    /// All of a column of lists of strings.
    pub(crate) fn string_lists(&self, column: &str) -> Result<Vec<Vec<String>>> {
        let mut lists = Vec::new();
        for array in self.read(column, 0..self.row_count())? {
            self.refuse_nulls(column, array.as_ref())?;
            let arrays: Vec<ArrayRef> = match array.data_type() {
                DataType::List(_) => array.as_list::<i32>().iter().flatten().collect(),
                DataType::LargeList(_) => array.as_list::<i64>().iter().flatten().collect(),
                found => return Err(self.column_error(column, "lists of strings", &found.to_string())),
            };
            for list in arrays {
                let mut strings = Vec::new();
                self.push_strings(column, list.as_ref(), &mut strings)?;
                lists.push(strings);
            }
        }
        Ok(lists)
    }

    fn read_doubles(&self, column: &str, rows: Range<usize>) -> Result<Vec<Option<f64>>> {
        let mut values = Vec::new();
        for array in self.read(column, rows)? {
            match array.data_type() {
                DataType::Float32 => {
                    values
                        .extend(array.as_primitive::<Float32Type>().iter().map(|value| value.map(f64::from)));
                }
                DataType::Float64 => values.extend(array.as_primitive::<Float64Type>()),
                found => return Err(self.column_error(column, "float32 or float64", &found.to_string())),
            }
        }
        Ok(values)
    }

    fn read_counts(&self, column: &str, rows: Range<usize>) -> Result<Vec<Option<u64>>> {
        let mut values = Vec::new();
        for array in self.read(column, rows)? {
            let Some(integers) = array.as_primitive_opt::<Int64Type>() else {
                return Err(self.column_error(column, "int64", &array.data_type().to_string()));
            };
            for value in integers {
                values.push(match value {
                    None => None,
                    Some(value) => {
                        Some(u64::try_from(value).map_err(|_| {
                            self.column_error(column, "no negative number", &value.to_string())
                        })?)
                    }
                });
            }
        }
        Ok(values)
    }

    fn push_strings(&self, column: &str, array: &dyn Array, strings: &mut Vec<String>) -> Result<()> {
        self.refuse_nulls(column, array)?;
        match array.data_type() {
            DataType::Utf8 => strings.extend(array.as_string::<i32>().iter().flatten().map(str::to_owned)),
            DataType::LargeUtf8 => {
                strings.extend(array.as_string::<i64>().iter().flatten().map(str::to_owned))
            }
            found => return Err(self.column_error(column, "strings", &found.to_string())),
        }
        Ok(())
    }

    /// The numbers of (nested) lists end to end, and how many each row has.
    fn flatten(&self, column: &str, mut array: ArrayRef) -> Result<(ArrayRef, usize)> {
        let mut width = 1;
        loop {
            self.refuse_nulls(column, array.as_ref())?;
            let (items, item_count) = match array.data_type() {
                DataType::FixedSizeList(_, size) => {
                    let list = array.as_fixed_size_list();
                    let size = *size as usize;
                    (list.values().slice(list.value_offset_at(0), list.len() * size), Some(size))
                }
                DataType::List(_) => {
                    let list = array.as_list::<i32>();
                    let offsets: Vec<usize> =
                        list.value_offsets().iter().map(|offset| *offset as usize).collect();
                    (slice_between(list.values(), &offsets), common_length(&offsets))
                }
                DataType::LargeList(_) => {
                    let list = array.as_list::<i64>();
                    let offsets: Vec<usize> =
                        list.value_offsets().iter().map(|offset| *offset as usize).collect();
                    (slice_between(list.values(), &offsets), common_length(&offsets))
                }
                _ => return Ok((array, width)),
            };
            width *= item_count
                .ok_or_else(|| self.column_error(column, "lists of one length", "lists of several"))?;
            array = items;
        }
    }

    /// The arrays of one column, in order, that together hold `rows`.
    fn read(&self, column: &str, rows: Range<usize>) -> Result<Vec<ArrayRef>> {
        let root = self.metadata.schema().index_of(column).map_err(|_| {
            let columns: Vec<_> =
                self.metadata.schema().fields().iter().map(|field| field.name().as_str()).collect();
            self.column_error(column, "this column", &format!("the columns {}", columns.join(", ")))
        })?;
        let (groups, offset) = self.row_groups(&rows);
        let file = File::open(&self.path).map_err(|source| Error::Io { path: self.path.clone(), source })?;
        let row_count = rows.len();
        let arrays: Vec<ArrayRef> = contain(&self.path, || {
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_projection(ProjectionMask::roots(self.metadata.parquet_schema(), [root]))
                .with_row_groups(groups)
                .with_offset(offset)
                .with_limit(row_count)
                .with_batch_size(BATCH_ROWS)
                .build()?
                .map(|batch| Ok(batch?.column(0).clone()))
                .collect()
        })?;
        let found = arrays.iter().map(|array| array.len()).sum::<usize>();
        if found != row_count {
            return Err(self.column_error(column, &format!("{row_count} rows"), &found.to_string()));
        }
        Ok(arrays)
    }

    /// The row groups that hold `rows`, and how many rows to skip in the first of them.
    fn row_groups(&self, rows: &Range<usize>) -> (Vec<usize>, usize) {
        let mut groups = Vec::new();
        let mut skipped = 0;
        let mut start: usize = 0;
        for (index, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let end = start.saturating_add(group_rows(group));
            if end <= rows.start {
                skipped = end;
            } else if start < rows.end {
                groups.push(index);
            }
            start = end;
        }
        (groups, rows.start - skipped)
    }

    fn all_present<T>(&self, column: &str, values: Vec<Option<T>>) -> Result<Vec<T>> {
        values
            .into_iter()
            .collect::<Option<_>>()
            .ok_or_else(|| self.column_error(column, "no null", "a null"))
    }

    fn refuse_nulls(&self, column: &str, array: &dyn Array) -> Result<()> {
        if array.null_count() == 0 {
            return Ok(());
        }
        Err(self.column_error(column, "no null", &format!("{} nulls", array.null_count())))
    }

    fn column_error(&self, column: &str, expected: &str, found: &str) -> Error {
        Error::Column {
            path: self.path.clone(),
            column: column.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }
}

/// What the footer says of a row group. It may say anything; [`Table::read`] counts what comes.
fn group_rows(group: &RowGroupMetaData) -> usize {
    usize::try_from(group.num_rows()).unwrap_or(0)
}

/// Runs code of the parquet crate. It checks most of what it reads, but on some damaged files (29 of the 120,000 bits of
/// a sample, when flipped) it panics, which is made an error like the others.
fn contain<T>(path: &Path, read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
    let damaged = |_| Err(ParquetError::General("damaged: the Parquet reader panicked".to_owned()));
    // Nothing that `read` touches is used after a panic.
    panic::catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(damaged)
        .map_err(|source| Error::Parquet { path: path.to_owned(), source })
}

/// The items from the first offset to the last.
fn slice_between(items: &ArrayRef, offsets: &[usize]) -> ArrayRef {
    let first = offsets.first().copied().unwrap_or(0);
    let last = offsets.last().copied().unwrap_or(first);
    items.slice(first, last - first)
}

/// The length of every list, if they all have the same.
fn common_length(offsets: &[usize]) -> Option<usize> {
    let mut lengths = offsets.windows(2).map(|pair| pair[1] - pair[0]);
    let first = lengths.next()?;
    lengths.all(|length| length == first).then_some(first)
}
