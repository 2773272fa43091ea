//! Whether an episode's rows are what the description promises.

use std::path::Path;

use super::description::Plan;
use crate::error::{Error, Result};
use crate::numbers::Numbers;

/// The episode that is being added.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) root: &'a Path,
    pub(crate) plan: &'a Plan,
    pub(crate) episode_index: u64,
}

/// An episode's rows, checked.
pub(crate) struct Checked {
    pub(crate) columns: Vec<Numbers>,
    pub(crate) tasks: Vec<String>,
    pub(crate) task_of_row: Vec<usize>,
}

impl Candidate<'_> {
    /// The columns in the order of the description, and the task of each row.
    pub(crate) fn check(self, mut columns: Vec<(String, Numbers)>, tasks: &[String]) -> Result<Checked> {
        let mut row_count = None;
        let mut in_order = Vec::new();
        for vector in &self.plan.vectors {
            let what = format!("column {}", vector.name);
            let place = columns.iter().position(|(name, _)| *name == vector.name);
            let place = place.ok_or_else(|| self.refused(&what, "one", "none"))?;
            let (_, numbers) = columns.swap_remove(place);
            if numbers.dtype() != vector.dtype {
                return Err(self.refused(&format!("type of {what}"), &vector.dtype, numbers.dtype()));
            }
            if numbers.is_empty() || !numbers.len().is_multiple_of(vector.width) {
                let expected = format!("rows of {}", vector.width);
                return Err(self.refused(
                    &format!("numbers of {what}"),
                    &expected,
                    &numbers.len().to_string(),
                ));
            }
            let found = numbers.len() / vector.width;
            let expected = *row_count.get_or_insert(found);
            if found != expected {
                return Err(self.refused(
                    &format!("rows of {what}"),
                    &expected.to_string(),
                    &found.to_string(),
                ));
            }
            if let Some((place, value)) = numbers.first_not_finite() {
                let what =
                    format!("{what} in row {}, dimension {}", place / vector.width, place % vector.width);
                return Err(self.refused(&what, "a finite number", &value.to_string()));
            }
            in_order.push(numbers);
        }
        if let Some((name, _)) = columns.first() {
            return Err(self.refused(&format!("column {name}"), "a feature of the dataset, once", "another"));
        }
        let row_count = row_count.unwrap_or(0);
        if tasks.len() != 1 && tasks.len() != row_count {
            let expected = format!("1, or one for each of {row_count} rows");
            return Err(self.refused("tasks", &expected, &tasks.len().to_string()));
        }
        let mut known: Vec<String> = Vec::new();
        let mut task_of_row = Vec::new();
        for task in tasks {
            let place = known.iter().position(|other| other == task).unwrap_or(known.len());
            if place == known.len() {
                known.push(task.clone());
            }
            task_of_row.push(place);
        }
        task_of_row.resize(row_count, 0);
        Ok(Checked { columns: in_order, tasks: known, task_of_row })
    }

    pub(crate) fn refused(self, what: &str, expected: &str, found: &str) -> Error {
        Error::EpisodeMismatch {
            path: self.root.to_owned(),
            episode_index: self.episode_index,
            what: what.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }
}
