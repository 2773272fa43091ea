//! One episode: its rows, checked, and its pictures.

use std::ops::Range;
use std::path::PathBuf;

use crate::catalog::EpisodeInfo;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::frames::FrameReader;
use crate::numbers::Numbers;
use crate::rows::Rows;
use crate::table::Table;

/// How far a row's timestamp may be from its place in the episode: LeRobot's default `tolerance_s`. What float32 cannot
/// resolve at that time comes on top.
const TOLERANCE_S: f64 = 1e-4;

/// An opened episode. Its times and tasks are in memory; vectors and pictures are read when asked for.
#[derive(Debug)]
pub struct Episode {
    dataset: Dataset,
    position: usize,
    table: Table,
    rows: Range<usize>,
    timestamp_s: Vec<f64>,
    tasks: RowTasks,
}

/// Which task a row belongs to.
#[derive(Debug)]
enum RowTasks {
    /// The episode's only one.
    Same(String),
    /// `task_index` of each row, all of them known.
    PerRow(Vec<u64>),
}

impl Episode {
    pub(crate) fn open(dataset: Dataset, position: usize) -> Result<Self> {
        let EpisodeInfo { episode_index, length, .. } = dataset.episodes()[position];
        let span = dataset.rows_of(position);
        let table = Table::open(&span.path, &format!("rows of episode {episode_index}"))?;
        let is_covered =
            if span.is_whole_file { table.row_count() == length } else { table.row_count() >= span.rows.end };
        if !is_covered {
            return Err(Error::EpisodeMismatch {
                path: span.path,
                episode_index,
                what: "rows in the file".to_owned(),
                expected: if span.is_whole_file {
                    length.to_string()
                } else {
                    format!("at least {}", span.rows.end)
                },
                found: table.row_count().to_string(),
            });
        }
        let timestamp_s = table.doubles("timestamp", span.rows.clone())?;
        let mut episode = Self {
            dataset,
            position,
            table,
            rows: span.rows,
            timestamp_s,
            tasks: RowTasks::PerRow(Vec::new()),
        };
        episode.check_counter("episode_index", |_| episode_index)?;
        episode.check_counter("frame_index", |row| row as u64)?;
        episode.check_timestamps()?;
        episode.tasks = episode.read_tasks()?;
        Ok(episode)
    }

    /// Its line in the episodes table.
    #[must_use]
    pub fn info(&self) -> &EpisodeInfo {
        &self.dataset.episodes()[self.position]
    }

    /// Its number.
    #[must_use]
    pub fn episode_index(&self) -> u64 {
        self.info().episode_index
    }

    /// How many rows it has.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// The time of each row in seconds from the start of the episode, as stored. Shape `[row_count]`.
    #[must_use]
    pub fn timestamp_s(&self) -> &[f64] {
        &self.timestamp_s
    }

    /// The instruction that holds at a row, or `None` past the end.
    #[must_use]
    pub fn task(&self, row: usize) -> Option<&str> {
        match &self.tasks {
            RowTasks::Same(task) => (row < self.row_count()).then_some(task),
            RowTasks::PerRow(indices) => self.dataset.task(*indices.get(row)?),
        }
    }

    /// Reads `observation.state`, shape `[row_count, state_dim]`.
    ///
    /// # Errors
    /// As [`Episode::column`].
    pub fn state(&self) -> Result<Rows> {
        self.column("observation.state")
    }

    /// Reads `action`, shape `[row_count, action_dim]`.
    ///
    /// # Errors
    /// As [`Episode::column`].
    pub fn action(&self) -> Result<Rows> {
        self.column("action")
    }

    /// Reads a column of vectors or of single numbers, shape `[row_count, width]`. float64 is rounded to float32,
    /// booleans become 0 and 1, a row of several dimensions is laid out flat.
    ///
    /// # Errors
    /// If the file has no such column, or its rows are not float or bool, not equally long, not all there, or not as
    /// long as the feature's declared shape says.
    pub fn column(&self, name: &str) -> Result<Rows> {
        let column = self.table.vectors(name, self.rows.clone())?;
        let declared = self.dataset.feature(name).and_then(crate::Feature::declared_width);
        match declared {
            Some(width) if width != column.width() => Err(Error::Column {
                path: self.table.path().to_owned(),
                column: name.to_owned(),
                expected: format!("{width} numbers a row, as info.json declares"),
                found: column.width().to_string(),
            }),
            _ => Ok(column),
        }
    }

    /// Reads a column in the type it is stored in, and how many numbers each row has.
    ///
    /// # Errors
    /// If the file has no such column, or it does not hold float32, float64, int64 or bool in rows of one length.
    pub fn numbers(&self, name: &str) -> Result<(Numbers, usize)> {
        self.table.numbers(name, self.rows.clone())
    }

    /// Opens one camera's video of this episode.
    ///
    /// # Errors
    /// If `camera` is none of [`Dataset::cameras`], or the video is missing, damaged, or has fewer pictures than the
    /// episode has rows.
    pub fn frames(&self, camera: &str) -> Result<FrameReader> {
        let span = self.dataset.pictures_of(self.position, camera)?;
        FrameReader::open(span, self.dataset.fps())
    }

    /// Where a camera's picture of a row is: the video file, and seconds from its start.
    ///
    /// # Errors
    /// If there is no such camera.
    pub fn picture_place(&self, camera: &str, row: usize) -> Result<(PathBuf, f64)> {
        let span = self.dataset.pictures_of(self.position, camera)?;
        let place_s = (span.first_picture + row as u64) as f64 / self.dataset.fps();
        Ok((span.path, place_s))
    }

    /// Compares a counter column, where the file has it, with what it should hold.
    fn check_counter(&self, column: &str, expected: impl Fn(usize) -> u64) -> Result<()> {
        if !self.table.has(column) {
            return Ok(());
        }
        let found = self.table.counts_in(column, self.rows.clone())?;
        match found.iter().enumerate().find(|(row, found)| expected(*row) != **found) {
            Some((row, found)) => {
                Err(self.mismatch(row, column, expected(row).to_string(), found.to_string()))
            }
            None => Ok(()),
        }
    }

    /// Rows are found by their place and pictures by their time: the two must agree.
    fn check_timestamps(&self) -> Result<()> {
        for (row, found) in self.timestamp_s.iter().enumerate() {
            let expected = row as f64 / self.dataset.fps();
            let tolerance = TOLERANCE_S + expected * f64::from(f32::EPSILON);
            // False for NaN too.
            let is_on_time = (found - expected).abs() <= tolerance;
            if !is_on_time {
                return Err(self.mismatch(
                    row,
                    "timestamp",
                    format!("{expected:.6} s"),
                    format!("{found:.6} s"),
                ));
            }
        }
        Ok(())
    }

    /// `task_index` decides where the set declares it. Where it does not, the column may hold anything: BEHAVIOR-1K's
    /// recorder leaves zeros.
    fn read_tasks(&self) -> Result<RowTasks> {
        let column = "task_index";
        if self.dataset.feature(column).is_some() && self.table.has(column) {
            let indices = self.table.counts_in(column, self.rows.clone())?;
            return match indices.iter().enumerate().find(|(_, index)| self.dataset.task(**index).is_none()) {
                Some((row, index)) => {
                    Err(self.mismatch(row, column, "a task of the tasks table".to_owned(), index.to_string()))
                }
                None => Ok(RowTasks::PerRow(indices)),
            };
        }
        match self.info().tasks.as_slice() {
            [task] => Ok(RowTasks::Same(task.clone())),
            tasks => Err(Error::EpisodeMismatch {
                path: self.table.path().to_owned(),
                episode_index: self.episode_index(),
                what: "tasks of an episode whose rows do not say theirs".to_owned(),
                expected: "1".to_owned(),
                found: tasks.len().to_string(),
            }),
        }
    }

    fn mismatch(&self, row: usize, column: &str, expected: String, found: String) -> Error {
        Error::EpisodeMismatch {
            path: self.table.path().to_owned(),
            episode_index: self.episode_index(),
            what: format!("{column} of row {row}"),
            expected,
            found,
        }
    }
}
