//! A graph under construction: typed values, the nodes that make them and the numbers they start from.

use super::onnx::tensor_proto::DataType;
use crate::Error;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Data types that occur in a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// float32.
    F32,
    /// float16.
    F16,
    /// float64.
    F64,
    /// int64: token ids, positions, shapes.
    I64,
}

impl Dtype {
    /// Bytes of one number.
    pub fn byte_count(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    /// Its number in the ONNX schema.
    pub fn code(self) -> DataType {
        match self {
            Self::F16 => DataType::Float16,
            Self::F32 => DataType::Float,
            Self::F64 => DataType::Double,
            Self::I64 => DataType::Int64,
        }
    }
}

/// A node's result, a graph input or an initializer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub(super) id: usize,
    /// Its numbers' type.
    pub dtype: Dtype,
    /// Its axes.
    pub shape: Vec<usize>,
}

/// A node's attribute.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Attribute {
    Float(f32),
    Int(i64),
    Ints(Vec<i64>),
    Text(&'static str),
}

/// One operation. Every operation used here has one result.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) op: &'static str,
    pub(super) domain: &'static str,
    pub(super) inputs: Vec<usize>,
    pub(super) output: usize,
    pub(super) attributes: Vec<(&'static str, Attribute)>,
}

/// Numbers that are in the file.
#[derive(Clone, Debug)]
pub(super) struct Initializer {
    pub(super) value: usize,
    pub(super) content: Content,
}

/// Where an initializer's numbers are until the file is written.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// In the checkpoint, under this name and shape; with the two axes of its view swapped if `transposed`.
    Weight { name: String, shape: Vec<usize>, transposed: bool },
    /// Here, little-endian.
    Bytes(Vec<u8>),
}

/// A value as it will be in the file.
#[derive(Clone, Debug)]
pub(super) struct ValueEntry {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// Whether someone outside the graph relies on its name.
    is_named: bool,
}

/// A graph: made by [`super::GraphOps`], written by [`super::write`].
#[derive(Clone, Debug)]
pub struct Graph {
    /// The file's stem.
    pub name: String,
    /// Free text that travels in the file.
    pub metadata: BTreeMap<String, String>,
    pub(super) values: Vec<ValueEntry>,
    pub(super) nodes: Vec<Node>,
    pub(super) initializers: Vec<Initializer>,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
    names: HashSet<String>,
    constants: HashMap<(Dtype, Vec<usize>, Vec<u8>), Value>,
    weights: HashMap<String, Value>,
}

impl Graph {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            metadata: BTreeMap::new(),
            values: Vec::new(),
            nodes: Vec::new(),
            initializers: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            names: HashSet::new(),
            constants: HashMap::new(),
            weights: HashMap::new(),
        }
    }

    /// Names of the graph's inputs, in order.
    pub fn input_names(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|id| self.values[*id].name.as_str())
    }

    /// Names of the graph's outputs, in order.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|id| self.values[*id].name.as_str())
    }

    /// Bytes of all initializers.
    pub fn initializer_byte_count(&self) -> usize {
        self.initializers.iter().map(|initializer| self.byte_count(initializer.value)).sum()
    }

    pub(super) fn byte_count(&self, id: usize) -> usize {
        let entry = &self.values[id];
        entry.shape.iter().product::<usize>() * entry.dtype.byte_count()
    }

    pub(super) fn name_of(&self, value: &Value) -> &str {
        &self.values[value.id].name
    }

    pub(super) fn input(&mut self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<Value, Error> {
        self.claim(name)?;
        let value = self.value(name.to_owned(), dtype, shape, true);
        self.inputs.push(value.id);
        Ok(value)
    }

    /// Makes `x` an output, under `name`.
    pub(super) fn output(&mut self, name: &str, x: &Value) -> Result<(), Error> {
        let named = self.named(name, x)?;
        if !self.outputs.contains(&named.id) {
            self.outputs.push(named.id);
        }
        Ok(())
    }

    /// `x` under a name that stays: its own value where that is free to be renamed, else a copy.
    pub(super) fn named(&mut self, name: &str, x: &Value) -> Result<Value, Error> {
        if self.name_of(x) == name && !self.inputs.contains(&x.id) {
            return Ok(x.clone());
        }
        self.claim(name)?;
        let named = if self.values[x.id].is_named {
            self.node("Identity", "", &[x], vec![], x.dtype, &x.shape)
        } else {
            x.clone()
        };
        let entry = &mut self.values[named.id];
        entry.name = name.to_owned();
        entry.is_named = true;
        Ok(named)
    }

    pub(super) fn node(
        &mut self,
        op: &'static str,
        domain: &'static str,
        inputs: &[&Value],
        attributes: Vec<(&'static str, Attribute)>,
        dtype: Dtype,
        shape: &[usize],
    ) -> Value {
        let name = format!("{op}.{}", self.nodes.len());
        self.names.insert(name.clone());
        let output = self.value(name, dtype, shape, false);
        let inputs = inputs.iter().map(|input| input.id).collect();
        self.nodes.push(Node { op, domain, inputs, output: output.id, attributes });
        output
    }

    /// Numbers known now. Equal ones are stored once.
    pub(super) fn constant(&mut self, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> Value {
        let key = (dtype, shape.to_vec(), bytes);
        if let Some(value) = self.constants.get(&key) {
            return value.clone();
        }
        let name = format!("constant.{}", self.constants.len());
        self.names.insert(name.clone());
        let value = self.value(name, dtype, shape, true);
        self.initializers.push(Initializer { value: value.id, content: Content::Bytes(key.2.clone()) });
        self.constants.insert(key, value.clone());
        value
    }

    /// A weight of the checkpoint, stored as `dtype` in `shape`; once for every form it is asked for in.
    pub(super) fn weight(&mut self, content: Content, form: &str, dtype: Dtype, shape: &[usize]) -> Value {
        if let Some(value) = self.weights.get(form) {
            return value.clone();
        }
        self.names.insert(form.to_owned());
        let value = self.value(form.to_owned(), dtype, shape, true);
        self.initializers.push(Initializer { value: value.id, content });
        self.weights.insert(form.to_owned(), value.clone());
        value
    }

    /// The numbers of a constant of integers.
    pub(super) fn constant_ids(&self, value: &Value) -> Option<Vec<i64>> {
        let initializer = self.initializers.iter().find(|initializer| initializer.value == value.id)?;
        match &initializer.content {
            Content::Bytes(bytes) if value.dtype == Dtype::I64 => {
                Some(bytes.as_chunks().0.iter().copied().map(i64::from_le_bytes).collect())
            }
            _ => None,
        }
    }

    /// Drops what no output depends on.
    pub(super) fn prune(&mut self) {
        let mut needed: HashSet<usize> = self.outputs.iter().copied().collect();
        let mut kept: Vec<Node> = Vec::with_capacity(self.nodes.len());
        for node in std::mem::take(&mut self.nodes).into_iter().rev() {
            if needed.contains(&node.output) {
                needed.extend(&node.inputs);
                kept.push(node);
            }
        }
        kept.reverse();
        self.nodes = kept;
        self.initializers.retain(|initializer| needed.contains(&initializer.value));
    }

    fn value(&mut self, name: String, dtype: Dtype, shape: &[usize], is_named: bool) -> Value {
        let id = self.values.len();
        self.values.push(ValueEntry { name, dtype, shape: shape.to_vec(), is_named });
        Value { id, dtype, shape: shape.to_vec() }
    }

    fn claim(&mut self, name: &str) -> Result<(), Error> {
        if self.names.insert(name.to_owned()) {
            return Ok(());
        }
        Err(Error::Graph {
            op: "name",
            node: format!("`{name}`"),
            message: format!("graph `{}` has another value of that name", self.name),
        })
    }
}
