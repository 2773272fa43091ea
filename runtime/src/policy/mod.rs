//! The policy: three ONNX graphs and what happens around them.
//!
//! Results stay where they are computed. The vision graph writes each camera's tokens to memory the prefix graph reads,
//! the prefix graph writes keys and values to memory the denoising graph reads; with CUDA only pixels, state, x_t and
//! the velocity cross the bus.

mod graph;
mod library;
mod noise;
mod signature;

pub use library::PATH_VARIABLE;
pub use noise::fill_gaussian;

use crate::config::{ExecutionProvider, PolicyConfig};
use crate::error::Error;
use graph::{Binding, Graph};
use ort::environment::Environment;
use ort::session::RunOptions;
use ort::value::{PrimitiveTensorElementType, Tensor};
use signature::{Signature, image_tokens_shape, key_value_shape};
use sinew_models::config::ModelConfig;
use sinew_models::contract::{Bundle, Manifest, TOKENIZER_FILE, io};
use sinew_models::flow::{self, Conditioning};
use sinew_models::masks::PrefixLayout;
use sinew_models::preprocess::{InstructionTokenizer, Normalizer};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the parts of one inference took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InferenceTimes {
    /// The vision graph, all cameras.
    pub vision: Duration,
    /// The prefix graph.
    pub prefix: Duration,
    /// The denoising graph, all steps.
    pub denoise: Duration,
    /// Everything, binding and normalisation included.
    pub total: Duration,
}

impl InferenceTimes {
    /// What is not spent in a graph.
    #[must_use]
    pub fn host(&self) -> Duration {
        self.total.saturating_sub(self.vision + self.prefix + self.denoise)
    }
}

/// One chunk of actions.
#[derive(Clone, Debug, PartialEq)]
pub struct Inferred {
    /// In the bundle's order and units, `[chunk, action dimensions]`.
    pub actions: Vec<f32>,
    /// As the network says it, `[chunk, max_action_dim]`: what the next chunk can go on from.
    pub normalized: Vec<f32>,
    /// How long it took.
    pub times: InferenceTimes,
}

/// A bundle's policy, ready to run.
pub struct Policy {
    model: ModelConfig,
    provider: ExecutionProvider,
    state_normalizer: Normalizer,
    action_normalizer: Normalizer,
    tokenizer: InstructionTokenizer,
    vision: Vision,
    prefix: Prefix,
    denoise: Denoise,
    run_options: Arc<RunOptions>,
}

/// The vision graph, once a camera.
#[derive(Debug)]
struct Vision {
    graph: Graph,
    pixels: Tensor<f32>,
    cameras: Vec<(Binding, Tensor<f32>)>,
}

#[derive(Debug)]
struct Prefix {
    graph: Graph,
    binding: Binding,
    state: Tensor<f32>,
    /// Names and tensors of keys and values.
    cache: Vec<(String, Tensor<f32>)>,
}

#[derive(Debug)]
struct Denoise {
    graph: Graph,
    binding: Binding,
    x_t: Tensor<f32>,
    time: Tensor<f32>,
    velocity: Tensor<f32>,
}

impl Policy {
    /// Loads ONNX Runtime and the graphs.
    ///
    /// # Errors
    /// If the library, the provider or a graph cannot be had, or a graph is not what the manifest says.
    pub fn load(bundle: &Bundle, config: &PolicyConfig) -> Result<Self, Error> {
        Self::load_in(&library::load(&config.onnxruntime)?, bundle, config)
    }

    /// As [`Self::load`], in a process that has loaded ONNX Runtime for something else already: it allows one
    /// environment only.
    ///
    /// # Errors
    /// If the provider or a graph cannot be had, or a graph is not what the manifest says.
    pub fn load_in(environment: &Environment, bundle: &Bundle, config: &PolicyConfig) -> Result<Self, Error> {
        let asked = config.execution_provider;
        match Self::load_on(environment, bundle, config, asked) {
            Err(error) if asked != ExecutionProvider::Cpu && is_provider_failure(&error) => {
                if !config.allow_cpu_fallback {
                    return Err(provider_failure(asked, error));
                }
                tracing::warn!(%error, "{} cannot be had: the policy runs on the CPU", asked.name());
                Self::load_on(environment, bundle, config, ExecutionProvider::Cpu)
            }
            loaded => loaded,
        }
    }

    fn load_on(
        environment: &Environment,
        bundle: &Bundle,
        config: &PolicyConfig,
        provider: ExecutionProvider,
    ) -> Result<Self, Error> {
        let manifest = &bundle.manifest;
        let open = |file: &str, signature: &Signature| {
            Graph::open(environment, &bundle.path(file), signature, provider, config)
        };
        let vision = open(&manifest.graphs.vision.file, &Signature::vision(manifest))?;
        let prefix = open(&manifest.graphs.prefix.file, &Signature::prefix(manifest))?;
        let denoise = open(&manifest.graphs.denoise.file, &Signature::denoise(manifest))?;
        let rule = &manifest.instruction;
        Ok(Self {
            model: manifest.model.clone(),
            provider,
            state_normalizer: Normalizer::new(&manifest.state)?,
            action_normalizer: Normalizer::new(&manifest.action)?,
            tokenizer: InstructionTokenizer::open(
                &bundle.path(TOKENIZER_FILE),
                rule.max_token_count,
                rule.pad_id,
            )?,
            vision: Vision::new(vision, manifest)?,
            prefix: Prefix::new(prefix, manifest)?,
            denoise: Denoise::new(denoise, &manifest.model)?,
            run_options: Arc::new(RunOptions::new().map_err(Error::graph("run options"))?),
        })
    }

    /// Where the graphs run.
    #[must_use]
    pub fn provider(&self) -> ExecutionProvider {
        self.provider
    }

    /// What stops a running inference, and every later one until [`Self::resume`], from any thread.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(Arc::clone(&self.run_options))
    }

    /// Lets graphs run again after an interruption.
    ///
    /// # Errors
    /// If ONNX Runtime refuses.
    pub fn resume(&self) -> Result<(), Error> {
        self.run_options.unterminate().map_err(Error::graph("interruption"))
    }

    /// Numbers of noise that a chunk starts from: `chunk · max_action_dim`.
    #[must_use]
    pub fn noise_len(&self) -> usize {
        self.model.chunk_size * self.model.max_action_dim
    }

    /// Tells the policy what to do.
    ///
    /// # Errors
    /// If the instruction is empty or longer than the bundle allows; the old one stays.
    pub fn set_instruction(&mut self, text: &str) -> Result<(), Error> {
        let (found, limit) = (self.tokenizer.token_count(text)?, self.tokenizer.max_token_count());
        if text.trim().is_empty() || found > limit {
            let found = if text.trim().is_empty() { "nothing".to_owned() } else { format!("{found} tokens") };
            let allowed = format!("1 to {limit} tokens");
            return Err(Error::mismatch(
                "instruction",
                ("the bundle", &allowed),
                (&format!("`{text}`"), &found),
            ));
        }
        let instruction = self.tokenizer.encode(text)?;
        let cameras = vec![true; self.vision.cameras.len()];
        let layout = PrefixLayout::new(&self.model, &cameras, &instruction.valid);
        let tokens = layout.token_count();
        let chunk = self.model.chunk_size;
        self.prefix.binding.input(io::TOKEN_IDS, &tensor([1, instruction.ids.len()], instruction.ids)?)?;
        self.prefix.binding.input(io::MASK, &tensor([1, tokens, tokens], layout.mask())?)?;
        self.prefix.binding.input(io::POSITIONS, &tensor([1, tokens], layout.positions())?)?;
        self.denoise
            .binding
            .input(io::MASK, &tensor([1, chunk, tokens + chunk], layout.suffix_mask(chunk))?)?;
        self.denoise.binding.input(io::POSITIONS, &tensor([1, chunk], layout.suffix_positions(chunk))?)
    }

    /// One chunk of actions. An instruction must have been set.
    ///
    /// # Shapes
    /// One `[3, size, size]` a camera, `state` `[state dimensions]`, `noise` `[chunk, max_action_dim]`, all row-major.
    ///
    /// # Errors
    /// If a shape is wrong, a state number is not finite, or a graph fails or is interrupted.
    pub fn infer<'a>(
        &mut self,
        frames: impl ExactSizeIterator<Item = &'a [f32]>,
        state: &[f32],
        noise: &[f32],
        conditioning: &Conditioning,
    ) -> Result<Inferred, Error> {
        let start = Instant::now();
        let mut times = InferenceTimes::default();
        let options = &self.run_options;
        expect_len("frames", self.vision.cameras.len(), frames.len())?;
        for (slot, pixels) in frames.enumerate() {
            times.vision += self.vision.run(slot, pixels, options)?;
            self.prefix.binding.input(&io::image_tokens(slot), &self.vision.cameras[slot].1)?;
        }
        let state = self.state_normalizer.normalize(state, self.model.max_state_dim)?;
        times.prefix = self.prefix.run(&state, options)?;
        for (name, tensor) in &self.prefix.cache {
            self.denoise.binding.input(name, tensor)?;
        }
        expect_len("noise", self.model.chunk_size * self.model.max_action_dim, noise.len())?;
        let mut x_t = noise.to_vec();
        let denoise = &mut self.denoise;
        let ModelConfig { denoise_step_count, chunk_size, .. } = self.model;
        flow::sample(denoise_step_count, &mut x_t, chunk_size, conditioning, |x_t, step_times| {
            let (velocity, took) = denoise.run(x_t, step_times, options)?;
            times.denoise += took;
            Ok::<_, Error>(velocity)
        })?;
        let actions = self.action_normalizer.unnormalize(&x_t, self.model.max_action_dim)?;
        times.total = start.elapsed();
        Ok(Inferred { actions, normalized: x_t, times })
    }
}

/// Stops a running inference.
#[derive(Clone)]
pub struct Interrupter(Arc<RunOptions>);

impl Interrupter {
    /// Makes the running graph, and every later one, fail at once.
    ///
    /// # Errors
    /// If ONNX Runtime refuses.
    pub fn interrupt(&self) -> Result<(), Error> {
        self.0.terminate().map_err(Error::graph("interruption"))
    }
}

impl Vision {
    fn new(graph: Graph, manifest: &Manifest) -> Result<Self, Error> {
        let size = manifest.model.vision.image_size;
        let camera = |_| {
            let mut tokens = graph.tensor(image_tokens_shape(&manifest.model))?;
            let mut binding = graph.binding()?;
            binding.output(io::IMAGE_TOKENS, &mut tokens)?;
            Ok((binding, tokens))
        };
        let cameras = manifest.cameras.iter().map(camera).collect::<Result<_, Error>>()?;
        Ok(Self { graph, pixels: tensor([1, 3, size, size], vec![0.0; 3 * size * size])?, cameras })
    }

    fn run(&mut self, slot: usize, pixels: &[f32], options: &RunOptions) -> Result<Duration, Error> {
        fill("pixels", &mut self.pixels, pixels)?;
        let binding = &mut self.cameras[slot].0;
        binding.input(io::PIXELS, &self.pixels)?;
        timed(|| self.graph.run(binding, options))
    }
}

impl Prefix {
    fn new(graph: Graph, manifest: &Manifest) -> Result<Self, Error> {
        let shape = key_value_shape(manifest);
        let names = (0..manifest.model.layer_count()).flat_map(|layer| [io::key(layer), io::value(layer)]);
        let mut binding = graph.binding()?;
        let mut cache = Vec::new();
        for name in names {
            let mut tensor = graph.tensor(shape)?;
            binding.output(&name, &mut tensor)?;
            cache.push((name, tensor));
        }
        let width = manifest.model.max_state_dim;
        Ok(Self { graph, binding, state: tensor([1, width], vec![0.0; width])?, cache })
    }

    fn run(&mut self, state: &[f32], options: &RunOptions) -> Result<Duration, Error> {
        fill("state", &mut self.state, state)?;
        self.binding.input(io::STATE, &self.state)?;
        timed(|| self.graph.run(&self.binding, options))
    }
}

impl Denoise {
    fn new(graph: Graph, model: &ModelConfig) -> Result<Self, Error> {
        let (steps, width) = (model.chunk_size, model.max_action_dim);
        let mut binding = graph.binding()?;
        // In the processor's memory: the Euler step is done there.
        let mut velocity = Tensor::new(&ort::memory::Allocator::default(), [1, steps, width])
            .map_err(Error::graph("velocity"))?;
        binding.output(io::VELOCITY, &mut velocity)?;
        Ok(Self {
            graph,
            binding,
            x_t: tensor([1, steps, width], vec![0.0; steps * width])?,
            time: tensor([1, steps], vec![0.0; steps])?,
            velocity,
        })
    }

    fn run(
        &mut self,
        x_t: &[f32],
        times: &[f32],
        options: &RunOptions,
    ) -> Result<(Vec<f32>, Duration), Error> {
        fill("x_t", &mut self.x_t, x_t)?;
        fill("time", &mut self.time, times)?;
        self.binding.input(io::X_T, &self.x_t)?;
        self.binding.input(io::TIME, &self.time)?;
        let took = timed(|| self.graph.run(&self.binding, options))?;
        Ok((self.velocity.extract_tensor().1.to_vec(), took))
    }
}

fn timed(work: impl FnOnce() -> Result<(), Error>) -> Result<Duration, Error> {
    let start = Instant::now();
    work().map(|()| start.elapsed())
}

fn tensor<T, const N: usize>(shape: [usize; N], values: Vec<T>) -> Result<Tensor<T>, Error>
where
    T: PrimitiveTensorElementType + Clone + std::fmt::Debug + 'static,
{
    Tensor::from_array((shape, values)).map_err(Error::graph("tensor"))
}

fn fill(name: &str, tensor: &mut Tensor<f32>, values: &[f32]) -> Result<(), Error> {
    let (_, target) = tensor.extract_tensor_mut();
    expect_len(name, target.len(), values.len())?;
    target.copy_from_slice(values);
    Ok(())
}

fn expect_len(name: &str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Model(sinew_models::Error::Shape {
        name: name.to_owned(),
        expected: vec![expected],
        found: vec![found],
    }))
}

/// A graph that fails to load may do so because of the provider; a wrong signature never does.
fn is_provider_failure(error: &Error) -> bool {
    matches!(error, Error::Graph { .. } | Error::Provider { .. })
}

fn provider_failure(provider: ExecutionProvider, error: Error) -> Error {
    match error {
        Error::Provider { .. } => error,
        other => Error::Provider {
            provider: provider.name(),
            message: other.to_string(),
            remedy: "see that the device and ONNX Runtime's GPU libraries are there, or choose `cpu`, or set \
                     policy.allow_cpu_fallback",
        },
    }
}
