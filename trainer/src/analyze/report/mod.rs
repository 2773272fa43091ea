//! `report.html`: one file that needs nothing else, the verdict first, then the evidence.

mod data;
mod findings;
pub(crate) mod page;
pub(crate) mod verdict;

use crate::Error;
use crate::analyze::analysis::Analysis;
use crate::analyze::plot::{self, Figure};
use crate::analyze::predictions::Predictions;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{Markup, html};
use page::Section;
use rayon::prelude::*;
use std::fs;
use std::path::Path;

/// A figure with its panels as PNG files.
struct Drawn {
    figure: Figure,
    panels: Vec<PanelPng>,
}

struct PanelPng {
    png: Vec<u8>,
    width: usize,
    height: usize,
}

/// Writes `report.html` and the pictures under `plots/` into an analysis' folder.
///
/// # Errors
/// If a picture cannot be drawn, or a file cannot be written.
pub fn write(folder: &Path, analysis: &Analysis, predictions: Option<&Predictions>) -> Result<(), Error> {
    let plots = folder.join("plots");
    fs::create_dir_all(&plots).map_err(Error::io(&plots))?;
    let draw = |figure: Figure| -> Result<Drawn, Error> {
        let pictures = figure.draw()?;
        figure.write(&plots, &pictures)?;
        let failed = |message| Error::Plot { name: figure.name, message };
        let png = |picture: &plot::Picture| {
            let png = picture.png().map_err(failed)?;
            Ok(PanelPng { png, width: picture.width, height: picture.height })
        };
        let panels = pictures.iter().map(png).collect::<Result<_, Error>>()?;
        Ok(Drawn { figure, panels })
    };
    let figures = plot::figures(analysis, predictions);
    let drawn = figures.into_par_iter().map(draw).collect::<Result<Vec<_>, _>>()?;
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
    sections.push(Section::new("plots", "Plots", plots(drawn)));
    sections.push(Section::new("data", "The data", data::report(analysis)));
    sections.push(Section::new("made", "How this was made", data::subject(analysis)));
    page::page(&analysis.diagnosis.headline, verdict::opening(analysis), &sections)
}

fn plots(drawn: &[Drawn]) -> Markup {
    html! {
        @for Drawn { figure, panels } in drawn {
            figure class="plot" id={ "plot-" (figure.name) } {
                figcaption { h3 { (figure.title) } p { (figure.caption) } }
                div class=(if panels.len() == 1 { "panels single" } else { "panels" }) {
                    @for (panel, drawn) in figure.panels.iter().zip(panels) {
                        div class="panel" {
                            img alt={ (figure.title) ": " (panel.title) ". " (panel.note) }
                                width=(drawn.width) height=(drawn.height) decoding="async"
                                src={ "data:image/png;base64," (BASE64_STANDARD.encode(&drawn.png)) };
                        }
                    }
                }
            }
        }
    }
}
