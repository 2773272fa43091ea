//! A column of numbers in the type it is stored in.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array};
use std::sync::Arc;

/// Numbers of one column, the rows end to end.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// `float32`.
    Float32(Vec<f32>),
    /// `float64`.
    Float64(Vec<f64>),
    /// `int64`.
    Int64(Vec<i64>),
    /// `bool`.
    Bool(Vec<bool>),
}

impl Numbers {
    /// How many numbers there are, over all rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Float32(values) => values.len(),
            Self::Float64(values) => values.len(),
            Self::Int64(values) => values.len(),
            Self::Bool(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type as `info.json` spells it.
    #[must_use]
    pub fn dtype(&self) -> &'static str {
        match self {
            Self::Float32(_) => "float32",
            Self::Float64(_) => "float64",
            Self::Int64(_) => "int64",
            Self::Bool(_) => "bool",
        }
    }

    /// The same as floating-point numbers of another size, which a set may store instead of what it declares. Others stay
    /// as they are.
    pub(crate) fn resized(self, dtype: &str) -> Self {
        match (self, dtype) {
            (Self::Float64(values), "float32") => {
                Self::Float32(values.into_iter().map(|value| value as f32).collect())
            }
            (Self::Float32(values), "float64") => Self::Float64(values.into_iter().map(f64::from).collect()),
            (numbers, _) => numbers,
        }
    }

    /// The numbers as float64, booleans as 0 and 1.
    pub(crate) fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::Float32(values) => values.iter().map(|value| f64::from(*value)).collect(),
            Self::Float64(values) => values.clone(),
            Self::Int64(values) => values.iter().map(|value| *value as f64).collect(),
            Self::Bool(values) => values.iter().map(|value| f64::from(u8::from(*value))).collect(),
        }
    }

    /// The first number that is infinite or no number, and its place.
    pub(crate) fn first_not_finite(&self) -> Option<(usize, f64)> {
        let of =
            |values: &mut dyn Iterator<Item = f64>| values.enumerate().find(|(_, value)| !value.is_finite());
        match self {
            Self::Float32(values) => of(&mut values.iter().map(|value| f64::from(*value))),
            Self::Float64(values) => of(&mut values.iter().copied()),
            Self::Int64(_) | Self::Bool(_) => None,
        }
    }

    /// Nothing yet, of the type of an Arrow array; `None` if that holds no numbers of a type above.
    pub(crate) fn none_like(array: &dyn Array) -> Option<Self> {
        use arrow_schema::DataType;
        match array.data_type() {
            DataType::Float32 => Some(Self::Float32(Vec::new())),
            DataType::Float64 => Some(Self::Float64(Vec::new())),
            DataType::Int64 => Some(Self::Int64(Vec::new())),
            DataType::Boolean => Some(Self::Bool(Vec::new())),
            _ => None,
        }
    }

    /// Adds the numbers of an Arrow array of the same type, without nulls.
    pub(crate) fn extend(&mut self, array: &dyn Array) {
        match self {
            Self::Float32(values) => values.extend_from_slice(array.as_primitive::<Float32Type>().values()),
            Self::Float64(values) => values.extend_from_slice(array.as_primitive::<Float64Type>().values()),
            Self::Int64(values) => values.extend_from_slice(array.as_primitive::<Int64Type>().values()),
            Self::Bool(values) => values.extend(array.as_boolean().values().iter()),
        }
    }

    /// As an Arrow array, flat.
    pub(crate) fn to_array(&self) -> ArrayRef {
        match self {
            Self::Float32(values) => Arc::new(Float32Array::from(values.clone())),
            Self::Float64(values) => Arc::new(Float64Array::from(values.clone())),
            Self::Int64(values) => Arc::new(Int64Array::from(values.clone())),
            Self::Bool(values) => Arc::new(BooleanArray::from(values.clone())),
        }
    }
}
