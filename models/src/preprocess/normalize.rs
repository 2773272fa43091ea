//! Normalisation of state and action vectors, elementwise and in float32, as the reference does.

use crate::contract::{Mode, Vector};
use crate::error::Error;

/// Maps a vector to what the model sees, and back.
#[derive(Clone, Debug)]
pub struct Normalizer {
    names: Vec<String>,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Identity,
    MeanStd { mean: Vec<f32>, std: Vec<f32>, eps: f32 },
    Range { low: Vec<f32>, range: Vec<f32> },
}

impl Normalizer {
    /// For a vector of a checked manifest.
    ///
    /// # Errors
    /// If a range is asked for and not there.
    pub fn new(vector: &Vector) -> Result<Self, Error> {
        let names = vector.dimensions.iter().map(|dimension| dimension.name.clone()).collect();
        let column = |value: fn(&crate::contract::Statistics) -> f64| -> Vec<f32> {
            vector.dimensions.iter().map(|dimension| value(&dimension.statistics) as f32).collect()
        };
        let rule = match vector.normalization {
            Mode::Identity => Rule::Identity,
            Mode::MeanStd => {
                Rule::MeanStd { mean: column(|s| s.mean), std: column(|s| s.std), eps: vector.eps as f32 }
            }
            Mode::Range => {
                let end = |name: &str, value: fn(&crate::contract::Statistics) -> Option<f64>| {
                    let entry = |dimension: &crate::contract::Dimension| {
                        value(&dimension.statistics).map(|value| value as f32).ok_or_else(|| {
                            Error::MissingStatistics {
                                statistic: name.to_owned(),
                                feature: dimension.name.clone(),
                                place: "the manifest".to_owned(),
                                found: "mean and std only".to_owned(),
                            }
                        })
                    };
                    vector.dimensions.iter().map(entry).collect::<Result<Vec<f32>, Error>>()
                };
                let (low, high) = (end("low", |s| s.low)?, end("high", |s| s.high)?);
                let range = low.iter().zip(&high).map(|(low, high)| high - low);
                // A constant dimension would divide by zero: eps stands in, as in the reference.
                let range = range.map(|range| if range == 0.0 { vector.eps as f32 } else { range }).collect();
                Rule::Range { low, range }
            }
        };
        Ok(Self { names, rule })
    }

    /// Numbers in the vector.
    pub fn dimension_count(&self) -> usize {
        self.names.len()
    }

    /// Normalises `vector` and zero-pads it to `padded_width`.
    ///
    /// # Errors
    /// If it has another length, or a number in it is not finite.
    pub fn normalize(&self, vector: &[f32], padded_width: usize) -> Result<Vec<f32>, Error> {
        self.check_len(vector.len())?;
        if let Some(index) = vector.iter().position(|value| !value.is_finite()) {
            return Err(Error::NotFinite {
                name: self.names[index].clone(),
                found: f64::from(vector[index]),
            });
        }
        let mut output = vec![0.0; padded_width.max(vector.len())];
        for (index, (out, x)) in output.iter_mut().zip(vector).enumerate() {
            *out = match &self.rule {
                Rule::Identity => *x,
                Rule::MeanStd { mean, std, eps } => (x - mean[index]) / (std[index] + eps),
                Rule::Range { low, range } => 2.0 * (x - low[index]) / range[index] - 1.0,
            };
        }
        Ok(output)
    }

    /// Takes the first numbers of each padded row back to the robot's units.
    ///
    /// # Shapes
    /// `rows` is `[steps, padded_width]`; the result `[steps, dimensions]`, row-major.
    ///
    /// # Errors
    /// If `rows` is no whole number of rows, or they are too narrow.
    pub fn unnormalize(&self, rows: &[f32], padded_width: usize) -> Result<Vec<f32>, Error> {
        let width = self.dimension_count();
        if padded_width < width || !rows.len().is_multiple_of(padded_width) {
            return Err(Error::Shape {
                name: "chunk".to_owned(),
                expected: vec![rows.len() / padded_width.max(1), width.max(padded_width)],
                found: vec![rows.len()],
            });
        }
        let restore = |index: usize, y: f32| match &self.rule {
            Rule::Identity => y,
            Rule::MeanStd { mean, std, .. } => y * std[index] + mean[index],
            Rule::Range { low, range } => (y + 1.0) / 2.0 * range[index] + low[index],
        };
        let row = |row: &[f32]| -> Vec<f32> {
            row[..width].iter().enumerate().map(|(index, y)| restore(index, *y)).collect()
        };
        Ok(rows.chunks_exact(padded_width).flat_map(row).collect())
    }

    fn check_len(&self, found: usize) -> Result<(), Error> {
        if found == self.names.len() {
            return Ok(());
        }
        Err(Error::Shape { name: "vector".to_owned(), expected: vec![self.names.len()], found: vec![found] })
    }
}
