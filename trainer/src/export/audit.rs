//! Reads a written model back and says what is in it, not what was meant to be.

use super::GraphDtype;
use super::onnx::tensor_proto::{DataLocation, DataType};
use super::onnx::{GraphProto, ModelProto, TensorProto};
use crate::Error;
use prost::Message;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Bytes of weights and constants by data type (`float32`, `float16`, `int64`, …), weight file included.
///
/// # Errors
/// If the model cannot be read, or a tensor's bytes are not where and as many as it says.
pub fn weight_bytes(path: &Path) -> Result<BTreeMap<String, u64>, Error> {
    let mut by_type = BTreeMap::new();
    for tensor in &read(path)?.initializer {
        *by_type.entry(type_name(tensor.data_type()).to_owned()).or_default() += byte_count(path, tensor)?;
    }
    Ok(by_type)
}

/// Checks that linear layers and embedding tables really are stored as `dtype`.
///
/// # Errors
/// If the model cannot be read, has no such weights, or one of another type.
pub fn check_dtype(path: &Path, dtype: GraphDtype) -> Result<(), Error> {
    let graph = read(path)?;
    let stored: HashMap<&str, DataType> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor.data_type())).collect();
    let expected = dtype.linear().code();
    let mut weight_count = 0;
    for node in &graph.node {
        let operand = match node.op_type.as_str() {
            "Gather" => node.input.first(),
            "MatMul" => node.input.get(1),
            _ => None,
        };
        let Some((name, &found)) = operand.and_then(|name| stored.get_key_value(name.as_str())) else {
            continue;
        };
        weight_count += 1;
        if found != expected {
            let (expected, found) = (type_name(expected), type_name(found));
            return Err(Error::onnx(path, format!("`{name}` is {found}, expected {expected}")));
        }
    }
    if weight_count == 0 {
        return Err(Error::onnx(path, "no linear layer or embedding table found"));
    }
    Ok(())
}

fn read(path: &Path) -> Result<GraphProto, Error> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let model = ModelProto::decode(bytes.as_slice()).map_err(|e| Error::onnx(path, e))?;
    model.graph.ok_or_else(|| Error::onnx(path, "it holds no graph"))
}

/// Bytes that are there for `tensor`, if they are as many as its type and shape take.
fn byte_count(path: &Path, tensor: &TensorProto) -> Result<u64, Error> {
    let found = match (&tensor.raw_data, tensor.data_location()) {
        (Some(bytes), DataLocation::Default) => bytes.len() as u64,
        (None, DataLocation::External) => external_byte_count(path, tensor)?,
        _ => return Err(Error::onnx(path, format!("`{}` has its numbers nowhere or twice", tensor.name))),
    };
    let element_count: i64 = tensor.dims.iter().product();
    let expected = element_count as u64 * element_byte_count(tensor.data_type());
    if found == expected {
        return Ok(found);
    }
    let dtype = type_name(tensor.data_type());
    let message =
        format!("`{}` {:?} takes {expected} bytes of {dtype}, found {found}", tensor.name, tensor.dims);
    Err(Error::onnx(path, message))
}

fn external_byte_count(path: &Path, tensor: &TensorProto) -> Result<u64, Error> {
    let entry = |key: &str| {
        let found = tensor.external_data.iter().find(|entry| entry.key == key);
        found
            .map(|entry| entry.value.as_str())
            .ok_or_else(|| Error::onnx(path, format!("`{}` is external but has no `{key}`", tensor.name)))
    };
    let number = |key: &str| {
        let text = entry(key)?;
        text.parse::<u64>().map_err(|e| Error::onnx(path, format!("`{}`: {key} {text}: {e}", tensor.name)))
    };
    let data = path.with_file_name(entry("location")?);
    let available = std::fs::metadata(&data).map_err(Error::io(&data))?.len();
    let (offset, length) = (number("offset")?, number("length")?);
    if offset.checked_add(length).is_none_or(|end| end > available) {
        let message = format!("{available} bytes, too few for `{}` ({length} at {offset})", tensor.name);
        return Err(Error::onnx(&data, message));
    }
    Ok(length)
}

fn type_name(dtype: DataType) -> &'static str {
    match dtype {
        DataType::Undefined => "undefined",
        DataType::Float => "float32",
        DataType::Uint8 => "uint8",
        DataType::Int8 => "int8",
        DataType::Int32 => "int32",
        DataType::Int64 => "int64",
        DataType::Bool => "bool",
        DataType::Float16 => "float16",
        DataType::Double => "float64",
        DataType::Bfloat16 => "bfloat16",
    }
}

fn element_byte_count(dtype: DataType) -> u64 {
    match dtype {
        DataType::Undefined => 0,
        DataType::Uint8 | DataType::Int8 | DataType::Bool => 1,
        DataType::Float16 | DataType::Bfloat16 => 2,
        DataType::Float | DataType::Int32 => 4,
        DataType::Double | DataType::Int64 => 8,
    }
}
