//! A copy of a fixture to change or to break.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use sinew_dataset::{Dataset, Error};
use tempfile::TempDir;

use crate::fixtures::fixture;

pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn copy_of(dataset: &str) -> Self {
        Self::copy_of_path(&fixture(dataset))
    }

    pub(crate) fn copy_of_path(dataset: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(dataset, folder.path());
        Self(folder)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub(crate) fn open(&self) -> Result<Dataset, Error> {
        Dataset::open(self.0.path())
    }

    /// Replaces every `from` in a text file, which must have one.
    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{from} in {file}");
        fs::write(self.path(file), text.replace(from, to)).unwrap();
    }

    /// Cuts a file down to its first bytes.
    pub(crate) fn truncate(&self, file: &str, length: usize) {
        let bytes = fs::read(self.path(file)).unwrap();
        fs::write(self.path(file), &bytes[..length]).unwrap();
    }

    pub(crate) fn read_table(&self, file: &str) -> RecordBatch {
        let file = fs::File::open(self.path(file)).unwrap();
        let mut reader =
            ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_batch_size(1 << 20).build().unwrap();
        reader.next().unwrap().unwrap()
    }

    /// Rewrites a Parquet file with some columns exchanged, in row groups of `group_rows`.
    pub(crate) fn rewrite_table(&self, file: &str, columns: &[(&str, ArrayRef)], group_rows: usize) {
        let table = self.read_table(file);
        let schema = table.schema();
        let columns = schema.fields().iter().enumerate().map(|(place, field)| {
            let changed =
                columns.iter().find(|(name, _)| name == field.name()).map(|(_, array)| array.clone());
            (field.name().clone(), changed.unwrap_or_else(|| table.column(place).clone()))
        });
        self.write_table(file, RecordBatch::try_from_iter(columns).unwrap(), group_rows);
    }

    /// Rewrites a Parquet file without one of its columns.
    pub(crate) fn drop_column(&self, file: &str, column: &str) {
        let mut table = self.read_table(file);
        table.remove_column(table.schema().index_of(column).unwrap());
        self.write_table(file, table, 1 << 20);
    }

    /// Rewrites a Parquet file with one column under another name.
    pub(crate) fn rename_column(&self, file: &str, from: &str, to: &str) {
        let table = self.read_table(file);
        let names = table.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        let columns = names.into_iter().zip(table.columns().to_vec());
        let renamed = columns.map(|(name, array)| (if name == from { to.to_owned() } else { name }, array));
        self.write_table(file, RecordBatch::try_from_iter(renamed).unwrap(), 1 << 20);
    }

    fn write_table(&self, file: &str, table: RecordBatch, group_rows: usize) {
        let schema = Arc::new(Schema::new(table.schema().fields().clone()));
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
        let file = fs::File::create(self.path(file)).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).unwrap();
        writer.write(&table).unwrap();
        writer.close().unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
