//! Two analyses side by side, as before and after a remedy: what changed, and how sure that is.

mod bootstrap;
mod page;
mod plot;
mod text;

pub use bootstrap::{Change, DimensionChange, Unit};
pub use page::write;

use crate::Error;
use crate::analyze::analysis::{Analysis, FORMAT_VERSION, Outcome};
use crate::analyze::measures::Scale;
use crate::analyze::predictions::Predictions;
use bootstrap::{Bootstrap, Side};
use serde::Serialize;
use std::fs;
use std::path::Path;

/// Two analyses side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What was analysed first.
    pub before: Summary,
    /// What was analysed then.
    pub after: Summary,
    /// What was drawn for the intervals.
    pub unit: Unit,
    /// Whether both predicted from the same frames.
    pub is_paired: bool,
    /// Dimensions of both, in the first one's order.
    pub dimensions: Vec<DimensionComparison>,
    /// Dimensions of the first alone.
    pub only_before: Vec<String>,
    /// Dimensions of the second alone.
    pub only_after: Vec<String>,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The policy, as given.
    pub policy: String,
    /// The dataset, as given.
    pub dataset: String,
    /// Optimiser steps it was trained for.
    pub trained_steps: Option<u64>,
    /// The analysis' verdict.
    pub headline: String,
    /// Frames it is judged by.
    pub frame_count: usize,
    /// Steps of a chunk a second.
    pub rate_hz: f64,
}

/// One dimension in both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DimensionComparison {
    /// Its name.
    pub name: String,
    /// Its unit's symbol.
    pub unit: String,
    /// How it came out at first.
    pub before: Option<Outcome>,
    /// How it came out then.
    pub after: Option<Outcome>,
    /// How its numbers changed.
    pub change: DimensionChange,
    /// Mean absolute error by step of the chunk, in the first and in the second; absent for steps that no frame has.
    pub error_by_step: (Vec<Option<f64>>, Vec<Option<f64>>),
    /// What that means.
    pub verdict: Verdict,
}

/// What became of a dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It had failed, is in order now, and its error fell.
    Recovered,
    /// Its error fell.
    Improved,
    /// The change of its error may be chance: 0 is in the interval.
    Unchanged,
    /// Its error grew.
    Worse,
}

impl Verdict {
    fn of(before: Option<Outcome>, after: Option<Outcome>, error: &Change) -> Self {
        let is_fine = |outcome| matches!(outcome, Some(Outcome::Learned | Outcome::Still));
        let (low, high) = error.interval;
        match () {
            () if high < 0.0 && !is_fine(before) && is_fine(after) => Self::Recovered,
            () if high < 0.0 => Self::Improved,
            () if low > 0.0 => Self::Worse,
            () => Self::Unchanged,
        }
    }

    /// In a word or two.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Improved => "improved",
            Self::Unchanged => "unchanged",
            Self::Worse => "got worse",
        }
    }
}

/// An analysis with its predictions.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysed {
    /// What was found.
    pub analysis: Analysis,
    /// What it was found from.
    pub predictions: Predictions,
}

impl Analysed {
    /// Reads an analysis' folder.
    ///
    /// # Errors
    /// If it is not one, is of another version, or is of a dataset alone.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("data/statistics.json");
        let bytes = fs::read(&path).map_err(Error::io(&path))?;
        let broken = |message: String| Error::Config { place: path.display().to_string(), message };
        let analysis: Analysis = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        if analysis.format_version != FORMAT_VERSION {
            let found = analysis.format_version;
            return Err(broken(format!("format_version: expected {FORMAT_VERSION}, found {found}")));
        }
        if analysis.policy.is_none() {
            return Err(broken("analysed without a policy, so there is nothing to compare".to_owned()));
        }
        Ok(Self { analysis, predictions: Predictions::read_npz(&folder.join("data/predictions.npz"))? })
    }

    fn side(&self) -> Side<'_> {
        Side { predictions: &self.predictions, set: self.predictions.judged() }
    }

    fn summary(&self) -> Summary {
        let subject = &self.analysis.subject;
        Summary {
            policy: subject.policy.clone().unwrap_or_default(),
            dataset: subject.dataset.clone(),
            trained_steps: subject.trained_steps,
            headline: self.analysis.diagnosis.headline.clone(),
            frame_count: self.predictions.judged().len(),
            rate_hz: subject.rate_hz,
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.analysis.action.iter().position(|dimension| dimension.name == name)
    }

    fn outcome(&self, place: usize) -> Option<Outcome> {
        let mut verdicts = self.analysis.diagnosis.dimensions.iter();
        verdicts.find(|verdict| verdict.dimension == place).map(|verdict| verdict.outcome)
    }

    fn error_by_step(&self, place: usize) -> Vec<Option<f64>> {
        let policy = self.analysis.policy.as_ref();
        policy.map(|policy| policy.judged().dimensions[place].error_by_step.clone()).unwrap_or_default()
    }

    /// Names that the other has not.
    fn only(&self, other: &Self) -> Vec<String> {
        let names = self.analysis.action.iter().map(|dimension| &dimension.name);
        names.filter(|name| other.place(name).is_none()).cloned().collect()
    }
}

/// Sets two analyses side by side. Both errors are normalised by the first one's data.
#[must_use]
pub fn compare(before: &Analysed, after: &Analysed, seed: u64) -> Comparison {
    let bootstrap = Bootstrap::new(before.side(), after.side(), seed);
    let dimensions = before.analysis.action.iter().enumerate().filter_map(|(place, dimension)| {
        let after_place = after.place(&dimension.name)?;
        let data = &before.analysis.data.action[place];
        let change = bootstrap.dimension(place, after_place, Scale { mean: data.mean, std: data.std });
        let outcomes = (before.outcome(place), after.outcome(after_place));
        Some(DimensionComparison {
            name: dimension.name.clone(),
            unit: dimension.unit.clone(),
            before: outcomes.0,
            after: outcomes.1,
            change,
            error_by_step: (before.error_by_step(place), after.error_by_step(after_place)),
            verdict: Verdict::of(outcomes.0, outcomes.1, &change.normalized_error),
        })
    });
    Comparison {
        before: before.summary(),
        after: after.summary(),
        unit: bootstrap.unit,
        is_paired: bootstrap.is_paired,
        dimensions: dimensions.collect(),
        only_before: before.only(after),
        only_after: after.only(before),
    }
}
