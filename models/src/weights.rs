//! `model.safetensors`, mapped into memory: which tensors SmolVLA has, and their numbers as float32.

use crate::config::ModelConfig;
use crate::error::{Error, nearest_name};
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A tensor that a checkpoint of some configuration has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether any result depends on it; what does not is carried along for LeRobot's sake.
    pub used: bool,
}

/// Every tensor of a checkpoint of this configuration, in LeRobot's naming and in the order of its
/// `policy.parameters()`, by which an optimiser's state is numbered.
pub fn expected_tensors(config: &ModelConfig) -> Vec<TensorSpec> {
    let mut specs = Vec::new();
    let mut add = |name: String, shape: &[usize], used: bool| {
        specs.push(TensorSpec { name, shape: shape.to_vec(), used });
    };
    let (hidden, expert) = (config.text.hidden_size, config.expert_hidden_size);
    let vlm = "model.vlm_with_expert.vlm";
    for (name, shape) in vision_tensors(config) {
        add(format!("{vlm}.model.vision_model.{name}"), &shape, true);
    }
    let shuffled = config.vision.hidden_size * config.scale_factor.pow(2);
    add(format!("{vlm}.model.connector.modality_projection.proj.weight"), &[hidden, shuffled], true);
    add(format!("{vlm}.model.text_model.embed_tokens.weight"), &[config.text.vocab_size, hidden], true);
    for layer in 0..config.layer_count() {
        let last = layer + 1 == config.layer_count();
        let path = format!("{vlm}.model.text_model.layers.{layer}");
        for (name, shape) in decoder_tensors(config, hidden, config.text.intermediate_size, hidden) {
            // Of the last text layer only the keys and values are read.
            let read = ["input_layernorm", "k_proj", "v_proj"].iter().any(|part| name.contains(part));
            add(format!("{path}.{name}"), &shape, read || !last);
        }
    }
    add(format!("{vlm}.model.text_model.norm.weight"), &[hidden], false);
    add(format!("{vlm}.lm_head.weight"), &[config.text.vocab_size, hidden], false);
    let kv = config.heads().key_value_width();
    for layer in 0..config.layer_count() {
        let source = if config.cross_layers[layer] { kv } else { expert };
        let path = format!("model.vlm_with_expert.lm_expert.layers.{layer}");
        for (name, shape) in decoder_tensors(config, expert, config.expert_intermediate_size, source) {
            add(format!("{path}.{name}"), &shape, true);
        }
    }
    add("model.vlm_with_expert.lm_expert.norm.weight".to_owned(), &[expert], true);
    let (state, action) = (config.max_state_dim, config.max_action_dim);
    let affine = [
        ("state_proj", hidden, state),
        ("action_in_proj", expert, action),
        ("action_out_proj", action, expert),
        ("action_time_mlp_in", expert, 2 * expert),
        ("action_time_mlp_out", expert, expert),
    ];
    for (name, out, input) in affine {
        add(format!("model.{name}.weight"), &[out, input], true);
        add(format!("model.{name}.bias"), &[out], true);
    }
    specs
}

/// One layer of the text model or the expert; `source` is what its keys and values are projected from.
fn decoder_tensors(
    config: &ModelConfig,
    hidden: usize,
    intermediate: usize,
    source: usize,
) -> Vec<(&'static str, Vec<usize>)> {
    let (q, kv) = (config.heads().query_width(), config.heads().key_value_width());
    vec![
        ("self_attn.q_proj.weight", vec![q, hidden]),
        ("self_attn.k_proj.weight", vec![kv, source]),
        ("self_attn.v_proj.weight", vec![kv, source]),
        ("self_attn.o_proj.weight", vec![hidden, q]),
        ("mlp.gate_proj.weight", vec![intermediate, hidden]),
        ("mlp.up_proj.weight", vec![intermediate, hidden]),
        ("mlp.down_proj.weight", vec![hidden, intermediate]),
        ("input_layernorm.weight", vec![hidden]),
        ("post_attention_layernorm.weight", vec![hidden]),
    ]
}

fn vision_tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let vision = &config.vision;
    let (hidden, inner, patch) = (vision.hidden_size, vision.intermediate_size, vision.patch_size);
    let mut tensors = vec![
        ("embeddings.patch_embedding.weight".to_owned(), vec![hidden, 3, patch, patch]),
        ("embeddings.patch_embedding.bias".to_owned(), vec![hidden]),
        ("embeddings.position_embedding.weight".to_owned(), vec![config.patches_per_side().pow(2), hidden]),
    ];
    let mut affine = |path: String, weight: Vec<usize>| {
        let width = weight[0];
        tensors.push((format!("{path}.weight"), weight));
        tensors.push((format!("{path}.bias"), vec![width]));
    };
    for layer in 0..vision.num_hidden_layers {
        let path = format!("encoder.layers.{layer}");
        for name in ["k_proj", "v_proj", "q_proj", "out_proj"] {
            affine(format!("{path}.self_attn.{name}"), vec![hidden, hidden]);
        }
        affine(format!("{path}.layer_norm1"), vec![hidden]);
        affine(format!("{path}.mlp.fc1"), vec![inner, hidden]);
        affine(format!("{path}.mlp.fc2"), vec![hidden, inner]);
        affine(format!("{path}.layer_norm2"), vec![hidden]);
    }
    affine("post_layernorm".to_owned(), vec![hidden]);
    tensors
}

#[derive(Clone, Debug)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    start: usize,
    end: usize,
}

/// A safetensors file.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    map: Mmap,
    entries: BTreeMap<String, Entry>,
}

impl Weights {
    /// Maps the file and reads its header.
    ///
    /// # Errors
    /// If it cannot be read or is no safetensors file.
    #[allow(unsafe_code)]
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = std::fs::File::open(path).map_err(Error::io(path))?;
        // SAFETY: the map is only read. As with any map, another process that shortens the file meanwhile makes
        // reading it fault; checkpoints are written whole and renamed into place, never rewritten.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
        let tensors = SafeTensors::deserialize(&map).map_err(|e| Error::file(path, e))?;
        let base = map.as_ptr() as usize;
        let entry = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            let start = view.data().as_ptr() as usize - base;
            let entry = Entry {
                dtype: view.dtype(),
                shape: view.shape().to_vec(),
                start,
                end: start + view.data().len(),
            };
            (name, entry)
        };
        let entries = tensors.tensors().into_iter().map(entry).collect();
        Ok(Self { path: path.to_owned(), map, entries })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The shape of a tensor, if it is there.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|entry| entry.shape.as_slice())
    }

    /// A tensor as it is stored: data type, shape, bytes.
    pub fn stored(&self, name: &str) -> Option<(Dtype, &[usize], &[u8])> {
        let entry = self.entries.get(name)?;
        Some((entry.dtype, &entry.shape, &self.map[entry.start..entry.end]))
    }

    /// Checks that every tensor that a result depends on is there, in its shape. Returns the names of tensors
    /// that this configuration does not have, which the reference ignores too.
    ///
    /// # Errors
    /// Names the first tensor that is missing or misshapen, and how many there are.
    pub fn check(&self, config: &ModelConfig) -> Result<Vec<String>, Error> {
        let specs = expected_tensors(config);
        let mut problems = Vec::new();
        for spec in &specs {
            match self.entries.get(&spec.name) {
                Some(entry) if entry.shape != spec.shape => problems.push(Error::Shape {
                    name: spec.name.clone(),
                    expected: spec.shape.clone(),
                    found: entry.shape.clone(),
                }),
                None if spec.used => problems.push(self.missing(&spec.name, &spec.shape)),
                _ => {}
            }
        }
        if !problems.is_empty() {
            let shown: Vec<String> =
                problems.iter().take(8).map(|problem| format!("\n  {problem}")).collect();
            let more = problems.len().saturating_sub(shown.len());
            let more = if more > 0 { format!("\n  … and {more} more") } else { String::new() };
            let message = format!("does not fit its configuration:{}{more}", shown.concat());
            return Err(Error::file(&self.path, message));
        }
        let known: std::collections::HashSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        Ok(self.entries.keys().filter(|name| !known.contains(name.as_str())).cloned().collect())
    }

    /// Looks whether a tensor is there in this shape, without reading it.
    ///
    /// # Errors
    /// If it is missing or has another shape.
    pub fn require(&self, name: &str, shape: &[usize]) -> Result<(), Error> {
        self.entry(name, shape).map(|_| ())
    }

    /// A tensor's numbers, row-major, as float32.
    ///
    /// # Errors
    /// If it is missing, has another shape, or does not hold floating-point numbers.
    pub fn load(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let entry = self.entry(name, shape)?;
        let bytes = &self.map[entry.start..entry.end];
        match entry.dtype {
            Dtype::F32 => Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            Dtype::BF16 => Ok(bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()),
            Dtype::F16 => Ok(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
            Dtype::F64 => Ok(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()),
            other => Err(Error::file(
                &self.path,
                format!("tensor `{name}` is {other:?}, expected F32, BF16, F16 or F64"),
            )),
        }
    }

    fn entry(&self, name: &str, shape: &[usize]) -> Result<&Entry, Error> {
        match self.entries.get(name) {
            Some(entry) if entry.shape == shape => Ok(entry),
            Some(entry) => Err(Error::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: entry.shape.clone(),
            }),
            None => Err(self.missing(name, shape)),
        }
    }

    fn missing(&self, name: &str, shape: &[usize]) -> Error {
        Error::MissingTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            nearest: nearest_name(name, self.entries.keys().map(String::as_str)),
        }
    }
}
