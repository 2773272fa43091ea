//! The last chunk over the joints' history, as a PNG: one panel a group, the past left of the observation, the chunk
//! right of it.

use crate::error::Error;
use crate::watch::{GroupTrace, Trace, numbers};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use sinew_models::embodiment::GroupKind;
use sinew_proto::Stamp;
use std::ops::Range;
use std::path::Path;

/// Seconds of history that are drawn.
const PAST_S: f64 = 2.0;
/// Seconds left of it that make room for the joints' names.
const LEGEND_S: f64 = 1.0;
const WIDTH_PX: u32 = 1600;
const PANEL_HEIGHT_PX: u32 = 420;
const TITLE_HEIGHT_PX: u32 = 60;
const COLUMNS: usize = 2;
pub(crate) const FONT: &str = "sans-serif";
/// Where Linux distributions put DejaVu Sans.
const FONT_FILES: [&str; 4] = [
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
];

/// Draws a trace.
///
/// # Errors
/// If no chunk was seen, the font is not installed, or the file cannot be written.
pub fn draw(path: &Path, trace: &Trace) -> Result<(), Error> {
    let failed = |message: String| Error::Plot { path: path.to_owned(), message };
    let panels: Vec<Panel> = trace.groups.iter().filter_map(Panel::new).collect();
    if panels.is_empty() {
        return Err(failed("no trajectory was seen, so there is nothing to draw".to_owned()));
    }
    load_font().map_err(&failed)?;
    let row_count = panels.len().div_ceil(COLUMNS);
    let size = (WIDTH_PX, TITLE_HEIGHT_PX + PANEL_HEIGHT_PX * row_count as u32);
    draw_panels(&BitMapBackend::new(path, size).into_drawing_area(), &panels, row_count)
        .map_err(|error| failed(error.to_string()))
}

/// A line through points of (seconds from the observation, number).
type Line = Vec<(f64, f64)>;

/// One group's picture.
struct Panel {
    title: String,
    unit: String,
    /// How far the joint with the widest limits can go.
    limit_span: f64,
    /// Name, past and chunk of each joint.
    joints: Vec<(String, Line, Line)>,
}

impl Panel {
    fn new(trace: &GroupTrace) -> Option<Self> {
        let command = trace.command.as_ref()?;
        let observed_at = Stamp::try_from(command.header.stamp).ok()?;
        let past: Vec<(f64, &Vec<f64>)> = trace
            .history
            .iter()
            .map(|sample| (sample.captured_at.ns_since(observed_at) as f64 / 1e9, &sample.value))
            .filter(|(time_s, _)| (-PAST_S..=0.0).contains(time_s))
            .collect();
        let chunk: Vec<(f64, Vec<f64>)> = command
            .points
            .iter()
            .filter_map(|point| Some((point.time_from_start.to_ns().ok()? as f64 / 1e9, numbers(point))))
            .collect();
        let joint = |(index, name): (usize, &String)| {
            let past = past.iter().filter_map(|(time_s, numbers)| Some((*time_s, *numbers.get(index)?)));
            let chunk = chunk.iter().filter_map(|(time_s, numbers)| Some((*time_s, *numbers.get(index)?)));
            (name.clone(), past.collect(), chunk.collect())
        };
        let (quantity, unit) = match trace.group.kind {
            GroupKind::Position => ("position", trace.group.unit.to_string()),
            GroupKind::Velocity => ("velocity", "m/s, rad/s".to_owned()),
        };
        let silent = if past.is_empty() { " (no feedback)" } else { "" };
        let spans = trace.group.joints.iter().map(|joint| joint.upper - joint.lower);
        Some(Self {
            limit_span: spans.fold(0.0, f64::max),
            title: format!("{}{silent}", trace.group.name.replace('_', " ")),
            unit: format!("{quantity} [{unit}]"),
            joints: command.joint_names.iter().enumerate().map(joint).collect(),
        })
    }

    fn times_s(&self) -> Range<f64> {
        let last = self.joints.iter().flat_map(|(.., chunk)| chunk.last()).map(|(time_s, _)| *time_s);
        -PAST_S - LEGEND_S..last.fold(0.1, f64::max)
    }

    /// The numbers' range with a margin that keeps a tremor from looking like a movement.
    fn values(&self) -> Range<f64> {
        let values =
            self.joints.iter().flat_map(|(_, past, chunk)| past.iter().chain(chunk)).map(|(_, value)| *value);
        let (low, high) =
            values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let margin = (0.08 * (high - low)).max(0.02 * self.limit_span);
        low - margin..high + margin
    }
}

type DrawingResult<'a> = Result<(), DrawingAreaErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw_panels<'a>(
    canvas: &DrawingArea<BitMapBackend<'a>, Shift>,
    panels: &[Panel],
    row_count: usize,
) -> DrawingResult<'a> {
    canvas.fill(&WHITE)?;
    let canvas =
        canvas.margin(10, 0, 0, 0).titled("The last action chunk over the joints' history", (FONT, 30))?;
    for (area, panel) in canvas.split_evenly((row_count, COLUMNS)).iter().zip(panels) {
        draw_panel(area, panel)?;
    }
    canvas.present()
}

fn draw_panel<'a>(area: &DrawingArea<BitMapBackend<'a>, Shift>, panel: &Panel) -> DrawingResult<'a> {
    let values = panel.values();
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, (FONT, 22))
        .margin(10)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d(panel.times_s(), values.clone())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("time from the observation [s]")
        .y_desc(&panel.unit)
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 17))
        .draw()?;
    let now = [(0.0, values.start), (0.0, values.end)];
    chart.draw_series(LineSeries::new(now, BLACK.mix(0.5).stroke_width(2)))?;
    for (index, (name, past, chunk)) in panel.joints.iter().enumerate() {
        let color = Palette99::pick(index).to_rgba();
        chart.draw_series(LineSeries::new(past.iter().copied(), color.stroke_width(2)))?;
        chart.draw_series(LineSeries::new(chunk.iter().copied(), color.mix(0.4)))?;
        chart
            .draw_series(chunk.iter().map(|point| Circle::new(*point, 3, color.filled())))?
            .label(name.as_str())
            .legend(move |(x, y)| Circle::new((x + 8, y), 4, color.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .label_font((FONT, 14))
        .draw()
}

/// Plotters keeps a font for the life of the process, and takes it from memory of that life only.
pub(crate) fn load_font() -> Result<(), String> {
    let file = FONT_FILES.iter().find_map(|file| std::fs::read(file).ok());
    let file = file.ok_or_else(|| {
        format!(
            "the font DejaVu Sans is not installed (package fonts-dejavu-core): none of {}",
            FONT_FILES.join(", ")
        )
    })?;
    register_font(FONT, FontStyle::Normal, file.leak()).map_err(|_| "DejaVu Sans cannot be read".to_owned())
}
