//! What the graphs have to take and give, by the manifest: names, types and shapes.

use crate::error::{Error, quoted};
use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};
use sinew_models::config::ModelConfig;
use sinew_models::contract::{Manifest, io};

/// One input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    name: String,
    kind: TensorElementType,
    shape: Vec<usize>,
}

/// A graph's inputs and outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

fn floats(name: impl Into<String>, shape: &[usize]) -> Port {
    Port { name: name.into(), kind: TensorElementType::Float32, shape: shape.to_vec() }
}

fn ids(name: impl Into<String>, shape: &[usize]) -> Port {
    Port { name: name.into(), kind: TensorElementType::Int64, shape: shape.to_vec() }
}

/// Shape of a camera's tokens.
pub(crate) fn image_tokens_shape(model: &ModelConfig) -> [usize; 3] {
    [1, model.image_token_count(), model.text.hidden_size]
}

/// Shape of a layer's keys, and of its values.
pub(crate) fn key_value_shape(manifest: &Manifest) -> [usize; 3] {
    [1, prefix_token_count(manifest), manifest.model.heads().key_value_width()]
}

/// Tokens of the prefix, padding included.
pub(crate) fn prefix_token_count(manifest: &Manifest) -> usize {
    manifest.model.prefix_token_count(manifest.cameras.len(), manifest.model.language_token_count)
}

/// Keys and values of every layer.
fn keys_and_values(manifest: &Manifest) -> Vec<Port> {
    let shape = key_value_shape(manifest);
    let layer = |layer| [floats(io::key(layer), &shape), floats(io::value(layer), &shape)];
    (0..manifest.model.layer_count()).flat_map(layer).collect()
}

impl Signature {
    /// Of the vision graph.
    pub(crate) fn vision(manifest: &Manifest) -> Self {
        let size = manifest.model.vision.image_size;
        Self {
            inputs: vec![floats(io::PIXELS, &[1, 3, size, size])],
            outputs: vec![floats(io::IMAGE_TOKENS, &image_tokens_shape(&manifest.model))],
        }
    }

    /// Of the prefix graph.
    pub(crate) fn prefix(manifest: &Manifest) -> Self {
        let model = &manifest.model;
        let tokens = prefix_token_count(manifest);
        let images = image_tokens_shape(model);
        let mut inputs: Vec<Port> =
            (0..manifest.cameras.len()).map(|slot| floats(io::image_tokens(slot), &images)).collect();
        inputs.extend([
            ids(io::TOKEN_IDS, &[1, model.language_token_count]),
            floats(io::STATE, &[1, model.max_state_dim]),
            floats(io::MASK, &[1, tokens, tokens]),
            ids(io::POSITIONS, &[1, tokens]),
        ]);
        Self { inputs, outputs: keys_and_values(manifest) }
    }

    /// Of the denoising graph.
    pub(crate) fn denoise(manifest: &Manifest) -> Self {
        let model = &manifest.model;
        let actions = [1, model.chunk_size, model.max_action_dim];
        let mut inputs = vec![
            floats(io::X_T, &actions),
            floats(io::TIME, &[1, model.chunk_size]),
            floats(io::MASK, &[1, model.chunk_size, prefix_token_count(manifest) + model.chunk_size]),
            ids(io::POSITIONS, &[1, model.chunk_size]),
        ];
        inputs.extend(keys_and_values(manifest));
        Self { inputs, outputs: vec![floats(io::VELOCITY, &actions)] }
    }

    /// Compares with what a loaded graph says of itself.
    ///
    /// # Errors
    /// If a name, a type or a shape differs; the error names both sides.
    pub(crate) fn check(&self, graph: &str, session: &Session) -> Result<(), Error> {
        check_side(graph, "input", &self.inputs, session.inputs())?;
        check_side(graph, "output", &self.outputs, session.outputs())
    }
}

fn check_side(graph: &str, side: &str, expected: &[Port], found: &[Outlet]) -> Result<(), Error> {
    let mut expected_names: Vec<&str> = expected.iter().map(|port| port.name.as_str()).collect();
    let mut found_names: Vec<&str> = found.iter().map(Outlet::name).collect();
    expected_names.sort_unstable();
    found_names.sort_unstable();
    if expected_names != found_names {
        let only = |names: &[&str], others: &[&str]| {
            let only: Vec<&str> = names.iter().filter(|name| !others.contains(name)).copied().collect();
            if only.is_empty() { "nothing else".to_owned() } else { quoted(&only) }
        };
        let (manifest, graph_says) =
            (only(&expected_names, &found_names), only(&found_names, &expected_names));
        return Err(mismatch(format!("{side}s of {graph}"), &manifest, &graph_says));
    }
    for port in expected {
        let outlet = found.iter().find(|outlet| outlet.name() == port.name);
        let found = outlet.map(|outlet| describe(outlet.dtype())).unwrap_or_default();
        let expected = format!("{} {:?}", port.kind, port.shape);
        if expected != found {
            return Err(mismatch(format!("{side} `{}` of {graph}", port.name), &expected, &found));
        }
    }
    Ok(())
}

fn describe(kind: &ValueType) -> String {
    match kind {
        ValueType::Tensor { ty, shape, .. } => format!("{ty} {:?}", &**shape),
        other => other.to_string(),
    }
}

fn mismatch(what: String, manifest: &str, graph: &str) -> Error {
    Error::mismatch(what, ("the manifest", manifest), ("the graph", graph))
}
