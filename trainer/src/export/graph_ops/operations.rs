//! The model's operations, one by one.

use super::{GraphOps, MICROSOFT, Tensor, Weight, broadcast};
use crate::Error;
use crate::export::attention;
use crate::export::graph::{Attribute, Dtype, Value};
use sinew_models::ops::{Heads, Ops, Rope};
use std::f64::consts::FRAC_PI_2;

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
        let y = self.node("Gelu", "", &[&x], vec![("approximate", Attribute::Text("tanh"))], &x.shape);
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

    /// cos x is written as sin (x + π/2): ONNX Runtime 1.24 has no float64 cosine for the CPU.
    fn sinusoid(&self, time: &Tensor, frequencies: &[f64]) -> Result<Tensor, Error> {
        let count = frequencies.len();
        let phases = [vec![0.0; count], vec![FRAC_PI_2; count]].concat();
        let time = self.cast(&self.value(time), Dtype::F64);
        let column = self.reshape_value(&time, &[time.shape.as_slice(), &[1]].concat());
        let angles = self.binary("Mul", &column, &self.doubles(&frequencies.repeat(2), &[2 * count]))?;
        let shifted = self.binary("Add", &angles, &self.doubles(&phases, &[2 * count]))?;
        let waves = self.simple("Sin", &[&shifted], &shifted.shape);
        Ok(Tensor::Value(self.cast(&waves, Dtype::F32)))
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
