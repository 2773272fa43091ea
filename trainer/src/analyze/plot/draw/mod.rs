//! From a panel's plain data to pixels.

mod chart;
mod dots;
mod names;

use super::font::FONT;
use super::{Chart, Panel, Picture, Role};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Of a panel with axes. On a telephone it is shown at half of that.
const WIDTH_PX: usize = 640;
const HEIGHT_PX: usize = 430;
const HEADER_PX: usize = 84;
const TITLE_PX: usize = 72;
const INK: RGBColor = RGBColor(32, 33, 36);
const GREY: RGBColor = RGBColor(95, 99, 104);

type Canvas<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Drawn<'a> = Result<(), DrawingAreaErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>>;

/// Draws a panel.
pub(super) fn draw(panel: &Panel) -> Result<Picture, String> {
    let (width, height) = match &panel.chart {
        Chart::Lines(_) | Chart::Histogram(_) => (WIDTH_PX, HEIGHT_PX),
        Chart::Scatter(_) => (WIDTH_PX, WIDTH_PX + HEADER_PX),
        Chart::Bars(bars) => names::bars_size(bars),
        Chart::Dots(dots) => dots::size(dots),
        Chart::HeatMap(map) => names::heat_map_size(map),
    };
    paint(width, height, |canvas| {
        draw_header(canvas, panel)?;
        let (_, area) = canvas.split_vertically(HEADER_PX as i32);
        match &panel.chart {
            Chart::Lines(lines) => chart::lines(&area, lines),
            Chart::Histogram(histogram) => chart::histogram(&area, histogram),
            Chart::Scatter(scatter) => chart::scatter(&area, scatter),
            Chart::Bars(bars) => names::bars(&area, bars),
            Chart::Dots(dots) => dots::dots(&area, dots),
            Chart::HeatMap(map) => names::heat_map(&area, map),
        }
    })
}

/// Draws a title above panels.
pub(super) fn title(text: &str, width: usize) -> Result<Picture, String> {
    let size = if width < 2 * WIDTH_PX { 26 } else { 36 };
    paint(width, TITLE_PX, |canvas| canvas.draw_text(text, &style(size, INK), (24, 18)))
}

fn paint(
    width: usize,
    height: usize,
    content: impl for<'a> FnOnce(&Canvas<'a>) -> Drawn<'a>,
) -> Result<Picture, String> {
    let mut picture = Picture::white(width, height);
    let canvas =
        BitMapBackend::with_buffer(&mut picture.rgb, (width as u32, height as u32)).into_drawing_area();
    content(&canvas).and_then(|()| canvas.present()).map_err(|error| error.to_string())?;
    drop(canvas);
    Ok(picture)
}

/// Title, note and legend, a line each.
fn draw_header<'a>(canvas: &Canvas<'a>, panel: &Panel) -> Drawn<'a> {
    canvas.draw_text(&panel.title, &style(24, INK), (10, 4))?;
    canvas.draw_text(&panel.note, &style(18, GREY), (10, 33))?;
    let mut x = 12;
    for role in roles(&panel.chart) {
        let swatch = [(x, 66), (x + 16, 72)];
        canvas.draw(&Rectangle::new(swatch, color(role).filled()))?;
        let text = style(17, GREY);
        canvas.draw_text(role.label(), &text, (x + 22, 59))?;
        x += 22 + 26 + canvas.estimate_text_size(role.label(), &text)?.0 as i32;
    }
    Ok(())
}

/// Those of a chart that need telling apart, each once.
fn roles(chart: &Chart) -> Vec<Role> {
    let all: Vec<Role> = match chart {
        Chart::Lines(lines) => lines.series.iter().map(|series| series.role).collect(),
        Chart::Histogram(histogram) => histogram.shares.iter().map(|(role, _)| *role).collect(),
        Chart::Bars(bars) => bars.values.iter().map(|(role, _)| *role).collect(),
        Chart::Dots(dots) => dots.values.iter().map(|(role, _)| *role).collect(),
        Chart::Scatter(_) | Chart::HeatMap(_) => Vec::new(),
    };
    let mut once = Vec::new();
    for role in all {
        if !once.contains(&role) {
            once.push(role);
        }
    }
    once
}

/// Colours that people of any colour vision tell apart (Okabe and Ito, Color Universal Design, 2008).
fn color(role: Role) -> RGBAColor {
    match role {
        Role::Truth => RGBColor(70, 74, 80).to_rgba(),
        Role::Predicted | Role::Validation | Role::Before => RGBColor(213, 94, 0).to_rgba(),
        Role::Chunk => RGBColor(86, 180, 233).to_rgba(),
        Role::Train | Role::Data | Role::After | Role::Change => RGBColor(0, 114, 178).to_rgba(),
    }
}

fn style(size: u32, color: RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color)
}

fn anchored(size: u32, color: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    style(size, color).pos(Pos::new(horizontal, vertical))
}
