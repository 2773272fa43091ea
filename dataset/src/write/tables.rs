//! Parquet files as LeRobot lays them out.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, FixedSizeListArray, Float64Array, Int64Array, LargeStringArray, RecordBatch};
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use serde_json::json;

use super::description::{COUNTERS, Plan, Vector};
use super::entry::Entry;
use super::staging::at;
use super::summary::NAMES;
use crate::error::{Error, Result};
use crate::numbers::Numbers;

/// What lists call their items, as pyarrow does.
const ITEM: &str = "element";

/// The rows of an episode before they have their place in the dataset.
pub(crate) struct EpisodeRows<'a> {
    pub(crate) columns: Vec<(&'a Vector, &'a Numbers)>,
    pub(crate) task_indices: &'a [i64],
    pub(crate) fps: u32,
    pub(crate) episode_index: u64,
    /// Rows of all episodes before.
    pub(crate) first_index: u64,
}

/// What each counter of [`COUNTERS`] holds, by name.
pub(crate) fn counters(rows: &EpisodeRows) -> Vec<(&'static str, Numbers)> {
    let row_count = rows.task_indices.len();
    let count = row_count as i64;
    let first = rows.first_index as i64;
    COUNTERS
        .into_iter()
        .map(|(name, _)| {
            let numbers = match name {
                // Divided as float64 and rounded once, as LeRobot does.
                "timestamp" => Numbers::Float32(
                    (0..row_count).map(|row| (row as f64 / f64::from(rows.fps)) as f32).collect(),
                ),
                "frame_index" => Numbers::Int64((0..count).collect()),
                "episode_index" => Numbers::Int64(vec![rows.episode_index as i64; row_count]),
                "index" => Numbers::Int64((first..first + count).collect()),
                _ => Numbers::Int64(rows.task_indices.to_vec()),
            };
            (name, numbers)
        })
        .collect()
}

/// Writes an episode's rows as one row group.
pub(crate) fn write_rows(path: &Path, rows: &EpisodeRows) -> Result<()> {
    let vectors = rows.columns.iter().map(|(vector, numbers)| {
        let flat = numbers.to_array();
        (vector.name.clone(), if vector.width == 1 { flat } else { fixed_lists(flat, vector.width) })
    });
    let counters = counters(rows).into_iter().map(|(name, numbers)| (name.to_owned(), numbers.to_array()));
    write(path, vectors.chain(counters), None)
}

/// Writes `meta/tasks.parquet`: a pandas table whose index is the task.
pub(crate) fn write_tasks(path: &Path, tasks: &[String]) -> Result<()> {
    let index = "__index_level_0__";
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..tasks.len() as i64));
    let strings: ArrayRef = Arc::new(LargeStringArray::from_iter_values(tasks));
    let column = |name: Option<&str>, field: &str, pandas: &str, numpy: &str| json!({ "name": name, "field_name": field, "pandas_type": pandas, "numpy_type": numpy, "metadata": null });
    let pandas = json!({
        "index_columns": [index],
        "column_indexes": [{
            "name": null,
            "field_name": null,
            "pandas_type": "unicode",
            "numpy_type": "object",
            "metadata": { "encoding": "UTF-8" },
        }],
        "columns": [
            column(Some("task_index"), "task_index", "int64", "int64"),
            column(None, index, "unicode", "object"),
        ],
        "pandas_version": "2.0.0",
    });
    let columns = [("task_index".to_owned(), numbers), (index.to_owned(), strings)];
    write(path, columns.into_iter(), Some(("pandas", pandas.to_string())))
}

/// Writes a file of the episodes table.
pub(crate) fn write_episodes(path: &Path, plan: &Plan, entries: &[Entry]) -> Result<()> {
    write(path, episode_columns(plan, entries).into_iter(), None)
}

/// The columns of the episodes table.
pub(crate) fn episode_columns(plan: &Plan, entries: &[Entry]) -> Vec<(String, ArrayRef)> {
    let ints = |of: &dyn Fn(&Entry) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(entries.iter().map(|entry| of(entry) as i64)))
    };
    let doubles = |of: &dyn Fn(&Entry) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(entries.iter().map(of)))
    };
    let fps = f64::from(plan.description.fps);
    let mut columns = vec![
        ("episode_index".to_owned(), ints(&|entry| entry.episode_index)),
        ("tasks".to_owned(), string_lists(entries.iter().map(|entry| entry.tasks.as_slice()))),
        ("length".to_owned(), ints(&|entry| entry.length as u64)),
        ("data/chunk_index".to_owned(), ints(&|entry| entry.data.chunk_index)),
        ("data/file_index".to_owned(), ints(&|entry| entry.data.file_index)),
        ("dataset_from_index".to_owned(), ints(&|entry| entry.first_index)),
        ("dataset_to_index".to_owned(), ints(&|entry| entry.first_index + entry.length as u64)),
    ];
    for (place, view) in plan.views.iter().enumerate() {
        let column = |what: &str| format!("videos/{}/{what}", view.name);
        let end = |entry: &Entry| entry.videos[place].first_picture + entry.length as u64;
        columns.extend([
            (column("chunk_index"), ints(&|entry| entry.videos[place].file.chunk_index)),
            (column("file_index"), ints(&|entry| entry.videos[place].file.file_index)),
            (column("from_timestamp"), doubles(&|entry| entry.videos[place].first_picture as f64 / fps)),
            (column("to_timestamp"), doubles(&|entry| end(entry) as f64 / fps)),
        ]);
    }
    for (feature, kind) in plan.statistics() {
        for name in NAMES {
            let of = entries.iter().map(|entry| entry.statistics[&feature][name].as_slice());
            let array = match kind {
                _ if name == "count" => int_lists(of),
                Kind::Integers if matches!(name, "min" | "max") => int_lists(of),
                Kind::Booleans if matches!(name, "min" | "max") => bool_lists(of),
                Kind::Pictures => picture_lists(of),
                Kind::Integers | Kind::Booleans | Kind::Reals => double_lists(of),
            };
            columns.push((format!("stats/{feature}/{name}"), array));
        }
    }
    columns.extend([
        ("meta/episodes/chunk_index".to_owned(), ints(&|entry| entry.table.chunk_index)),
        ("meta/episodes/file_index".to_owned(), ints(&|entry| entry.table.file_index)),
    ]);
    columns
}

/// What a feature's statistics look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Shape `[3, 1, 1]`.
    Pictures,
    /// Smallest and largest are integers.
    Integers,
    /// Smallest and largest are booleans.
    Booleans,
    Reals,
}

impl Plan {
    /// The features that have statistics, in the order in which they are declared.
    pub(crate) fn statistics(&self) -> Vec<(String, Kind)> {
        let kind = |dtype: &str| match dtype {
            "video" => Kind::Pictures,
            "int64" => Kind::Integers,
            "bool" => Kind::Booleans,
            _ => Kind::Reals,
        };
        let features = &self.description.features;
        let declared = features.iter().map(|feature| (feature.name.clone(), kind(&feature.dtype)));
        declared.chain(COUNTERS.iter().map(|(name, dtype)| ((*name).to_owned(), kind(dtype)))).collect()
    }
}

/// Row groups of a Parquet file, from the first on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Groups {
    pub(crate) path: PathBuf,
    pub(crate) count: usize,
}

/// Copies row groups as they are, one file after the other, into one. All must have the columns of the first.
pub(crate) fn join_groups(path: &Path, parts: &[Groups]) -> Result<()> {
    let mut writer: Option<SerializedFileWriter<File>> = None;
    for part in parts {
        let in_part = |source| Error::Parquet { path: part.path.clone(), source };
        let file = File::open(&part.path).map_err(at(&part.path))?;
        let reader = SerializedFileReader::new(file.try_clone().map_err(at(&part.path))?).map_err(in_part)?;
        let metadata = reader.metadata();
        let writer = match &mut writer {
            Some(writer) => writer,
            None => {
                let file = File::create(path).map_err(at(path))?;
                let known = metadata.file_metadata();
                let properties = properties().set_key_value_metadata(known.key_value_metadata().cloned());
                let schema = known.schema_descr().root_schema_ptr();
                let begun = SerializedFileWriter::new(file, schema, Arc::new(properties.build()));
                writer.insert(begun.map_err(in_file(path))?)
            }
        };
        for group in metadata.row_groups().iter().take(part.count) {
            copy_group(writer, &file, group).map_err(in_file(path))?;
        }
    }
    writer.map_or(Ok(()), |writer| writer.close().map(drop).map_err(in_file(path)))
}

fn copy_group(
    writer: &mut SerializedFileWriter<File>,
    source: &File,
    group: &parquet::file::metadata::RowGroupMetaData,
) -> Result<(), ParquetError> {
    let mut copy = writer.next_row_group()?;
    for column in group.columns() {
        let closed = ColumnCloseResult {
            bytes_written: column.compressed_size() as u64,
            rows_written: group.num_rows() as u64,
            metadata: column.clone(),
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        copy.append_column(source, closed)?;
    }
    copy.close().map(drop)
}

fn write(
    path: &Path,
    columns: impl Iterator<Item = (String, ArrayRef)>,
    metadata: Option<(&str, String)>,
) -> Result<()> {
    let columns = columns.map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns)
        .map_err(ParquetError::from)
        .map_err(in_file(path))?;
    // pyarrow takes the table's metadata from the Arrow schema, other readers from the file.
    let pairs: HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let schema = Arc::new(batch.schema().as_ref().clone().with_metadata(pairs));
    let batch = batch.with_schema(schema).map_err(ParquetError::from).map_err(in_file(path))?;
    let metadata = metadata.map(|(key, value)| vec![KeyValue::new(key.to_owned(), value)]);
    let properties = properties().set_key_value_metadata(metadata).build();
    let file = File::create(path).map_err(at(path))?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(in_file(path))?;
    writer.write(&batch).map_err(in_file(path))?;
    writer.close().map(drop).map_err(in_file(path))
}

/// Snappy, as LeRobot; without page indices, which files that are joined group by group could not keep.
fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
}

fn in_file(path: &Path) -> impl FnOnce(ParquetError) -> Error + '_ {
    |source| Error::Parquet { path: path.to_owned(), source }
}

fn item(inner: DataType) -> Field {
    Field::new(ITEM, inner, true)
}

fn fixed_lists(flat: ArrayRef, width: usize) -> ArrayRef {
    let field = Arc::new(item(flat.data_type().clone()));
    Arc::new(FixedSizeListArray::new(field, width as i32, flat, None))
}

fn string_lists<'a>(lists: impl Iterator<Item = &'a [String]>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new()).with_field(item(DataType::Utf8));
    for list in lists {
        builder.append_value(list.iter().map(Some));
    }
    Arc::new(builder.finish())
}

fn int_lists<'a>(lists: impl Iterator<Item = &'a [f64]>) -> ArrayRef {
    let mut builder = ListBuilder::new(Int64Builder::new()).with_field(item(DataType::Int64));
    for list in lists {
        builder.append_value(list.iter().map(|value| Some(*value as i64)));
    }
    Arc::new(builder.finish())
}

fn bool_lists<'a>(lists: impl Iterator<Item = &'a [f64]>) -> ArrayRef {
    let mut builder = ListBuilder::new(BooleanBuilder::new()).with_field(item(DataType::Boolean));
    for list in lists {
        builder.append_value(list.iter().map(|value| Some(*value != 0.0)));
    }
    Arc::new(builder.finish())
}

fn double_lists<'a>(lists: impl Iterator<Item = &'a [f64]>) -> ArrayRef {
    let mut builder = ListBuilder::new(Float64Builder::new()).with_field(item(DataType::Float64));
    for list in lists {
        builder.append_value(list.iter().map(|value| Some(*value)));
    }
    Arc::new(builder.finish())
}

/// Each number in a list in a list: shape `[3, 1, 1]` a row.
fn picture_lists<'a>(lists: impl Iterator<Item = &'a [f64]>) -> ArrayRef {
    let inner = item(DataType::Float64);
    let middle = item(DataType::List(Arc::new(inner.clone())));
    let outer = item(DataType::List(Arc::new(middle.clone())));
    let columns = ListBuilder::new(Float64Builder::new()).with_field(inner);
    let rows = ListBuilder::new(columns).with_field(middle);
    let mut builder = ListBuilder::new(rows).with_field(outer);
    for list in lists {
        for value in list {
            builder.values().values().values().append_value(*value);
            builder.values().values().append(true);
            builder.values().append(true);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}
