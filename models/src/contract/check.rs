//! What has to agree in a manifest, as far as that can be told without the files.

use super::{Dimension, FORMAT_VERSION, MANIFEST_FILE, Manifest, Mode, Training, Vector};
use crate::error::Error;
use std::collections::HashSet;

impl Manifest {
    /// Checks everything that can be checked without the files.
    ///
    /// # Errors
    /// If a statistic is missing or not finite, a name occurs twice, or sizes contradict each other.
    pub fn validate(&self) -> Result<(), Error> {
        expect_equal("format version", "this build", &FORMAT_VERSION, "the bundle", &self.format_version)?;
        self.model.validate()?;
        if !(self.rate_hz.is_finite() && self.rate_hz > 0.0) {
            return Err(Error::NotFinite { name: "rate_hz".to_owned(), found: self.rate_hz });
        }
        let language = self.model.language_token_count;
        expect_equal(
            "instruction tokens",
            "the model",
            &language,
            "the rule",
            &self.instruction.max_token_count,
        )?;
        check_vector("state", &self.state, self.model.max_state_dim)?;
        check_vector("action", &self.action, self.model.max_action_dim)?;
        self.check_training()?;
        unique("camera", self.cameras.iter().map(|camera| camera.name.as_str()))
    }

    fn check_training(&self) -> Result<(), Error> {
        let Training { max_clean_steps, start_posture } = &self.training;
        let wrong = |key: &str, found: String, expected: String| {
            Err(Error::Config { key: format!("training.{key}"), found, expected })
        };
        if *max_clean_steps >= self.model.chunk_size {
            let expected = format!("less than the chunk's {} steps", self.model.chunk_size);
            return wrong("max_clean_steps", max_clean_steps.to_string(), expected);
        }
        let width = self.action.dimensions.len();
        if !start_posture.is_empty() && start_posture.len() != width {
            return wrong(
                "start_posture",
                start_posture.len().to_string(),
                format!("{width} numbers or none"),
            );
        }
        let named = self.action.dimensions.iter().zip(start_posture);
        match named.into_iter().find(|(_, value)| !value.is_finite()) {
            Some((dimension, found)) => Err(Error::NotFinite {
                name: format!("training.start_posture.{}", dimension.name),
                found: *found,
            }),
            None => Ok(()),
        }
    }
}

fn expect_equal<T: PartialEq + std::fmt::Display>(
    what: &str,
    left_name: &str,
    left: &T,
    right_name: &str,
    right: &T,
) -> Result<(), Error> {
    if left == right {
        return Ok(());
    }
    Err(Error::Mismatch {
        what: what.to_owned(),
        left_name: left_name.to_owned(),
        left: left.to_string(),
        right_name: right_name.to_owned(),
        right: right.to_string(),
    })
}

fn unique<'a>(kind: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::Config {
                key: format!("{kind} `{name}`"),
                found: "there twice".to_owned(),
                expected: "different names".to_owned(),
            });
        }
    }
    Ok(())
}

fn check_vector(feature: &'static str, vector: &Vector, padded_width: usize) -> Result<(), Error> {
    let width = vector.dimensions.len();
    if width == 0 || width > padded_width {
        return Err(Error::Config {
            key: format!("{feature}.dimensions"),
            found: width.to_string(),
            expected: format!("1 to {padded_width} dimensions"),
        });
    }
    unique(feature, vector.dimensions.iter().map(|dimension| dimension.name.as_str()))?;
    for dimension in &vector.dimensions {
        check_formula(feature, dimension)?;
        let statistics = &dimension.statistics;
        let values = [
            ("mean", Some(statistics.mean)),
            ("std", Some(statistics.std)),
            ("low", statistics.low),
            ("high", statistics.high),
        ];
        for (statistic, value) in values {
            let name = || format!("{feature}.{}.{statistic}", dimension.name);
            match value {
                Some(found) if !found.is_finite() => return Err(Error::NotFinite { name: name(), found }),
                None if vector.normalization == Mode::Range => {
                    return Err(Error::MissingStatistics {
                        statistic: statistic.to_owned(),
                        feature: format!("{feature}.{}", dimension.name),
                        place: MANIFEST_FILE.to_owned(),
                        found: "mean and std only".to_owned(),
                    });
                }
                _ => {}
            }
        }
        if statistics.std < 0.0 {
            return Err(Error::Config {
                key: format!("{feature}.{}.std", dimension.name),
                found: statistics.std.to_string(),
                expected: "0 or more".to_owned(),
            });
        }
    }
    Ok(())
}

fn check_formula(feature: &'static str, dimension: &Dimension) -> Result<(), Error> {
    let Some(formula) = &dimension.derived else { return Ok(()) };
    let wrong = |found: &str, expected: &str| {
        let key = format!("{feature}.{}.derived", dimension.name);
        Err(Error::Config { key, found: found.to_owned(), expected: expected.to_owned() })
    };
    if feature != "state" {
        return wrong("a formula", "a number that is commanded");
    }
    if dimension.source_index.is_some() {
        return wrong("a formula and a source_index", "one of them");
    }
    let unit = formula.unit(&dimension.name)?;
    expect_equal(
        &format!("unit of `{}`", dimension.name),
        "its formula",
        &unit,
        "the dimension",
        &dimension.unit,
    )
}
