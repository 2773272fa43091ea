//! Pictures of a comparison.

use super::{Change, Comparison, DimensionComparison};
use crate::analyze::number::{ratio, short, with_unit};
use crate::analyze::plot::{Chart, Dot, Dots, Figure, Lines, Panel, Role, Series};
use std::ops::Range;

/// Below it R² says no more than that nothing is explained.
const LEAST_R2: f64 = -1.0;

/// Everything there is to draw, in the order to look at it.
pub(super) fn figures(comparison: &Comparison) -> Vec<Figure> {
    if comparison.dimensions.is_empty() {
        return Vec::new();
    }
    vec![errors(comparison), changes(comparison), explained(comparison), errors_by_step(comparison)]
}

/// A dot a dimension for each role.
fn dots(
    comparison: &Comparison,
    x_label: &str,
    values: Vec<(Role, Vec<Dot>)>,
    range: impl Fn(Range<f64>) -> Range<f64>,
    reference: Option<f64>,
) -> Chart {
    let ends =
        values.iter().flat_map(|(_, dots)| dots).flat_map(|dot| [dot.interval.0, dot.interval.1, dot.value]);
    let spread = ends.fold(f64::MAX..f64::MIN, |range, end| range.start.min(end)..range.end.max(end));
    Chart::Dots(Dots {
        x_label: x_label.to_owned(),
        names: comparison.dimensions.iter().map(|dimension| dimension.name.clone()).collect(),
        values,
        range: range(spread),
        reference,
    })
}

/// A number of each dimension, before and after.
fn pairs(comparison: &Comparison, number: fn(&DimensionComparison) -> &Change) -> Vec<(Role, Vec<Dot>)> {
    let changes = || comparison.dimensions.iter().map(number);
    let before = changes().map(|change| Dot { value: change.before, interval: change.before_interval });
    let after = changes().map(|change| Dot { value: change.after, interval: change.after_interval });
    vec![(Role::Before, before.collect()), (Role::After, after.collect())]
}

/// An axis' end whose quarters are short numbers.
fn round_up(value: f64) -> f64 {
    let value = value.max(0.1);
    let power = 10_f64.powf(value.log10().floor());
    let ends = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].map(|digit| digit * power);
    ends.into_iter().find(|end| *end >= value).unwrap_or(value)
}

fn errors(comparison: &Comparison) -> Figure {
    let chart = dots(
        comparison,
        "mean |error| / standard deviation",
        pairs(comparison, |dimension| &dimension.change.normalized_error),
        |range| 0.0..round_up(range.end),
        None,
    );
    Figure {
        name: "errors",
        title: "Error before and after".to_owned(),
        caption: "Mean absolute error over the standard deviation of the first analysis’ data, with its 95 % interval. \
                  Intervals that overlap may still hide a sure change where both predicted from the same frames: the \
                  next picture shows the change itself."
            .to_owned(),
        panels: vec![Panel { title: "Error".to_owned(), note: "shorter is better".to_owned(), chart }],
    }
}

fn changes(comparison: &Comparison) -> Figure {
    let change = |dimension: &DimensionComparison| {
        let change = &dimension.change.normalized_error;
        Dot { value: change.change, interval: change.interval }
    };
    let chart = dots(
        comparison,
        "change of mean |error| / standard deviation",
        vec![(Role::Change, comparison.dimensions.iter().map(change).collect())],
        |range| {
            let reach = round_up(range.start.abs().max(range.end.abs()));
            -reach..reach
        },
        Some(0.0),
    );
    Figure {
        name: "changes",
        title: "Change of the error".to_owned(),
        caption: "After less before, with its 95 % interval. Left of the line the error fell; an interval that holds the \
                  line may be chance."
            .to_owned(),
        panels: vec![Panel { title: "Change of the error".to_owned(), note: "left is better".to_owned(), chart }],
    }
}

fn explained(comparison: &Comparison) -> Figure {
    let chart = dots(
        comparison,
        "R²",
        pairs(comparison, |dimension| &dimension.change.r2),
        |range| range.start.clamp(LEAST_R2, 0.0)..1.0,
        Some(0.5),
    );
    Figure {
        name: "explained",
        title: "Share of the movement explained".to_owned(),
        caption: "R² with its 95 % interval; what is below −1 lies at the left edge. A dimension right of the line is learned."
            .to_owned(),
        panels: vec![Panel { title: "R²".to_owned(), note: "right is better; the line is at 0.5".to_owned(), chart }],
    }
}

fn errors_by_step(comparison: &Comparison) -> Figure {
    let line = |role: Role, errors: &[Option<f64>], rate_hz: f64| {
        let steps = errors.iter().enumerate();
        let points = steps.filter_map(|(step, error)| Some((step as f64 / rate_hz, (*error)?)));
        Series { role, points: points.collect() }
    };
    let panel = |dimension: &DimensionComparison| {
        let (error, r2) = (&dimension.change.mean_error, &dimension.change.r2);
        Panel {
            title: dimension.name.clone(),
            note: format!(
                "{}: mean {} → {}   R² {} → {}",
                dimension.verdict.label(),
                short(error.before),
                short(error.after),
                ratio(r2.before),
                ratio(r2.after)
            ),
            chart: Chart::Lines(Lines {
                x_label: "time after the frame [s]".to_owned(),
                y_label: with_unit("mean |error|", &dimension.unit),
                from_zero: true,
                series: vec![
                    line(Role::Before, &dimension.error_by_step.0, comparison.before.rate_hz),
                    line(Role::After, &dimension.error_by_step.1, comparison.after.rate_hz),
                ],
            }),
        }
    };
    Figure {
        name: "error_by_step",
        title: "Error by step of the chunk, before and after".to_owned(),
        caption: "Mean absolute error by how far ahead the step lies, in each dimension’s unit.".to_owned(),
        panels: comparison.dimensions.iter().map(panel).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::round_up;

    #[test]
    fn axes_end_at_short_numbers() {
        let ends = [0.0, 0.11, 1.43, 4.0, 7.0, 93.0].map(round_up);
        let expected = [0.1, 0.2, 2.0, 4.0, 8.0, 100.0];
        assert!(ends.iter().zip(expected).all(|(end, expected)| (end - expected).abs() < 1e-9), "{ends:?}");
    }
}
