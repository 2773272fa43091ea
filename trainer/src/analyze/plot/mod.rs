//! Pictures of an analysis. A [`Figure`] says what is drawn, a panel a dimension: plain data, made by [`policy`] and
//! [`data`]. The report shows the panels one by one, so that they fit any width; the files under `plots/` have them
//! side by side.

pub mod data;
mod draw;
mod font;
mod picture;
pub mod policy;

pub use picture::Picture;

use crate::Error;
use crate::analyze::analysis::Analysis;
use crate::analyze::predictions::Predictions;
use std::ops::Range;
use std::path::Path;

/// A plot: one file under `plots/`, one section's pictures in the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The file's name without `.png`.
    pub name: &'static str,
    /// What it shows.
    pub title: String,
    /// How to read it.
    pub caption: String,
    /// Its pictures, mostly one a dimension.
    pub panels: Vec<Panel>,
}

/// One picture of a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What it is of.
    pub title: String,
    /// Its numbers in a few words.
    pub note: String,
    /// What is drawn.
    pub chart: Chart,
}

/// What is drawn in a panel.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// Lines over a common axis.
    Lines(Lines),
    /// Truth against prediction, with both one's histogram at the margins.
    Scatter(Scatter),
    /// Histograms over common bins.
    Histogram(Histogram),
    /// A horizontal bar a name.
    Bars(Bars),
    /// A dot with an interval a name.
    Dots(Dots),
    /// A square of numbers from -1 to 1.
    HeatMap(HeatMap),
}

/// Lines over a common axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// The horizontal axis, with its unit.
    pub x_label: String,
    /// The vertical axis, with its unit.
    pub y_label: String,
    /// The vertical axis begins at zero.
    pub from_zero: bool,
    /// The lines; those of one role share a colour and a name.
    pub series: Vec<Series>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What it is.
    pub role: Role,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

/// Truth against prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    /// Of both axes.
    pub unit: String,
    /// Truth and prediction.
    pub points: Vec<(f64, f64)>,
}

/// Histograms over common bins.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// The horizontal axis, with its unit.
    pub x_label: String,
    /// Where the first bin begins.
    pub start: f64,
    /// A bin's width.
    pub bin_width: f64,
    /// Each role's share of its values in each bin.
    pub shares: Vec<(Role, Vec<f64>)>,
}

/// A horizontal bar a name and role.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// The horizontal axis, with its unit.
    pub x_label: String,
    /// From top to bottom.
    pub names: Vec<String>,
    /// A number a name, for each role.
    pub values: Vec<(Role, Vec<f64>)>,
    /// What to compare them with.
    pub reference: Option<f64>,
    /// Longer bars are cut here; the number beside them is not.
    pub limit: f64,
}

/// A dot with an interval a name and role.
#[derive(Clone, Debug, PartialEq)]
pub struct Dots {
    /// The horizontal axis, with its unit.
    pub x_label: String,
    /// From top to bottom.
    pub names: Vec<String>,
    /// A dot a name, for each role.
    pub values: Vec<(Role, Vec<Dot>)>,
    /// Of the axis; what lies beyond is drawn at its ends.
    pub range: Range<f64>,
    /// What to compare them with.
    pub reference: Option<f64>,
}

/// A number and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dot {
    /// The number.
    pub value: f64,
    /// From its lower to its upper end.
    pub interval: (f64, f64),
}

/// A square of numbers from -1 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// What the columns are.
    pub x_label: String,
    /// What the rows are.
    pub y_label: String,
    /// Of rows and columns.
    pub names: Vec<String>,
    /// `[rows, columns]`.
    pub values: Vec<f64>,
}

/// What a line, bar or colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What was done.
    Truth,
    /// What the policy said.
    Predicted,
    /// A whole predicted chunk.
    Chunk,
    /// Of the episodes trained on.
    Train,
    /// Of the others.
    Validation,
    /// Of the recorded actions.
    Data,
    /// Of the first of two analyses.
    Before,
    /// Of the second.
    After,
    /// From the first to the second.
    Change,
}

impl Role {
    /// For the legend.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Truth => "truth",
            Self::Predicted => "predicted",
            Self::Chunk => "whole chunks",
            Self::Train => "training episodes",
            Self::Validation => "validation episodes",
            Self::Data => "recorded",
            Self::Before => "before",
            Self::After => "after",
            Self::Change => "change, with its 95 % interval",
        }
    }
}

impl Figure {
    /// Draws the panels.
    ///
    /// # Errors
    /// If the font is not installed, or plotters fails.
    pub fn draw(&self) -> Result<Vec<Picture>, Error> {
        let failed = |message| Error::Plot { name: self.name, message };
        font::load().map_err(failed)?;
        self.panels.iter().map(|panel| draw::draw(panel).map_err(failed)).collect()
    }

    /// Puts the drawn panels side by side into one file, under the figure's title.
    ///
    /// # Errors
    /// If the file cannot be written, or plotters fails.
    pub fn write(&self, folder: &Path, panels: &[Picture]) -> Result<(), Error> {
        let failed = |message| Error::Plot { name: self.name, message };
        let columns = if panels.len() < 3 { 1 } else { 3 };
        let width = picture::grid_width(panels, columns);
        let title = draw::title(&self.title, width).map_err(failed)?;
        let path = folder.join(format!("{}.png", self.name));
        let bytes = picture::grid(&title, panels, columns).png().map_err(failed)?;
        std::fs::write(&path, bytes).map_err(Error::io(&path))
    }
}

/// Everything there is to draw, in the order to look at it.
#[must_use]
pub fn figures(analysis: &Analysis, predictions: Option<&Predictions>) -> Vec<Figure> {
    let mut figures = Vec::new();
    if let (Some(policy), Some(predictions)) = (&analysis.policy, predictions) {
        figures.extend(policy::figures(analysis, policy, predictions));
    }
    figures.extend(data::figures(analysis, predictions));
    figures
}
