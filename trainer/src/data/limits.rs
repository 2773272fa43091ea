//! What the values of [`DataOptions`] may be.

use crate::Error;
use crate::data::options::DataOptions;
use sinew_models::Error as ModelError;

/// Checks every number of the options that can be checked without the data.
pub(crate) fn check(options: &DataOptions) -> Result<(), Error> {
    let none_negative = |value: f64| value.is_finite() && value >= 0.0;
    let positive = |value: f64| value.is_finite() && value > 0.0;
    let fraction = |value: f64| (0.0..=1.0).contains(&value);
    let count = |value: usize| value as f64;

    require("datasets", count(options.datasets.len()), "at least one", |n| n >= 1.0)?;
    for dataset in &options.datasets {
        require(&format!("datasets `{}` weight", dataset.path), dataset.weight, "more than 0", positive)?;
    }
    require("validation_fraction", options.validation_fraction, "0 or more, below 1", |value| {
        (0.0..1.0).contains(&value)
    })?;
    require("frame_stride", count(options.frame_stride), "at least 1", positive)?;
    require("std_floor", options.std_floor, "0 or more", none_negative)?;
    require("shuffle.window_blocks", count(options.shuffle.window_blocks), "at least 1", positive)?;
    if let Some(sub_episode) = options.sub_episode {
        require("sub_episode.length", count(sub_episode.length), "at least frame_stride", |length| {
            length >= count(options.frame_stride)
        })?;
        require("sub_episode.early_bias", sub_episode.early_bias, "0 or more", none_negative)?;
    }
    for phase in &options.curriculum {
        require("curriculum.epochs", phase.epochs as f64, "at least 1", positive)?;
        require("curriculum.from", phase.from, "0 to 1", fraction)?;
        require("curriculum.to", phase.to, "more than `from`, at most 1", |to| {
            to > phase.from && fraction(to)
        })?;
    }
    if let Some(trim) = &options.trim_idle {
        require("trim_idle.threshold", trim.threshold, "0 or more", none_negative)?;
    }
    let weights = &options.weights;
    require("weights.temporal_alpha", weights.temporal_alpha, "0 or more", none_negative)?;
    for (name, factor) in &weights.dimensions {
        require(&format!("weights.dimensions.{name}"), *factor, "0 or more", none_negative)?;
    }
    if let Some(segment) = &weights.segment {
        require("weights.segment.threshold", segment.threshold, "0 or more", none_negative)?;
        require("weights.segment.factor", segment.factor, "more than 0", positive)?;
        require("weights.segment.dimensions", count(segment.dimensions.len()), "at least one", positive)?;
    }
    Ok(())
}

fn require(key: &str, found: f64, expected: &str, is_right: impl Fn(f64) -> bool) -> Result<(), Error> {
    if is_right(found) {
        return Ok(());
    }
    Err(invalid(key, found, expected))
}

/// An option of the `[data]` table that cannot be as it is.
pub(crate) fn invalid(key: &str, found: impl ToString, expected: impl Into<String>) -> Error {
    Error::Model(ModelError::Config {
        key: format!("data.{key}"),
        found: found.to_string(),
        expected: expected.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::data::DataOptions;

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        check(&DataOptions::of("somewhere")).unwrap();
        for (key, text) in [
            ("datasets", "datasets = []"),
            ("validation_fraction", "validation_fraction = 1.0"),
            ("frame_stride", "frame_stride = 0"),
            ("std_floor", "std_floor = nan"),
            ("shuffle.window_blocks", "shuffle = { window_blocks = 0 }"),
            ("sub_episode.early_bias", "sub_episode = { length = 3, early_bias = -1.0 }"),
            ("curriculum.to", "curriculum = [{ epochs = 1, from = 0.5, to = 0.5 }]"),
            ("weights.dimensions.left_gripper", "weights = { dimensions = { left_gripper = inf } }"),
        ] {
            let place = if text.starts_with("datasets") { "" } else { "datasets = [{ path = \"a\" }]\n" };
            let options: DataOptions = toml::from_str(&format!("{place}{text}")).unwrap();
            let error = check(&options).unwrap_err().to_string();
            assert!(error.contains(&format!("`data.{key}`")), "{text}: {error}");
        }
    }
}
