//! What a policy predicted beside what was done.

use super::{Bars, Chart, Figure, HeatMap, Histogram, Lines, Panel, Role, Scatter, Series};
use crate::analyze::analysis::{Analysis, Dimension, DimensionReport, PolicyReport, SplitReport};
use crate::analyze::measures::{self, Point};
use crate::analyze::number::{count, ratio, short, with_unit};
use crate::analyze::predictions::{PredictionSet, Predictions};

/// More points than these make a cloud no clearer.
const SCATTER_POINT_LIMIT: usize = 2500;
const ERROR_BINS: usize = 41;
/// Errors beyond this share of all are counted in the outermost bins.
const ERROR_QUANTILE: f64 = 0.99;
/// Where a bar of predicted over true variance is cut.
const VARIANCE_RATIO_LIMIT: f64 = 2.0;
/// Where a bar of the error over the standard deviation is cut.
const ERROR_LIMIT: f64 = 3.0;

/// One side's predictions and what was measured of them.
struct Side<'a> {
    role: Role,
    /// As in the files' names.
    key: Key,
    set: &'a PredictionSet,
    sequence: &'a PredictionSet,
    report: &'a SplitReport,
}

#[derive(Clone, Copy, PartialEq)]
enum Key {
    Train,
    Validation,
}

impl Key {
    fn pick<T>(self, train: T, validation: T) -> T {
        match self {
            Self::Train => train,
            Self::Validation => validation,
        }
    }
}

/// What figures are drawn from.
struct Source<'a> {
    analysis: &'a Analysis,
    predictions: &'a Predictions,
}

/// All figures of a policy.
pub fn figures(analysis: &Analysis, policy: &PolicyReport, predictions: &Predictions) -> Vec<Figure> {
    let source = Source { analysis, predictions };
    let validation = policy.validation.as_ref().map(|report| Side {
        role: Role::Validation,
        key: Key::Validation,
        set: &predictions.validation,
        sequence: &predictions.validation_sequence,
        report,
    });
    let train = Side {
        role: Role::Train,
        key: Key::Train,
        set: &predictions.train,
        sequence: &predictions.train_sequence,
        report: &policy.train,
    };
    let sides: Vec<Side<'_>> =
        validation.into_iter().chain([train]).filter(|side| !side.set.is_empty()).collect();
    let mut figures = vec![source.variance_ratio(&sides), source.error_by_side(&sides)];
    figures.extend(sides.iter().filter(|side| !side.sequence.is_empty()).map(|side| source.sequence(side)));
    figures.extend(sides.iter().map(|side| source.time_series(side)));
    figures.extend(sides.iter().map(|side| source.scatter(side)));
    figures.push(source.error_by_step(&sides));
    figures.push(source.error_histograms(&sides));
    figures.extend(sides.first().map(|side| source.correlation(side)));
    figures
}

impl Source<'_> {
    /// A panel a dimension.
    fn panels(&self, panel: impl Fn(usize, &Dimension) -> Panel) -> Vec<Panel> {
        self.analysis.action.iter().enumerate().map(|(index, dimension)| panel(index, dimension)).collect()
    }

    fn time_series(&self, side: &Side<'_>) -> Figure {
        let mut order: Vec<usize> = (0..side.set.len()).collect();
        order.sort_by_key(|&frame| side.set.frames[frame]);
        let panel = |index: usize, dimension: &Dimension| {
            let now = self.now(side.set, index);
            let line = |value: fn(&Point) -> f64| {
                order.iter().enumerate().map(|(place, &frame)| (place as f64, value(&now[frame]))).collect()
            };
            Panel {
                title: dimension.name.clone(),
                note: summary(&side.report.dimensions[index], dimension),
                chart: Chart::Lines(Lines {
                    x_label: "sampled frame, by episode and row".to_owned(),
                    y_label: with_unit("action", &dimension.unit),
                    from_zero: false,
                    series: vec![
                        Series { role: Role::Truth, points: line(|point| point.truth) },
                        Series { role: Role::Predicted, points: line(|point| point.predicted) },
                    ],
                }),
            }
        };
        Figure {
            name: side.key.pick("train_timeseries", "validation_timeseries"),
            title: format!("Truth and prediction at sampled frames, {}", side.role.label()),
            caption: format!(
                "The first step of the chunk predicted from each of {} frames, each from its own frame. \
                 The frames are in the order of episode and row; neighbours need not follow each other in time.",
                count(side.set.len() as u64)
            ),
            panels: self.panels(panel),
        }
    }

    fn sequence(&self, side: &Side<'_>) -> Figure {
        let panel = |index: usize, dimension: &Dimension| {
            let points: Vec<Point> = self.points(side.sequence, index).collect();
            let now = points.iter().filter(|point| point.step == 0);
            let line = |value: fn(&Point) -> f64| {
                now.clone().map(|point| (self.time_s(side.sequence, point), value(point))).collect()
            };
            let mut series = self.chunks_end_to_end(side.sequence, &points);
            series.push(Series { role: Role::Truth, points: line(|point| point.truth) });
            series.push(Series { role: Role::Predicted, points: line(|point| point.predicted) });
            Panel {
                title: dimension.name.clone(),
                note: summary(&side.report.dimensions[index], dimension),
                chart: Chart::Lines(Lines {
                    x_label: "time [s]".to_owned(),
                    y_label: with_unit("action", &dimension.unit),
                    from_zero: false,
                    series,
                }),
            }
        };
        let first = side.sequence.frames[0];
        Figure {
            name: side.key.pick("train_sequence", "validation_sequence"),
            title: format!("One episode in time, {}", side.role.label()),
            caption: format!(
                "Episode {}: what was done, the first step predicted from each of {} frames, and whole chunks end to \
                 end, as they would be played without a new look. The numbers above are over all sampled frames.",
                first.episode_index,
                count(side.sequence.len() as u64)
            ),
            panels: self.panels(panel),
        }
    }

    /// Seconds from the episode's start at which a point is due.
    fn time_s(&self, set: &PredictionSet, point: &Point) -> f64 {
        let subject = &self.analysis.subject;
        set.frames[point.frame].row as f64 / subject.fps + point.step as f64 / subject.rate_hz
    }

    /// Chunks of which each begins where the one before has ended.
    fn chunks_end_to_end(&self, set: &PredictionSet, points: &[Point]) -> Vec<Series> {
        let mut series: Vec<Series> = Vec::new();
        let mut end_s = f64::MIN;
        for chunk in points.chunk_by(|a, b| a.frame == b.frame) {
            let line: Vec<(f64, f64)> =
                chunk.iter().map(|point| (self.time_s(set, point), point.predicted)).collect();
            if line[0].0 > end_s {
                end_s = line[line.len() - 1].0;
                series.push(Series { role: Role::Chunk, points: line });
            }
        }
        series
    }

    fn scatter(&self, side: &Side<'_>) -> Figure {
        let stride = side.report.step_count.div_ceil(SCATTER_POINT_LIMIT).max(1);
        let panel = |index: usize, dimension: &Dimension| Panel {
            title: dimension.name.clone(),
            note: summary(&side.report.dimensions[index], dimension),
            chart: Chart::Scatter(Scatter {
                unit: dimension.unit.clone(),
                points: self
                    .points(side.set, index)
                    .step_by(stride)
                    .map(|point| (point.truth, point.predicted))
                    .collect(),
            }),
        };
        let shown = match stride {
            1 => "every compared step".to_owned(),
            _ => format!(
                "one of every {stride} of the {} compared steps",
                count(side.report.step_count as u64)
            ),
        };
        Figure {
            name: side.key.pick("train_scatter", "validation_scatter"),
            title: format!("Prediction against truth, {}", side.role.label()),
            caption: format!(
                "A dot is {shown}; right predictions lie on the diagonal. A level cloud is a prediction that does not \
                 follow. The histograms at the margins show where truth (above) and prediction (right) lie."
            ),
            panels: self.panels(panel),
        }
    }

    fn error_histograms(&self, sides: &[Side<'_>]) -> Figure {
        let panel = |index: usize, dimension: &Dimension| {
            let errors: Vec<(Role, Vec<f64>)> = sides
                .iter()
                .map(|side| {
                    (
                        side.role,
                        self.points(side.set, index).map(|point| point.predicted - point.truth).collect(),
                    )
                })
                .collect();
            let reach =
                absolute_quantile(errors.iter().flat_map(|(_, errors)| errors), ERROR_QUANTILE).max(1e-9);
            let (start, bin_width) = (-reach, 2.0 * reach / ERROR_BINS as f64);
            Panel {
                title: dimension.name.clone(),
                note: notes(sides, |side| {
                    let report = &side.report.dimensions[index];
                    format!("bias {}, max {}", short(report.bias), short(report.max_error))
                }),
                chart: Chart::Histogram(Histogram {
                    x_label: with_unit("predicted − truth", &dimension.unit),
                    start,
                    bin_width,
                    shares: errors
                        .iter()
                        .map(|(role, errors)| (*role, shares(errors, start, bin_width, ERROR_BINS)))
                        .collect(),
                }),
            }
        };
        Figure {
            name: "error_histograms",
            title: "Errors".to_owned(),
            caption: "Prediction minus truth over all compared steps. The hundredth that lies farthest off is counted \
                      in the outermost bins."
                .to_owned(),
            panels: self.panels(panel),
        }
    }

    fn error_by_step(&self, sides: &[Side<'_>]) -> Figure {
        let rate_hz = self.analysis.subject.rate_hz;
        let panel = |index: usize, dimension: &Dimension| {
            let line = |side: &Side<'_>| Series {
                role: side.role,
                points: side.report.dimensions[index]
                    .error_by_step
                    .iter()
                    .enumerate()
                    .filter_map(|(step, error)| Some((step as f64 / rate_hz, (*error)?)))
                    .collect(),
            };
            Panel {
                title: dimension.name.clone(),
                note: notes(sides, |side| {
                    format!("mean {}", short(side.report.dimensions[index].mean_error))
                }),
                chart: Chart::Lines(Lines {
                    x_label: "time after the frame [s]".to_owned(),
                    y_label: with_unit("mean |error|", &dimension.unit),
                    from_zero: true,
                    series: sides.iter().map(line).collect(),
                }),
            }
        };
        Figure {
            name: "error_by_step",
            title: "Error by step of the chunk".to_owned(),
            caption: "Mean absolute error by how far ahead the step lies. It should be small at once and grow slowly."
                .to_owned(),
            panels: self.panels(panel),
        }
    }

    fn variance_ratio(&self, sides: &[Side<'_>]) -> Figure {
        let ratios = |side: &Side<'_>| {
            (side.role, side.report.dimensions.iter().map(|dimension| dimension.variance_ratio).collect())
        };
        Figure {
            name: "variance_ratio",
            title: "How much of the movement is predicted".to_owned(),
            caption:
                "Variance of the prediction over variance of the truth. At 1 the policy moves as much as the \
                      demonstrator; near 0 it says a constant: the dimension has collapsed."
                    .to_owned(),
            panels: vec![Panel {
                title: "Predicted over true variance".to_owned(),
                note: "over all compared steps; the line is at 1".to_owned(),
                chart: Chart::Bars(Bars {
                    x_label: "predicted variance / true variance".to_owned(),
                    names: names(self.analysis),
                    values: sides.iter().map(ratios).collect(),
                    reference: Some(1.0),
                    limit: VARIANCE_RATIO_LIMIT,
                }),
            }],
        }
    }

    fn error_by_side(&self, sides: &[Side<'_>]) -> Figure {
        let errors = |side: &Side<'_>| {
            let errors = side.report.dimensions.iter().map(|dimension| dimension.normalized_error);
            (side.role, errors.collect())
        };
        let values: Vec<(Role, Vec<f64>)> = sides.iter().map(errors).collect();
        let longest =
            values.iter().flat_map(|(_, errors)| errors).fold(0.0_f64, |most, error| most.max(*error));
        Figure {
            name: "error_by_side",
            title: "Error on the episodes trained on and on others".to_owned(),
            caption: "Mean absolute error over the standard deviation in the data. What is longer on validation than on \
                      training episodes was learned by heart; what is long on both was not learned."
                .to_owned(),
            panels: vec![Panel {
                title: "Mean |error| over standard deviation".to_owned(),
                note: "over all compared steps".to_owned(),
                chart: Chart::Bars(Bars {
                    x_label: "mean |error| / standard deviation".to_owned(),
                    names: names(self.analysis),
                    values,
                    reference: None,
                    limit: longest.clamp(1.0, ERROR_LIMIT),
                }),
            }],
        }
    }

    fn correlation(&self, side: &Side<'_>) -> Figure {
        let count = self.analysis.action.len();
        let points: Vec<Vec<Point>> =
            (0..count).map(|index| self.points(side.set, index).collect()).collect();
        let cell = |place: usize| {
            let (row, column) = (&points[place / count], &points[place % count]);
            let pairs: Vec<(f64, f64)> =
                row.iter().zip(column).map(|(row, column)| (row.predicted, column.truth)).collect();
            measures::correlation(&pairs)
        };
        Figure {
            name: "correlation",
            title: "Which truth each prediction follows".to_owned(),
            caption: "Correlation of each dimension's prediction (row) with each dimension's truth (column). The \
                      diagonal should be strongest: a stronger cell beside it speaks for swapped dimensions, unless \
                      the demonstrator moves the two together."
                .to_owned(),
            panels: vec![Panel {
                title: "Prediction against truth".to_owned(),
                note: format!("Pearson's correlation over all compared steps, {}", side.role.label()),
                chart: Chart::HeatMap(HeatMap {
                    x_label: "truth".to_owned(),
                    y_label: "prediction".to_owned(),
                    names: names(self.analysis),
                    values: (0..count * count).map(cell).collect(),
                }),
            }],
        }
    }

    /// The first step of each frame's chunk.
    fn now(&self, set: &PredictionSet, index: usize) -> Vec<Point> {
        self.points(set, index).filter(|point| point.step == 0).collect()
    }

    fn points<'b>(&self, set: &'b PredictionSet, index: usize) -> impl Iterator<Item = Point> + use<'b> {
        measures::points(set, self.predictions, index)
    }
}

fn names(analysis: &Analysis) -> Vec<String> {
    analysis.action.iter().map(|dimension| dimension.name.clone()).collect()
}

fn summary(report: &DimensionReport, dimension: &Dimension) -> String {
    format!("R² {}   mean |error| {} {}", ratio(report.r2), short(report.mean_error), dimension.unit)
}

/// What there is to say of each side.
fn notes(sides: &[Side<'_>], note: impl Fn(&Side<'_>) -> String) -> String {
    let each = |side: &Side<'_>| format!("{}: {}", side.key.pick("training", "validation"), note(side));
    sides.iter().map(each).collect::<Vec<_>>().join("   ")
}

/// Each bin's share of the values; those beyond count in the outermost.
pub(super) fn shares(values: &[f64], start: f64, bin_width: f64, bin_count: usize) -> Vec<f64> {
    let mut shares = vec![0.0; bin_count];
    for value in values {
        let place = ((value - start) / bin_width).max(0.0) as usize;
        shares[place.min(bin_count - 1)] += 1.0 / values.len() as f64;
    }
    shares
}

fn absolute_quantile<'a>(values: impl Iterator<Item = &'a f64>, quantile: f64) -> f64 {
    let mut sizes: Vec<f64> = values.map(|value| value.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let place = (quantile * sizes.len() as f64) as usize;
    sizes.get(place.min(sizes.len().saturating_sub(1))).copied().unwrap_or(0.0)
}
