//! Writes a graph to disk: `<name>.onnx`, and its weights to `<name>.onnx.data` where there are many.
//!
//! Weights go from the checkpoint to the file one at a time, and equal graphs give equal bytes.

use super::graph::{Attribute, Content, Dtype, Graph, Initializer, ValueEntry};
use super::onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_proto::DataLocation, tensor_shape_proto, type_proto,
};
use crate::Error;
use half::f16;
use prost::Message;
use sinew_models::weights::Weights;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Version of the file format that goes with [`OPSET`].
const IR_VERSION: i64 = 9;
/// Version of the standard operators.
const OPSET: i64 = 20;
/// Version of ONNX Runtime's own operators.
const MICROSOFT_OPSET: i64 = 1;
/// Graphs with more bytes of weights than this keep them in a file of their own: protobuf ends at 2 GiB.
const INLINE_BYTE_LIMIT: usize = 1 << 20;
/// Shapes and scalars stay in the model, where shape inference looks for them.
const EXTERNAL_BYTE_MINIMUM: usize = 1 << 10;
/// Tensors start on pages, so that they can be mapped.
const PAGE: usize = 4096;

/// The files of a written graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The model.
    pub model: PathBuf,
    /// Its weights, unless they are in the model.
    pub data: Option<PathBuf>,
}

/// Writes `graph` into `folder`, and returns when it is on disk.
///
/// # Errors
/// If a weight is missing or does not fit the graph's data type, or the disk fails.
pub fn write(graph: &Graph, weights: &Weights, folder: &Path) -> Result<Written, Error> {
    let model_path = folder.join(format!("{}.onnx", graph.name));
    let is_external = graph.initializer_byte_count() > INLINE_BYTE_LIMIT;
    let mut data = if is_external { Some(DataFile::create(folder, &graph.name)?) } else { None };

    let mut initializer = Vec::with_capacity(graph.initializers.len());
    for entry in &graph.initializers {
        let bytes = content_bytes(graph, entry, weights)?;
        let tensor = tensor(&graph.values[entry.value]);
        initializer.push(match &mut data {
            Some(data) if bytes.len() >= EXTERNAL_BYTE_MINIMUM => data.append(&bytes, tensor)?,
            _ => TensorProto { raw_data: Some(bytes), ..tensor },
        });
    }
    let data = data.map(DataFile::finish).transpose()?;

    let mut file = File::create(&model_path).map_err(Error::io(&model_path))?;
    file.write_all(&model(graph, initializer).encode_to_vec()).map_err(Error::io(&model_path))?;
    file.sync_all().map_err(Error::io(&model_path))?;
    Ok(Written { model: model_path, data })
}

/// The file that holds the weights.
struct DataFile {
    name: String,
    path: PathBuf,
    file: BufWriter<File>,
    byte_count: usize,
}

impl DataFile {
    fn create(folder: &Path, stem: &str) -> Result<Self, Error> {
        let name = format!("{stem}.onnx.data");
        let path = folder.join(&name);
        let file = BufWriter::new(File::create(&path).map_err(Error::io(&path))?);
        Ok(Self { name, path, file, byte_count: 0 })
    }

    fn append(&mut self, bytes: &[u8], tensor: TensorProto) -> Result<TensorProto, Error> {
        let offset = self.byte_count.next_multiple_of(PAGE);
        let padding = vec![0; offset - self.byte_count];
        self.file.write_all(&padding).map_err(Error::io(&self.path))?;
        self.file.write_all(bytes).map_err(Error::io(&self.path))?;
        self.byte_count = offset + bytes.len();
        let place = [
            ("location", self.name.clone()),
            ("offset", offset.to_string()),
            ("length", bytes.len().to_string()),
        ];
        let external_data = place.map(|(key, value)| StringStringEntryProto { key: key.to_owned(), value });
        let data_location = DataLocation::External.into();
        Ok(TensorProto { external_data: external_data.into(), data_location, ..tensor })
    }

    fn finish(self) -> Result<PathBuf, Error> {
        let file = self.file.into_inner().map_err(|e| Error::io(&self.path)(e.into_error()))?;
        file.sync_all().map_err(Error::io(&self.path))?;
        Ok(self.path)
    }
}

/// An initializer's numbers as they go into the file.
fn content_bytes(graph: &Graph, entry: &Initializer, weights: &Weights) -> Result<Vec<u8>, Error> {
    let (name, shape, transposed) = match &entry.content {
        Content::Bytes(bytes) => return Ok(bytes.clone()),
        Content::Weight { name, shape, transposed } => (name, shape, *transposed),
    };
    let mut values = weights.load(name, shape)?;
    let ValueEntry { dtype, shape, .. } = &graph.values[entry.value];
    if let (true, &[rows, columns]) = (transposed, shape.as_slice()) {
        values = transpose(&values, rows, columns);
    }
    match dtype {
        Dtype::F16 => {
            let mut bytes = Vec::with_capacity(values.len() * 2);
            for value in values {
                let narrow = f16::from_f32(value);
                if !narrow.is_finite() {
                    return Err(Error::WeightRange { name: name.clone(), value, dtype: "float16" });
                }
                bytes.extend(narrow.to_le_bytes());
            }
            Ok(bytes)
        }
        _ => Ok(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
    }
}

/// The matrix `[rows, columns]` whose transpose is `values`.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut transposed = Vec::with_capacity(values.len());
    for row in 0..rows {
        transposed.extend((0..columns).map(|column| values[column * rows + row]));
    }
    transposed
}

fn model(graph: &Graph, initializer: Vec<TensorProto>) -> ModelProto {
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
    let metadata_props = graph
        .metadata
        .iter()
        .map(|(key, value)| StringStringEntryProto { key: key.clone(), value: value.clone() })
        .collect();
    let infos = |ids: &[usize]| ids.iter().map(|id| value_info(&graph.values[*id])).collect();
    let between: Vec<usize> =
        graph.nodes.iter().map(|node| node.output).filter(|id| !graph.outputs.contains(id)).collect();
    ModelProto {
        ir_version: IR_VERSION,
        producer_name: "sinew".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(GraphProto {
            node: nodes(graph),
            name: graph.name.clone(),
            initializer,
            input: infos(&graph.inputs),
            output: infos(&graph.outputs),
            value_info: infos(&between),
        }),
        opset_import: vec![opset("", OPSET), opset(super::graph_ops::MICROSOFT, MICROSOFT_OPSET)],
        metadata_props,
        ..ModelProto::default()
    }
}

fn nodes(graph: &Graph) -> Vec<NodeProto> {
    let name = |id: &usize| graph.values[*id].name.clone();
    let node = |node: &super::graph::Node| NodeProto {
        input: node.inputs.iter().map(name).collect(),
        output: vec![name(&node.output)],
        name: name(&node.output),
        op_type: node.op.to_owned(),
        attribute: node.attributes.iter().map(attribute).collect(),
        domain: node.domain.to_owned(),
    };
    graph.nodes.iter().map(node).collect()
}

fn attribute((name, attribute): &(&'static str, Attribute)) -> AttributeProto {
    let mut proto = AttributeProto { name: (*name).to_owned(), ..AttributeProto::default() };
    match attribute {
        Attribute::Float(f) => {
            proto.f = Some(*f);
            proto.set_type(AttributeType::Float);
        }
        Attribute::Int(i) => {
            proto.i = Some(*i);
            proto.set_type(AttributeType::Int);
        }
        Attribute::Ints(ints) => {
            proto.ints.clone_from(ints);
            proto.set_type(AttributeType::Ints);
        }
        Attribute::Text(text) => {
            proto.s = Some(text.as_bytes().to_vec());
            proto.set_type(AttributeType::String);
        }
    }
    proto
}

fn tensor(entry: &ValueEntry) -> TensorProto {
    TensorProto {
        dims: entry.shape.iter().map(|&size| size as i64).collect(),
        data_type: entry.dtype.code().into(),
        name: entry.name.clone(),
        ..TensorProto::default()
    }
}

fn value_info(entry: &ValueEntry) -> ValueInfoProto {
    let dimension = |&size: &usize| tensor_shape_proto::Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(size as i64)),
    };
    let tensor = type_proto::Tensor {
        elem_type: entry.dtype.code().into(),
        shape: Some(TensorShapeProto { dim: entry.shape.iter().map(dimension).collect() }),
    };
    let value = Some(type_proto::Value::TensorType(tensor));
    ValueInfoProto { name: entry.name.clone(), r#type: Some(TypeProto { value }) }
}
