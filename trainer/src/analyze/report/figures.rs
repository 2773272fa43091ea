//! Figures as files and as part of a page.

use crate::Error;
use crate::analyze::plot::{Figure, Picture};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{Markup, html};
use rayon::prelude::*;
use std::fs;
use std::path::Path;

/// A figure with its panels as PNG files.
pub(crate) struct Drawn {
    figure: Figure,
    panels: Vec<PanelPng>,
}

struct PanelPng {
    png: Vec<u8>,
    width: usize,
    height: usize,
}

/// Draws figures, and writes them into `plots/` of a folder.
///
/// # Errors
/// If a picture cannot be drawn, or a file cannot be written.
pub(crate) fn draw(folder: &Path, figures: Vec<Figure>) -> Result<Vec<Drawn>, Error> {
    let plots = folder.join("plots");
    fs::create_dir_all(&plots).map_err(Error::io(&plots))?;
    let draw = |figure: Figure| -> Result<Drawn, Error> {
        let pictures = figure.draw()?;
        figure.write(&plots, &pictures)?;
        let failed = |message| Error::Plot { name: figure.name, message };
        let png = |picture: &Picture| {
            let png = picture.png().map_err(failed)?;
            Ok(PanelPng { png, width: picture.width, height: picture.height })
        };
        let panels = pictures.iter().map(png).collect::<Result<_, Error>>()?;
        Ok(Drawn { figure, panels })
    };
    figures.into_par_iter().map(draw).collect()
}

/// Figures with their captions, their pictures inside the page.
pub(crate) fn show(drawn: &[Drawn]) -> Markup {
    html! {
        @for Drawn { figure, panels } in drawn {
            figure class="plot" id={ "plot-" (figure.name) } {
                figcaption { h3 { (figure.title) } p { (figure.caption) } }
                div class=(if panels.len() == 1 { "panels single" } else { "panels" }) {
                    @for (panel, drawn) in figure.panels.iter().zip(panels) {
                        div class="panel" {
                            img alt={ (figure.title) ": " (panel.title) ". " (panel.note) }
                                width=(drawn.width) height=(drawn.height) decoding="sync"
                                src={ "data:image/png;base64," (BASE64_STANDARD.encode(&drawn.png)) };
                        }
                    }
                }
            }
        }
    }
}
