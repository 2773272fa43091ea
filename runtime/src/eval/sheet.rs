//! Episodes as a sheet of pictures: a row each, a few moments from left to right.

use super::episode::Episode;
use crate::error::Error;
use crate::plot::{FONT, load_font};
use plotters::prelude::*;
use sinew_sync::{Picture, PictureDecoder};
use std::io::ErrorKind;
use std::path::Path;

/// Pictures of a row.
pub(super) const SHOT_COUNT: usize = 6;
/// Rows of a sheet: more, nobody looks at.
const MOST_ROWS: usize = 40;
const THUMB_WIDTH_PX: usize = 200;
const LABEL_HEIGHT_PX: usize = 20;
const MARGIN_PX: usize = 4;

/// A picture at a size that fits.
struct Thumb {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

/// Draws episodes, a row each; no file if there is nothing to draw, not even an earlier one.
///
/// # Errors
/// If the font is not installed or the file cannot be written or removed.
pub fn draw_sheet<'a>(path: &Path, episodes: impl Iterator<Item = &'a Episode>) -> Result<(), Error> {
    let failed = |message: String| Error::Plot { path: path.to_owned(), message };
    let mut decoder = PictureDecoder::new()?;
    let mut rows = Vec::new();
    let mut undrawn_count = 0;
    for episode in episodes.filter(|episode| !episode.shots.is_empty()) {
        if rows.len() == MOST_ROWS {
            undrawn_count += 1;
            continue;
        }
        let mut thumbs = Vec::new();
        for shot in &episode.shots {
            let [width, height] = decoder.decode(Picture::Jpeg(&shot.jpeg))?;
            thumbs.push((shot.at_s, thumb(decoder.rgb(), width, height)));
        }
        rows.push((label(episode), thumbs));
    }
    let highest = rows.iter().flat_map(|(_, thumbs)| thumbs).map(|(_, thumb)| thumb.height).max();
    let Some(highest) = highest else { return remove_older(path) };
    load_font().map_err(&failed)?;
    let row_height = highest + LABEL_HEIGHT_PX + MARGIN_PX;
    let rest = (undrawn_count > 0).then(|| format!("and {undrawn_count} more, which eval.json names"));
    let rest_height = rest.as_ref().map_or(0, |_| LABEL_HEIGHT_PX);
    let size = (
        (SHOT_COUNT * (THUMB_WIDTH_PX + MARGIN_PX) + MARGIN_PX) as u32,
        (rows.len() * row_height + rest_height + MARGIN_PX) as u32,
    );
    draw_rows(path, size, row_height, &rows, rest).map_err(|error| failed(error.to_string()))
}

fn remove_older(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(Error::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn label(episode: &Episode) -> String {
    let Episode { task, seed, seconds, .. } = episode;
    match (episode.cause, episode.seconds_to_success) {
        (Some(cause), _) => {
            format!("{task}, seed {seed}: {} after {seconds:.1} s", cause.name().replace('_', " "))
        }
        (None, Some(after_s)) => format!("{task}, seed {seed}: success after {after_s:.1} s"),
        (None, None) => format!("{task}, seed {seed}"),
    }
}

/// A picture made smaller by leaving pixels out.
fn thumb(rgb: &[u8], width: usize, height: usize) -> Thumb {
    let small_height = (height * THUMB_WIDTH_PX / width).max(1);
    let mut small = Vec::with_capacity(3 * THUMB_WIDTH_PX * small_height);
    for y in 0..small_height {
        for x in 0..THUMB_WIDTH_PX {
            let from = 3 * ((y * height / small_height) * width + x * width / THUMB_WIDTH_PX);
            small.extend_from_slice(&rgb[from..from + 3]);
        }
    }
    Thumb { width: THUMB_WIDTH_PX, height: small_height, rgb: small }
}

type Row = (String, Vec<(f64, Thumb)>);

fn draw_rows(
    path: &Path,
    size: (u32, u32),
    row_height: usize,
    rows: &[Row],
    rest: Option<String>,
) -> Result<(), Box<dyn std::error::Error>> {
    let canvas = BitMapBackend::new(path, size).into_drawing_area();
    canvas.fill(&WHITE)?;
    let style = (FONT, 14).into_font().color(&BLACK);
    for (index, (label, thumbs)) in rows.iter().enumerate() {
        let top = index * row_height + MARGIN_PX;
        canvas.draw(&Text::new(label.clone(), (MARGIN_PX as i32, top as i32 + 2), style.clone()))?;
        for (column, (at_s, thumb)) in thumbs.iter().enumerate() {
            let left = MARGIN_PX + column * (THUMB_WIDTH_PX + MARGIN_PX);
            let corner = (left as i32, (top + LABEL_HEIGHT_PX) as i32);
            let picture =
                BitMapElement::with_ref(corner, (thumb.width as u32, thumb.height as u32), &thumb.rgb);
            canvas.draw(&picture.ok_or("a picture has another size than it says")?)?;
            let place = (corner.0 + 4, corner.1 + 2);
            canvas.draw(&Text::new(format!("{at_s:.1} s"), place, (FONT, 13).into_font().color(&WHITE)))?;
        }
    }
    if let Some(rest) = rest {
        let top = rows.len() * row_height + MARGIN_PX;
        canvas.draw(&Text::new(rest, (MARGIN_PX as i32, top as i32 + 2), style))?;
    }
    canvas.present()?;
    Ok(())
}
