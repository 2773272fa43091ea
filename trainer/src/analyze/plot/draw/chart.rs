//! Charts with two axes of numbers.

use super::{Canvas, Drawn, GREY, INK, color, style};
use crate::analyze::number;
use crate::analyze::plot::{Histogram, Lines, Role, Scatter};
use plotters::prelude::*;
use std::ops::Range;

/// Room for the histograms beside a scatter plot.
const MARGINAL_PX: i32 = 70;
const MARGINAL_BINS: usize = 30;

type Plane<'a, 'b> = ChartContext<
    'b,
    BitMapBackend<'a>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

pub(super) fn lines<'a>(area: &Canvas<'a>, lines: &Lines) -> Drawn<'a> {
    let points = || lines.series.iter().flat_map(|series| &series.points);
    let x = spread(points().map(|point| point.0), 0.0);
    let mut y = spread(points().map(|point| point.1), 0.06);
    if lines.from_zero {
        y.start = 0.0;
    }
    let mut chart = plane(area, x, y, (0, 0))?;
    mesh(&mut chart, &lines.x_label, &lines.y_label)?;
    for series in &lines.series {
        let width = if series.role == Role::Chunk { 1 } else { 2 };
        let stroke = color(series.role).stroke_width(width);
        chart.draw_series(LineSeries::new(series.points.iter().copied(), stroke))?;
        if let [point] = series.points[..] {
            chart.draw_series([Circle::new(point, 4, color(series.role).filled())])?;
        }
    }
    Ok(())
}

pub(super) fn histogram<'a>(area: &Canvas<'a>, histogram: &Histogram) -> Drawn<'a> {
    let bin_count = histogram.shares.iter().map(|(_, shares)| shares.len()).max().unwrap_or(0);
    let x = histogram.start..histogram.start + histogram.bin_width * bin_count as f64;
    let highest =
        histogram.shares.iter().flat_map(|(_, shares)| shares).fold(0.0_f64, |high, share| high.max(*share));
    let mut chart = plane(area, x, 0.0..(106.0 * highest).max(1e-3), (0, 0))?;
    mesh(&mut chart, &histogram.x_label, "share [%]")?;
    for (role, shares) in &histogram.shares {
        let edge = |bin: usize| histogram.start + histogram.bin_width * bin as f64;
        chart.draw_series(shares.iter().enumerate().filter(|(_, share)| **share > 0.0).map(
            |(bin, share)| {
                Rectangle::new(
                    [(edge(bin), 0.0), (edge(bin + 1), 100.0 * share)],
                    color(*role).mix(0.3).filled(),
                )
            },
        ))?;
        let outline = shares.iter().enumerate();
        let outline =
            outline.flat_map(|(bin, share)| [(edge(bin), 100.0 * share), (edge(bin + 1), 100.0 * share)]);
        chart.draw_series(LineSeries::new(outline, color(*role).stroke_width(2)))?;
    }
    Ok(())
}

pub(super) fn scatter<'a>(area: &Canvas<'a>, scatter: &Scatter) -> Drawn<'a> {
    let (truths, predictions): (Vec<f64>, Vec<f64>) = scatter.points.iter().copied().unzip();
    let range = spread(truths.iter().chain(&predictions).copied(), 0.03);
    let mut chart = plane(area, range.clone(), range.clone(), (MARGINAL_PX, MARGINAL_PX))?;
    mesh(
        &mut chart,
        &number::with_unit("truth", &scatter.unit),
        &number::with_unit("predicted", &scatter.unit),
    )?;
    let diagonal = [(range.start, range.start), (range.end, range.end)];
    chart.draw_series(LineSeries::new(diagonal, INK.mix(0.5).stroke_width(2)))?;
    let dot = color(Role::Predicted).mix(0.35).filled();
    chart.draw_series(scatter.points.iter().map(|point| Circle::new(*point, 3, dot)))?;
    draw_marginals(area, &chart, &range, &bin(&truths, &range), &bin(&predictions, &range))
}

/// The truth's histogram above the plane, the prediction's right of it.
fn draw_marginals<'a>(
    area: &Canvas<'a>,
    chart: &Plane<'a, '_>,
    range: &Range<f64>,
    truth: &[usize],
    predicted: &[usize],
) -> Drawn<'a> {
    let width = (range.end - range.start) / MARGINAL_BINS as f64;
    let edge = |bin: usize| range.start + width * bin as f64;
    // Where the plane is, in pixels of the area.
    let (left, top) = area.get_base_pixel();
    let pixel = |x: f64, y: f64| {
        let (column, row) = chart.backend_coord(&(x, y));
        (column - left, row - top)
    };
    let length = |count: usize, counts: &[usize]| {
        let most = counts.iter().max().copied().unwrap_or(0).max(1);
        (count * (MARGINAL_PX as usize - 14) / most) as i32
    };
    for bin in 0..MARGINAL_BINS {
        let (from, to) = (pixel(edge(bin), range.end), pixel(edge(bin + 1), range.end));
        let bar = [(from.0, from.1 - 2 - length(truth[bin], truth)), (to.0 - 1, to.1 - 2)];
        area.draw(&Rectangle::new(bar, color(Role::Truth).mix(0.7).filled()))?;
        let (from, to) = (pixel(range.end, edge(bin)), pixel(range.end, edge(bin + 1)));
        let bar = [(to.0 + 2, to.1 + 1), (from.0 + 2 + length(predicted[bin], predicted), from.1)];
        area.draw(&Rectangle::new(bar, color(Role::Predicted).mix(0.7).filled()))?;
    }
    Ok(())
}

fn bin(values: &[f64], range: &Range<f64>) -> Vec<usize> {
    let mut counts = vec![0; MARGINAL_BINS];
    for value in values {
        let place = (value - range.start) / (range.end - range.start) * MARGINAL_BINS as f64;
        counts[(place as usize).min(MARGINAL_BINS - 1)] += 1;
    }
    counts
}

/// An empty plane with room on top and at the right.
fn plane<'a, 'b>(
    area: &'b Canvas<'a>,
    x: Range<f64>,
    y: Range<f64>,
    (top, right): (i32, i32),
) -> Result<Plane<'a, 'b>, DrawingAreaErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>> {
    ChartBuilder::on(area)
        .margin_top(4 + top)
        .margin_right(18 + right)
        .margin_left(6)
        .margin_bottom(4)
        .x_label_area_size(54)
        .y_label_area_size(88)
        .build_cartesian_2d(x, y)
}

fn mesh<'a>(chart: &mut Plane<'a, '_>, x_label: &str, y_label: &str) -> Drawn<'a> {
    let (x_span, y_span) = (length(&chart.x_range()), length(&chart.y_range()));
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.12))
        .axis_style(INK.mix(0.5))
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|value| tick(*value, x_span))
        .y_label_formatter(&|value| tick(*value, y_span))
        .x_desc(x_label)
        .y_desc(y_label)
        .label_style(style(17, GREY))
        .axis_desc_style(style(18, INK))
        .draw()
}

/// An axis' number, with as many digits as tell it from the next.
fn tick(value: f64, span: f64) -> String {
    if !(1e-5..1e6).contains(&span) {
        return number::short(value);
    }
    let decimals = (1.0 - span.log10().floor()).max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.replace('-', "\u{2212}") }
}

fn length(range: &Range<f64>) -> f64 {
    range.end - range.start
}

/// From the smallest to the largest, with a margin that is a share of it. Never empty, or there would be no axis.
fn spread(values: impl Iterator<Item = f64>, margin: f64) -> Range<f64> {
    let (low, high) =
        values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    let size = low.abs().max(high.abs()).max(1e-3);
    // Rounding of a constant shall not look like a movement.
    let margin = if high - low < 1e-6 * size { 0.01 * size } else { margin * (high - low) };
    low - margin..high + margin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_tell_neighbours_apart() {
        assert_eq!(tick(100.02, 0.04), "100.02");
        assert_eq!(tick(0.300_000_000_000_000_04, 1.0), "0.3");
        assert_eq!(tick(-0.000_1, 2.0), "0");
        assert_eq!(tick(250.0, 1000.0), "250");
        assert_eq!(tick(2e-7, 5e-7), "2e\u{2212}7");
    }

    #[test]
    fn an_axis_is_never_empty() {
        for values in [vec![], vec![0.0], vec![3.0, 3.0], vec![-1e9]] {
            let range = spread(values.iter().copied(), 0.1);
            assert!(range.start < range.end, "{values:?}");
            assert!(values.iter().all(|value| range.contains(value)), "{values:?}");
        }
        assert_eq!(spread([0.0, 10.0].into_iter(), 0.1), -1.0..11.0);
    }
}
