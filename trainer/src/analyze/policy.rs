//! The policy that is asked: a checkpoint, computed by candle, or a bundle, computed as on the robot.

use crate::Error;
use crate::config::TrainConfig;
use crate::data::{Choice, Corpus, Derived, Draw, Loader, Sample};
use crate::device::on_gpu_or_cpu;
use crate::export::engine::Engine;
use crate::export::graph_policy::GraphPolicy;
use crate::train::frames::{FrameSource, Purpose};
use crate::train::learner::Learner;
use crate::train::prepare::Preparer;
use crate::train::setup::Setup;
use candle_core::DeviceLocation;
use sinew_models::config::ModelConfig;
use sinew_models::contract::{Bundle, TOKENIZER_FILE, Vector};
use sinew_models::preprocess::{InstructionTokenizer, Normalizer};
use sinew_models::processors::FeatureStatistics;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// A bundle with the episodes that it is set beside.
#[derive(Debug)]
pub struct BundleSetup {
    /// The data's configuration.
    pub config: TrainConfig,
    /// The bundle.
    pub bundle: Bundle,
    corpus: Arc<Corpus>,
    preparer: Preparer,
    /// Of each of the bundle's cameras, its place among the corpus's.
    cameras: Vec<usize>,
    location: DeviceLocation,
    graphs: RefCell<GraphPolicy>,
}

impl BundleSetup {
    /// Opens graphs and episodes. State and action are what the bundle names, unless the configuration chooses.
    ///
    /// # Errors
    /// If the bundle is damaged, ONNX Runtime not there, or the dataset has not what the bundle names.
    pub fn new(mut config: TrainConfig, folder: &Path, engine: &Engine) -> Result<Self, Error> {
        let bundle = Bundle::open(folder)?;
        let manifest = &bundle.manifest;
        let names = |vector: &Vector| {
            let reported = vector.dimensions.iter().filter(|dimension| dimension.derived.is_none());
            Choice::Names(reported.map(|dimension| dimension.name.clone()).collect())
        };
        for (choice, vector) in
            [(&mut config.data.state, &manifest.state), (&mut config.data.action, &manifest.action)]
        {
            if *choice == Choice::default() {
                *choice = names(vector);
            }
        }
        if config.data.derived.is_empty() {
            config.data.derived = manifest.state.dimensions.iter().filter_map(Derived::of_bundle).collect();
        }
        let corpus = Arc::new(Corpus::open(&config.data, manifest.model.chunk_size)?);
        let place = |key: &str| {
            corpus.cameras().iter().position(|camera| camera.key == key).ok_or_else(|| {
                let known = corpus.cameras().iter().map(|camera| camera.key.as_str());
                Error::from(sinew_models::Error::UnknownName {
                    kind: "camera",
                    name: key.to_owned(),
                    place: "the dataset; say which is which in [data.cameras]".to_owned(),
                    nearest: sinew_models::nearest_name(key, known),
                })
            })
        };
        let cameras = manifest.cameras.iter().map(|camera| place(&camera.key)).collect::<Result<_, _>>()?;
        let tokenizer = InstructionTokenizer::open(
            &bundle.path(TOKENIZER_FILE),
            manifest.instruction.max_token_count,
            manifest.instruction.pad_id,
        )?;
        let (state, action) = (Normalizer::new(&manifest.state)?, Normalizer::new(&manifest.action)?);
        let preparer = Preparer::new(manifest.model.clone(), state, action, tokenizer);
        let on_gpu =
            |gpu| Ok((DeviceLocation::Cuda { gpu_id: gpu }, GraphPolicy::open(engine, &bundle, Some(gpu))?));
        let on_cpu = || Ok((DeviceLocation::Cpu, GraphPolicy::open(engine, &bundle, None)?));
        let (location, graphs) = on_gpu_or_cpu(&config.run, on_gpu, on_cpu)?;
        Ok(Self { config, corpus, preparer, cameras, location, graphs: RefCell::new(graphs), bundle })
    }

    fn predict(&self, sample: &Sample, noise: &[f32]) -> Result<Vec<f32>, Error> {
        let numbers = self.preparer.prepare(sample)?;
        let pixels = sample.pictures.iter().map(|picture| self.preparer.pixels(picture));
        let pixels = pixels.collect::<Result<Vec<_>, _>>()?;
        self.graphs.borrow_mut().predict(&pixels, &numbers.instruction, &numbers.state, noise)
    }
}

/// What is asked.
#[derive(Debug)]
pub enum Policy {
    /// A checkpoint, normalising as it was trained to.
    Checkpoint(Box<Setup>),
    /// A bundle.
    Bundle(Box<BundleSetup>),
}

impl Policy {
    /// The episodes.
    pub fn corpus(&self) -> &Arc<Corpus> {
        match self {
            Self::Checkpoint(setup) => &setup.corpus,
            Self::Bundle(setup) => &setup.corpus,
        }
    }

    /// The configuration that the numbers are read with.
    pub fn config(&self) -> &TrainConfig {
        match self {
            Self::Checkpoint(setup) => &setup.config,
            Self::Bundle(setup) => &setup.config,
        }
    }

    /// The network's sizes.
    pub fn model(&self) -> &ModelConfig {
        match self {
            Self::Checkpoint(setup) => &setup.model,
            Self::Bundle(setup) => &setup.bundle.manifest.model,
        }
    }

    /// How actions are normalised.
    pub fn action(&self) -> &Normalizer {
        match self {
            Self::Checkpoint(setup) => setup.preparer.action(),
            Self::Bundle(setup) => setup.preparer.action(),
        }
    }

    /// Cameras that it is shown.
    pub fn camera_count(&self) -> usize {
        match self {
            Self::Checkpoint(setup) => setup.slots.iter().flatten().count(),
            Self::Bundle(setup) => setup.cameras.len(),
        }
    }

    /// What state and action are normalised with.
    ///
    /// # Errors
    /// If a checkpoint lacks its statistics.
    pub fn rules(&self) -> Result<[FeatureStatistics; 2], Error> {
        let corpus = self.corpus();
        match self {
            Self::Checkpoint(setup) => {
                let processors = &setup.base.processors;
                let state = processors.feature(crate::data::STATE, "STATE", corpus.state_names().len())?;
                let action =
                    processors.feature(crate::data::ACTION, "ACTION", corpus.action_names().len())?;
                Ok([state, action])
            }
            Self::Bundle(setup) => {
                let rule = |vector: &Vector| FeatureStatistics {
                    mode: vector.normalization,
                    eps: vector.eps,
                    dimensions: vector
                        .dimensions
                        .iter()
                        .map(|dimension| dimension.statistics.clone())
                        .collect(),
                };
                let manifest = &setup.bundle.manifest;
                Ok([rule(&manifest.state), rule(&manifest.action)])
            }
        }
    }

    /// What each action dimension counted in the training's loss; 1 where nobody knows.
    pub fn dimension_weights(&self) -> Vec<f32> {
        match self {
            Self::Checkpoint(setup) => setup.dimension_weights.clone(),
            Self::Bundle(_) => vec![1.0; self.corpus().action_names().len()],
        }
    }

    /// What it is computed on: `cpu` or `cuda:N`.
    pub fn device(&self) -> String {
        let location = match self {
            Self::Checkpoint(setup) => setup.device.location(),
            Self::Bundle(setup) => setup.location,
        };
        match location {
            DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
            _ => "cpu".to_owned(),
        }
    }

    /// Whether the VLM stayed as it was in training, as the configuration says; a bundle does not say.
    pub fn is_expert_only(&self) -> Option<bool> {
        match self {
            Self::Checkpoint(setup) => Some(setup.config.policy.train_expert_only),
            Self::Bundle(_) => None,
        }
    }

    /// Ready to answer.
    ///
    /// # Errors
    /// If a checkpoint's weights cannot be loaded.
    pub fn open(&self) -> Result<Asked<'_>, Error> {
        match self {
            Self::Bundle(setup) => Ok(Asked::Graphs(setup)),
            Self::Checkpoint(setup) => {
                let camera_valid = setup.slots.iter().map(Option::is_some).collect();
                let learner = Learner::new(&setup.base.weights, setup.selection(), camera_valid)?;
                learner.use_trained()?;
                // No cache is open, so the folder does not matter.
                let source = FrameSource::new(setup, &learner, Path::new(""))?;
                Ok(Asked::Learner { learner: Box::new(learner), source })
            }
        }
    }
}

/// A policy with its weights in memory.
#[derive(Debug)]
pub enum Asked<'a> {
    /// candle.
    Learner {
        /// The weights.
        learner: Box<Learner<'a>>,
        /// Samples to what it is shown.
        source: FrameSource<'a>,
    },
    /// ONNX Runtime.
    Graphs(&'a BundleSetup),
}

impl Asked<'_> {
    /// Starts reading frames.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn read<D: Iterator<Item = Draw>>(&self, draws: D) -> Result<Loader<D>, Error> {
        match self {
            Self::Learner { source, .. } => source.read(draws, Purpose::Validation),
            Self::Graphs(setup) => {
                let (corpus, cameras) = (setup.corpus.clone(), setup.cameras.clone());
                Loader::start(corpus, cameras, draws, setup.config.loader, 1, |_| true)
            }
        }
    }

    /// Chunks, `[batch, chunk, max_action_dim]`, normalised, from noise of the same shape.
    ///
    /// # Errors
    /// If a number or picture is of no use, or the policy cannot compute.
    pub fn predict(&self, batch: &[Sample], noise: &[f32]) -> Result<Vec<f32>, Error> {
        match self {
            Self::Learner { learner, source } => {
                let shown = source.show(learner, batch, Purpose::Validation)?;
                learner.predict(&shown, noise)
            }
            Self::Graphs(setup) => {
                let mut chunks = Vec::with_capacity(noise.len());
                for (sample, noise) in batch.iter().zip(noise.chunks_exact(noise.len() / batch.len())) {
                    chunks.extend(setup.predict(sample, noise)?);
                }
                Ok(chunks)
            }
        }
    }
}
