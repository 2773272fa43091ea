//! What the episodes are like.

use super::policy::shares;
use super::{Bars, Chart, Figure, Histogram, Panel, Role};
use crate::analyze::analysis::{Analysis, Dimension, Distribution};
use crate::analyze::measures;
use crate::analyze::number::{percent, ratio, short, with_unit};
use crate::analyze::predictions::Predictions;

/// All figures of the data, with the policy's predictions where there are any.
pub fn figures(analysis: &Analysis, predictions: Option<&Predictions>) -> Vec<Figure> {
    let mut figures = vec![distribution(analysis, predictions), idle_shares(analysis)];
    if !analysis.data.lags.is_empty() {
        figures.push(lags(analysis));
    }
    figures
}

fn distribution(analysis: &Analysis, predictions: Option<&Predictions>) -> Figure {
    let panel = |(index, (dimension, data)): (usize, (&Dimension, &Distribution))| {
        let (start, bin_width) = bins(data);
        let row_count: u64 = data.histogram.iter().sum();
        let recorded = data.histogram.iter().map(|rows| *rows as f64 / row_count.max(1) as f64).collect();
        let mut all = vec![(Role::Data, recorded)];
        if let Some(predictions) = predictions {
            let judged = measures::points(predictions.judged(), predictions, index);
            let predicted: Vec<f64> = judged.map(|point| point.predicted).collect();
            all.push((Role::Predicted, shares(&predicted, start, bin_width, data.histogram.len())));
        }
        Panel {
            title: dimension.name.clone(),
            note: format!(
                "sd {} {}   idle {}   entropy {}",
                short(data.std),
                dimension.unit,
                percent(data.idle_share),
                ratio(data.entropy)
            ),
            chart: Chart::Histogram(Histogram {
                x_label: with_unit("action", &dimension.unit),
                start,
                bin_width,
                shares: all,
            }),
        }
    };
    Figure {
        name: "action_distribution",
        title: "Distribution of each action".to_owned(),
        caption: "Share of rows in each bin from the smallest to the largest recorded number. Idle rows differ from \
                  the row before by less than a hundredth of the standard deviation (sd). Predictions beyond the \
                  recorded range count in the outermost bins."
            .to_owned(),
        panels: analysis.action.iter().zip(&analysis.data.action).enumerate().map(panel).collect(),
    }
}

/// Where the first bin begins, and how wide they are: a constant has one as wide as rounding.
fn bins(data: &Distribution) -> (f64, f64) {
    let smallest = 1e-6 * data.max.abs().max(1.0);
    (data.min, (data.max - data.min).max(smallest) / data.histogram.len().max(1) as f64)
}

fn idle_shares(analysis: &Analysis) -> Figure {
    Figure {
        name: "idle_shares",
        title: "How often each action rests".to_owned(),
        caption: "Share of rows in which the number hardly differs from the row before. A dimension that rests most of \
                  the time gives training little to learn from."
            .to_owned(),
        panels: vec![Panel {
            title: "Idle rows".to_owned(),
            note: "differ from the row before by less than a hundredth of the standard deviation".to_owned(),
            chart: Chart::Bars(Bars {
                x_label: "idle rows [%]".to_owned(),
                names: analysis.action.iter().map(|dimension| dimension.name.clone()).collect(),
                values: vec![(Role::Data, analysis.data.action.iter().map(|data| 100.0 * data.idle_share).collect())],
                reference: None,
                limit: 100.0,
            }),
        }],
    }
}

fn lags(analysis: &Analysis) -> Figure {
    let lags = &analysis.data.lags;
    let longest = lags.iter().map(|lag| lag.rows).max().unwrap_or(0).max(4);
    Figure {
        name: "action_state_lag",
        title: "How late the robot follows".to_owned(),
        caption: "Rows by which the state follows the action of the same joint, at the best correlation. Negative lags, \
                  as where the action was recorded from the state, have no bar."
            .to_owned(),
        panels: vec![Panel {
            title: "Lag of the state behind the action".to_owned(),
            note: String::new(),
            chart: Chart::Bars(Bars {
                x_label: "lag [rows]".to_owned(),
                names: lags.iter().map(|lag| analysis.action[lag.action].name.clone()).collect(),
                values: vec![(Role::Data, lags.iter().map(|lag| lag.rows as f64).collect())],
                reference: None,
                limit: longest as f64,
            }),
        }],
    }
}
