//! `report.html`: one file that needs nothing else, the verdict first, then the evidence.

mod data;
pub(crate) mod figures;
mod findings;
pub(crate) mod page;
pub(crate) mod verdict;

use crate::Error;
use crate::analyze::analysis::Analysis;
use crate::analyze::plot;
use crate::analyze::predictions::Predictions;
use figures::Drawn;
use maud::Markup;
use page::Section;
use std::fs;
use std::path::Path;

/// Writes `report.html` and the pictures under `plots/` into an analysis' folder.
///
/// # Errors
/// If a picture cannot be drawn, or a file cannot be written.
pub fn write(folder: &Path, analysis: &Analysis, predictions: Option<&Predictions>) -> Result<(), Error> {
    let drawn = figures::draw(folder, plot::figures(analysis, predictions))?;
    let path = folder.join("report.html");
    fs::write(&path, compose(analysis, &drawn).into_string()).map_err(Error::io(&path))
}

fn compose(analysis: &Analysis, drawn: &[Drawn]) -> Markup {
    let mut sections = Vec::new();
    if let Some(policy) = &analysis.policy {
        sections.push(Section::new(
            "dimensions",
            "Dimension by dimension",
            verdict::dimensions(analysis, policy),
        ));
    }
    if !analysis.diagnosis.findings.is_empty() {
        sections.push(Section::new("hypotheses", "Why: the hypotheses", findings::hypotheses(analysis)));
    }
    if !analysis.diagnosis.remedy_toml.is_empty() {
        sections.push(Section::new("remedy", "What to do", verdict::remedy(analysis)));
    }
    if let Some(policy) = &analysis.policy {
        sections.push(Section::new("groups", "By task and phase", verdict::groups(analysis, policy)));
    }
    sections.push(Section::new("plots", "Plots", figures::show(drawn)));
    sections.push(Section::new("data", "The data", data::report(analysis)));
    sections.push(Section::new("made", "How this was made", data::subject(analysis)));
    page::page(&analysis.diagnosis.headline, verdict::opening(analysis), &sections)
}
