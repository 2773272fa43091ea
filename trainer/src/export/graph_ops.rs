//! The model's operations as ONNX nodes.
//!
//! Standard operators of opset 20, and ONNX Runtime's own (`com.microsoft`) where they are faster.
//! Everything that ONNX would check when a session is opened is checked here, where the model's code is on the stack.

use super::attention;
use super::graph::{Attribute, Content, Dtype, Graph, Value};
use crate::Error;
use sinew_models::ops::{Heads, Ops, Rope};
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
            form.push_str(&format!(".{shape:?}"));
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

fn check_fill(op: &'static str, found: usize, shape: &[usize]) -> Result<(), Error> {
    if found == shape.iter().product::<usize>() {
        return Ok(());
    }
    let message = format!("{found} numbers do not fill {shape:?}");
    Err(Error::Graph { op, node: "a constant".to_owned(), message })
}

impl Ops for GraphOps<'_> {
    type Tensor = Tensor;
    type Error = Error;

    fn shape(&self, x: &Tensor) -> Vec<usize> {
        x.shape().to_vec()
    }

    fn param(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        self.weights.require(name, shape)?;
        let shape = shape.to_vec();
        Ok(Tensor::Weight(Weight { name: name.to_owned(), stored_shape: shape.clone(), shape }))
    }

    fn constant(&self, values: &[f32], shape: &[usize]) -> Result<Tensor, Error> {
        check_fill("constant", values.len(), shape)?;
        Ok(Tensor::Value(self.floats(values, shape)))
    }

    fn constant_ids(&self, values: &[i64], shape: &[usize]) -> Result<Tensor, Error> {
        check_fill("constant_ids", values.len(), shape)?;
        Ok(Tensor::Value(self.ids(values, shape)))
    }

    fn linear(&self, x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor, Error> {
        let x = self.value(x);
        let dtype = self.dtype.linear();
        let (Some((&width, rows)), &[output, input]) = (x.shape.split_last(), w.shape()) else {
            return Err(self.error(
                "linear",
                &[&x, &self.value(w)],
                "expected [.., in] and a weight [out, in]",
            ));
        };
        if width != input {
            let message = format!("the last axis is {width} wide, the weight takes {input}");
            return Err(self.error("linear", &[&x, &self.value(w)], message));
        }
        let shape = [rows, &[output]].concat();
        let transposed = match w {
            Tensor::Weight(weight) => self.weight(weight, dtype, true),
            Tensor::Value(value) => self.cast(&self.permute_value(value, &[1, 0]), dtype),
        };
        let product = self.simple("MatMul", &[&self.cast(&x, dtype), &transposed], &shape);
        let y = match b {
            None => product,
            Some(b) if *b.shape() != [output] => {
                let message = format!("a bias of [{output}] was expected");
                return Err(self.error("linear", &[&product, &self.value(b)], message));
            }
            Some(Tensor::Weight(weight)) => {
                self.binary("Add", &product, &self.weight(weight, dtype, false))?
            }
            Some(Tensor::Value(value)) => self.binary("Add", &product, &self.cast(value, dtype))?,
        };
        Ok(Tensor::Value(self.cast(&y, Dtype::F32)))
    }

    fn embedding(&self, table: &Tensor, ids: &Tensor) -> Result<Tensor, Error> {
        let ids = self.value(ids);
        let table = match table {
            Tensor::Weight(weight) => self.weight(weight, self.dtype.linear(), false),
            Tensor::Value(value) => value.clone(),
        };
        let &[rows, width] = table.shape.as_slice() else {
            return Err(self.error("embedding", &[&table, &ids], "expected a table [rows, width]"));
        };
        if ids.dtype != Dtype::I64 {
            return Err(self.error("embedding", &[&table, &ids], format!("ids are {:?}", ids.dtype)));
        }
        let known = self.graph.borrow().constant_ids(&ids).unwrap_or_default();
        if let Some(id) = known.iter().find(|id| !(0..rows as i64).contains(id)) {
            return Err(self.error("embedding", &[&table, &ids], format!("id {id} has no row")));
        }
        let shape = [ids.shape.as_slice(), &[width]].concat();
        let picked = self.simple("Gather", &[&table, &ids], &shape);
        Ok(Tensor::Value(self.cast(&picked, Dtype::F32)))
    }

    fn add(&self, a: &Tensor, b: &Tensor) -> Result<Tensor, Error> {
        self.binary("Add", &self.value(a), &self.value(b)).map(Tensor::Value)
    }

    fn mul(&self, a: &Tensor, b: &Tensor) -> Result<Tensor, Error> {
        self.binary("Mul", &self.value(a), &self.value(b)).map(Tensor::Value)
    }

    fn scale(&self, x: &Tensor, factor: f64) -> Result<Tensor, Error> {
        self.binary("Mul", &self.value(x), &self.scalar(factor as f32)).map(Tensor::Value)
    }

    fn silu(&self, x: &Tensor) -> Result<Tensor, Error> {
        let x = self.value(x);
        let sigmoid = self.simple("Sigmoid", &[&x], &x.shape);
        self.binary("Mul", &x, &sigmoid).map(Tensor::Value)
    }

    fn gelu_tanh(&self, x: &Tensor) -> Result<Tensor, Error> {
        let x = self.narrow(&self.value(x));
        let y = self.node("FastGelu", MICROSOFT, &[&x], vec![], &x.shape);
        Ok(Tensor::Value(self.cast(&y, Dtype::F32)))
    }

    fn layer_norm(&self, x: &Tensor, w: &Tensor, b: &Tensor, eps: f64) -> Result<Tensor, Error> {
        let [x, w, b] = [x, w, b].map(|tensor| self.value(tensor));
        self.normalized_width("layer_norm", &x, &w)?;
        self.normalized_width("layer_norm", &x, &b)?;
        let attributes = vec![("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(eps as f32))];
        Ok(Tensor::Value(self.node("LayerNormalization", "", &[&x, &w, &b], attributes, &x.shape)))
    }

    /// In the pieces that ONNX Runtime fuses to its own kernel: the one operator for it is newer than opset 20.
    fn rms_norm(&self, x: &Tensor, w: &Tensor, eps: f64) -> Result<Tensor, Error> {
        let [x, w] = [x, w].map(|tensor| self.value(tensor));
        self.normalized_width("rms_norm", &x, &w)?;
        let square = self.binary("Pow", &x, &self.scalar(2.0))?;
        let mut one_a_row = x.shape.clone();
        if let Some(width) = one_a_row.last_mut() {
            *width = 1;
        }
        let mean = self.simple("ReduceMean", &[&square, &self.ids(&[-1], &[1])], &one_a_row);
        let shifted = self.binary("Add", &mean, &self.scalar(eps as f32))?;
        let root = self.simple("Sqrt", &[&shifted], &one_a_row);
        let normalized = self.binary("Div", &x, &root)?;
        self.binary("Mul", &normalized, &w).map(Tensor::Value)
    }

    fn reshape(&self, x: &Tensor, shape: &[usize]) -> Result<Tensor, Error> {
        if x.shape().iter().product::<usize>() != shape.iter().product::<usize>() {
            let message = format!("{shape:?} holds another number of elements");
            return Err(self.error("reshape", &[&self.value(x)], message));
        }
        Ok(match x {
            Tensor::Weight(weight) => Tensor::Weight(Weight { shape: shape.to_vec(), ..weight.clone() }),
            Tensor::Value(value) => Tensor::Value(self.reshape_value(value, shape)),
        })
    }

    fn permute(&self, x: &Tensor, axes: &[usize]) -> Result<Tensor, Error> {
        let x = self.value(x);
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..x.shape.len()) {
            return Err(self.error("permute", &[&x], format!("{axes:?} does not name each axis once")));
        }
        Ok(Tensor::Value(self.permute_value(&x, axes)))
    }

    fn expand(&self, x: &Tensor, shape: &[usize]) -> Result<Tensor, Error> {
        let x = self.value(x);
        if broadcast(&x.shape, shape).as_deref() != Some(shape) {
            return Err(self.error("expand", &[&x], format!("it does not broadcast to {shape:?}")));
        }
        if x.shape == shape {
            return Ok(Tensor::Value(x));
        }
        Ok(Tensor::Value(self.simple("Expand", &[&x, &self.sizes(shape)], shape)))
    }

    fn concat(&self, parts: &[&Tensor], axis: usize) -> Result<Tensor, Error> {
        let parts: Vec<Value> = parts.iter().map(|part| self.value(part)).collect();
        let parts: Vec<&Value> = parts.iter().collect();
        let Some(first) = parts.first().filter(|part| axis < part.shape.len()) else {
            return Err(self.error("concat", &parts, format!("there is no axis {axis}")));
        };
        let mut shape = first.shape.clone();
        shape[axis] = parts.iter().filter_map(|part| part.shape.get(axis)).sum();
        for part in &parts {
            let mut others = part.shape.clone();
            if let Some(size) = others.get_mut(axis) {
                *size = shape[axis];
            }
            if others != shape || part.dtype != first.dtype {
                return Err(self.error("concat", &[first, part], format!("they differ beside axis {axis}")));
            }
        }
        let attributes = vec![("axis", Attribute::Int(axis as i64))];
        Ok(Tensor::Value(self.node("Concat", "", &parts, attributes, &shape)))
    }

    fn slice(&self, x: &Tensor, axis: usize, start: usize, length: usize) -> Result<Tensor, Error> {
        let x = self.value(x);
        let end = start + length;
        if x.shape.get(axis).is_none_or(|&size| size < end) {
            return Err(self.error("slice", &[&x], format!("axis {axis} does not hold {start}..{end}")));
        }
        let mut shape = x.shape.clone();
        shape[axis] = length;
        if shape == x.shape {
            return Ok(Tensor::Value(x));
        }
        let [start, end, axis] = [start, end, axis].map(|number| self.sizes(&[number]));
        Ok(Tensor::Value(self.simple("Slice", &[&x, &start, &end, &axis], &shape)))
    }

    fn rope(&self, x: &Tensor, positions: &Tensor, rope: &Rope) -> Result<Tensor, Error> {
        let [x, positions] = [x, positions].map(|tensor| self.value(tensor));
        let fits = match (x.shape.as_slice(), positions.shape.as_slice()) {
            (&[batch, tokens, width], &[rows, columns]) => {
                tokens == columns && (rows == batch || rows == 1) && width.is_multiple_of(rope.head_dim)
            }
            _ => false,
        };
        if !fits || positions.dtype != Dtype::I64 {
            let message = format!(
                "expected [batch, tokens, heads · {}] and int64 positions [batch or 1, tokens]",
                rope.head_dim
            );
            return Err(self.error("rope", &[&x, &positions], message));
        }
        let positions = self.expand(&Tensor::Value(positions), &x.shape[..2])?;
        let (cosines, sines) = rope.tables();
        let table_shape = [rope.position_count, rope.head_dim / 2];
        let [cosines, sines] = [cosines, sines].map(|table| self.floats(&table, &table_shape));
        let inputs = [&x, &self.value(&positions), &cosines, &sines];
        Ok(Tensor::Value(self.node("RotaryEmbedding", MICROSOFT, &inputs, vec![], &x.shape)))
    }

    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        mask: Option<&Tensor>,
        heads: Heads,
    ) -> Result<Tensor, Error> {
        let [q, k, v] = [q, k, v].map(|tensor| self.value(tensor));
        let mask = mask.map(|mask| self.value(mask));
        attention::check(self, &q, &k, &v, mask.as_ref(), heads)?;
        let y = match mask {
            None if heads.query == heads.key_value => {
                attention::fused(self, &q, &k, &v, heads, self.dtype.linear())
            }
            mask => attention::grouped(self, &q, &k, &v, mask.as_ref(), heads)?,
        };
        Ok(Tensor::Value(y))
    }

    fn sinusoid(&self, time: &Tensor, frequencies: &[f64]) -> Result<Tensor, Error> {
        let time = self.cast(&self.value(time), Dtype::F64);
        let column = self.reshape_value(&time, &[time.shape.as_slice(), &[1]].concat());
        let angles = self.binary("Mul", &column, &self.doubles(frequencies, &[frequencies.len()]))?;
        let waves = ["Sin", "Cos"].map(|op| Tensor::Value(self.simple(op, &[&angles], &angles.shape)));
        let both = self.concat(&[&waves[0], &waves[1]], angles.shape.len() - 1)?;
        Ok(Tensor::Value(self.cast(&self.value(&both), Dtype::F32)))
    }

    fn tag(&self, name: &str, x: &Tensor) -> Result<Tensor, Error> {
        let x = self.value(x);
        let mut graph = self.graph.borrow_mut();
        let named = graph.named(name, &x)?;
        if self.tags_are_outputs {
            graph.output(name, &named)?;
        }
        Ok(Tensor::Value(named))
    }
}
