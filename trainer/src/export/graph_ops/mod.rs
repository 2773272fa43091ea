//! Wires the model's operations as ONNX nodes: how nodes, weights, constants and casts get into the graph.
//!
//! Standard operators of opset 20, and ONNX Runtime's own (`com.microsoft`) where they are faster.
//! Everything that ONNX would check when a session is opened is checked here, where the model's code is on the stack.

mod operations;

use super::graph::{Attribute, Content, Dtype, Graph, Value};
use crate::Error;
use sinew_models::weights::Weights;
use std::cell::RefCell;
use std::collections::HashMap;

/// ONNX Runtime's operator domain.
pub(super) const MICROSOFT: &str = "com.microsoft";

/// What the linear layers are stored and computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GraphDtype {
    /// float32 throughout.
    #[default]
    F32,
    /// Weights and products of linear layers, the embedding table and unmasked attention in float16.
    /// Residuals, norms, RoPE, masked attention, inputs and outputs stay float32.
    F16,
}

impl GraphDtype {
    /// The type that linear layers are stored and computed in.
    pub fn linear(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
        }
    }
}

/// A weight of the checkpoint that no node uses yet: how it is stored depends on the first that does.
#[derive(Clone, Debug)]
pub struct Weight {
    name: String,
    stored_shape: Vec<usize>,
    shape: Vec<usize>,
}

/// What [`GraphOps`] computes with.
#[derive(Clone, Debug)]
pub enum Tensor {
    /// A value of the graph.
    Value(Value),
    /// A weight.
    Weight(Weight),
}

impl Tensor {
    fn shape(&self) -> &[usize] {
        match self {
            Self::Value(value) => &value.shape,
            Self::Weight(weight) => &weight.shape,
        }
    }
}

/// Wires an ONNX graph.
pub struct GraphOps<'w> {
    dtype: GraphDtype,
    weights: &'w Weights,
    tags_are_outputs: bool,
    graph: RefCell<Graph>,
    /// Casts made so far, and their inverses where those are exact.
    casts: RefCell<HashMap<(usize, Dtype), Value>>,
}

impl<'w> GraphOps<'w> {
    /// An empty graph. `name` becomes the stem of its file.
    pub fn new(name: &str, dtype: GraphDtype, weights: &'w Weights) -> Self {
        Self {
            dtype,
            weights,
            tags_are_outputs: false,
            graph: RefCell::new(Graph::new(name)),
            casts: RefCell::new(HashMap::new()),
        }
    }

    /// Makes every tagged value an output, so that it can be compared.
    #[must_use]
    pub fn expose_tags(mut self) -> Self {
        self.tags_are_outputs = true;
        self
    }

    /// An input of the graph.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn input(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<Tensor, Error> {
        self.graph.borrow_mut().input(name, dtype, shape).map(Tensor::Value)
    }

    /// Makes `x` an output of the graph.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn output(&self, name: &str, x: &Tensor) -> Result<(), Error> {
        let x = self.value(x);
        self.graph.borrow_mut().output(name, &x)
    }

    /// The graph, without what no output depends on.
    pub fn finish(self) -> Graph {
        let mut graph = self.graph.into_inner();
        graph.prune();
        graph
    }

    /// Adds a node.
    pub(super) fn node(
        &self,
        op: &'static str,
        domain: &'static str,
        inputs: &[&Value],
        attributes: Vec<(&'static str, Attribute)>,
        shape: &[usize],
    ) -> Value {
        let dtype = inputs[0].dtype;
        self.graph.borrow_mut().node(op, domain, inputs, attributes, dtype, shape)
    }

    /// A node of standard ONNX without attributes.
    pub(super) fn simple(&self, op: &'static str, inputs: &[&Value], shape: &[usize]) -> Value {
        self.node(op, "", inputs, vec![], shape)
    }

    /// The value of `x`; a weight is stored as it is in the checkpoint.
    pub(super) fn value(&self, x: &Tensor) -> Value {
        match x {
            Tensor::Value(value) => value.clone(),
            Tensor::Weight(weight) => self.weight(weight, Dtype::F32, false),
        }
    }

    fn weight(&self, weight: &Weight, dtype: Dtype, transposed: bool) -> Value {
        let Weight { name, stored_shape, shape } = weight;
        let mut form = name.clone();
        let mut shape = shape.clone();
        if shape != *stored_shape {
            let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
            form.push_str(&format!(".{}", sizes.join("x")));
        }
        if transposed {
            form.push_str(".transposed");
            shape.reverse();
        }
        if dtype == Dtype::F16 {
            form.push_str(".float16");
        }
        let content = Content::Weight { name: name.clone(), shape: stored_shape.clone(), transposed };
        self.graph.borrow_mut().weight(content, &form, dtype, &shape)
    }

    /// `x` in another type. A widened value that is narrowed again is the value it was.
    pub(super) fn cast(&self, x: &Value, dtype: Dtype) -> Value {
        if x.dtype == dtype {
            return x.clone();
        }
        if let Some(known) = self.casts.borrow().get(&(x.id, dtype)) {
            return known.clone();
        }
        let to = ("to", Attribute::Int(dtype.code() as i64));
        let y = self.graph.borrow_mut().node("Cast", "", &[x], vec![to], dtype, &x.shape);
        let mut casts = self.casts.borrow_mut();
        casts.insert((x.id, dtype), y.clone());
        if dtype.byte_count() > x.dtype.byte_count() {
            casts.insert((y.id, x.dtype), x.clone());
        }
        y
    }

    /// The value that `x` was widened from, if it was.
    fn narrow(&self, x: &Value) -> Value {
        self.casts.borrow().get(&(x.id, self.dtype.linear())).cloned().unwrap_or_else(|| x.clone())
    }

    pub(super) fn scalar(&self, value: f32) -> Value {
        self.floats(&[value], &[])
    }

    fn floats(&self, values: &[f32], shape: &[usize]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.graph.borrow_mut().constant(Dtype::F32, shape, bytes)
    }

    fn doubles(&self, values: &[f64], shape: &[usize]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.graph.borrow_mut().constant(Dtype::F64, shape, bytes)
    }

    fn ids(&self, values: &[i64], shape: &[usize]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.graph.borrow_mut().constant(Dtype::I64, shape, bytes)
    }

    /// A list of sizes, as ONNX wants shapes and axes.
    fn sizes(&self, values: &[usize]) -> Value {
        let values: Vec<i64> = values.iter().map(|&value| value as i64).collect();
        self.ids(&values, &[values.len()])
    }

    pub(super) fn reshape_value(&self, x: &Value, shape: &[usize]) -> Value {
        if x.shape == shape {
            return x.clone();
        }
        self.simple("Reshape", &[x, &self.sizes(shape)], shape)
    }

    pub(super) fn permute_value(&self, x: &Value, axes: &[usize]) -> Value {
        if axes.is_sorted() {
            return x.clone();
        }
        let shape: Vec<usize> = axes.iter().map(|&axis| x.shape[axis]).collect();
        let permutation = Attribute::Ints(axes.iter().map(|&axis| axis as i64).collect());
        self.node("Transpose", "", &[x], vec![("perm", permutation)], &shape)
    }

    /// An elementwise operation on two values, which are broadcast.
    pub(super) fn binary(&self, op: &'static str, a: &Value, b: &Value) -> Result<Value, Error> {
        let shape = broadcast(&a.shape, &b.shape).filter(|_| a.dtype == b.dtype).ok_or_else(|| {
            let message =
                format!("{:?} {:?} and {:?} {:?} do not broadcast", a.dtype, a.shape, b.dtype, b.shape);
            self.error(op, &[a, b], message)
        })?;
        Ok(self.simple(op, &[a, b], &shape))
    }

    fn normalized_width(&self, op: &'static str, x: &Value, w: &Value) -> Result<(), Error> {
        if x.shape.last() == w.shape.first() && w.shape.len() == 1 {
            return Ok(());
        }
        Err(self.error(op, &[x, w], "the last axis and the weight differ in width"))
    }

    /// An error that says what was to be wired, with every operand's name and shape.
    pub(super) fn error(&self, op: &'static str, operands: &[&Value], message: impl Into<String>) -> Error {
        let graph = self.graph.borrow();
        let describe = |x: &&Value| format!("`{}` {:?}", graph.name_of(x), x.shape);
        let node = operands.iter().map(describe).collect::<Vec<_>>().join(" and ");
        Error::Graph { op, node, message: message.into() }
    }
}

fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (x, y) if x == y || y == 1 => Some(x),
            (1, y) => Some(y),
            _ => None,
        })
        .collect()
}
