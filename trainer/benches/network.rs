//! Where the time of a training step goes: the network's stages on candle, full size, three cameras, float32.
//!
//!     cargo bench --package sinew-trainer --bench network -- CHECKPOINT
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first surprise")]

use candle_core::{Device, Tensor, Var};
use sinew_models::checkpoint::Checkpoint;
use sinew_models::masks::PrefixLayout;
use sinew_models::smolvla::{ContextInputs, LayerCache, SmolVla, StateInputs, SuffixInputs};
use sinew_models::weights::expected_tensors;
use sinew_trainer::candle_ops::CandleOps;
use std::path::Path;
use std::time::Instant;

/// candle's matrix products are several times slower with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUN_COUNT: usize = 3;
const CAMERA_COUNT: usize = 3;
const BATCH: usize = 8;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(checkpoint) = arguments.next() else {
        println!("usage: network CHECKPOINT (scripts/bench makes one)");
        return;
    };
    let checkpoint = Checkpoint::open(Path::new(&checkpoint), None).unwrap();
    let ops = CandleOps::new(&checkpoint.weights, &Device::Cpu);
    let bench = Bench::new(&checkpoint, &ops);
    println!(
        "batch {BATCH}, {CAMERA_COUNT} cameras, float32; milliseconds a sample, the least of {RUN_COUNT}"
    );
    let images = time("vision, frozen", 1, || bench.vision());
    let images: Vec<Tensor> = images.iter().map(|image| image.repeat((BATCH, 1, 1)).unwrap()).collect();
    let context = time("text layers over images and language, frozen", BATCH, || bench.context(&images));
    bench.train_the_expert();
    time("state and expert, forward", BATCH, || bench.velocity(&context));
    time("state and expert, forward and backward", BATCH, || {
        bench.velocity(&context).sqr().unwrap().mean_all().unwrap().backward().unwrap()
    });
}

/// Runs several times and prints the least a sample: the machine's other work only ever adds.
fn time<T>(name: &str, sample_count: usize, run: impl Fn() -> T) -> T {
    let mut result = run();
    let mut least_s = f64::INFINITY;
    for _ in 0..RUN_COUNT {
        let start = Instant::now();
        result = run();
        least_s = least_s.min(start.elapsed().as_secs_f64());
    }
    println!("{name:<48}{:>10.1}", least_s * 1e3 / sample_count as f64);
    result
}

struct Bench<'a> {
    checkpoint: &'a Checkpoint,
    ops: &'a CandleOps<'a>,
    network: SmolVla<'a>,
    layout: PrefixLayout,
}

impl<'a> Bench<'a> {
    fn new(checkpoint: &'a Checkpoint, ops: &'a CandleOps<'a>) -> Self {
        let language = vec![true; checkpoint.model.language_token_count];
        let layout = PrefixLayout::new(&checkpoint.model, &[true; CAMERA_COUNT], &language);
        Self { checkpoint, ops, network: SmolVla::new(&checkpoint.model), layout }
    }

    fn tensor(&self, values: &[f32], shape: &[usize]) -> Tensor {
        let repeated: Vec<f32> = std::iter::repeat_n(values, BATCH).flatten().copied().collect();
        self.ops.tensor(&repeated, &[&[BATCH], shape].concat()).unwrap()
    }

    fn ids(&self, values: &[i64]) -> Tensor {
        let repeated: Vec<i64> = std::iter::repeat_n(values, BATCH).flatten().copied().collect();
        self.ops.ids(&repeated, &[BATCH, values.len()]).unwrap()
    }

    /// One sample's, as the trainer runs it; the others of the batch are the same.
    fn vision(&self) -> Vec<Tensor> {
        let size = self.checkpoint.model.vision.image_size;
        let pixels = self.ops.tensor(&vec![0.1; 3 * size * size], &[1, 3, size, size]).unwrap();
        (0..CAMERA_COUNT).map(|_| self.network.vision(self.ops, &pixels).unwrap()).collect()
    }

    fn context(&self, images: &[Tensor]) -> Vec<LayerCache<Tensor>> {
        let tokens = self.layout.context_token_count();
        let inputs = ContextInputs {
            image_tokens: images,
            token_ids: &self.ids(&vec![1; self.checkpoint.model.language_token_count]),
            mask: &self.tensor(&self.layout.context_mask(), &[tokens, tokens]),
            positions: &self.ids(&self.layout.context_positions()),
        };
        self.network.context(self.ops, &inputs).unwrap()
    }

    /// Makes variables of what LeRobot trains by default: everything but the VLM.
    fn train_the_expert(&self) {
        let specs = expected_tensors(&self.checkpoint.model).into_iter();
        for spec in specs.filter(|spec| !spec.name.contains(".vlm.")) {
            let values = self.checkpoint.weights.load(&spec.name, &spec.shape).unwrap();
            let tensor = self.ops.tensor(&values, &spec.shape).unwrap();
            self.ops.set_param(&spec.name, Var::from_tensor(&tensor).unwrap().into_inner());
        }
    }

    fn velocity(&self, context: &[LayerCache<Tensor>]) -> Tensor {
        let model = &self.checkpoint.model;
        let (chunk, tokens) = (model.chunk_size, self.layout.context_token_count());
        let inputs = StateInputs {
            state: &self.tensor(&vec![0.5; model.max_state_dim], &[model.max_state_dim]),
            mask: &self.tensor(&self.layout.state_mask(), &[1, tokens + 1]),
            position: &self.ids(&[self.layout.state_position()]),
        };
        let cache = self.network.append_state(self.ops, context, &inputs).unwrap();
        let inputs = SuffixInputs {
            x_t: &self.tensor(&vec![0.5; chunk * model.max_action_dim], &[chunk, model.max_action_dim]),
            time: &self.tensor(&vec![0.7; chunk], &[chunk]),
            mask: &self.tensor(&self.layout.suffix_mask(chunk), &[chunk, self.layout.token_count() + chunk]),
            positions: &self.ids(&self.layout.suffix_positions(chunk)),
        };
        self.network.velocity(self.ops, &inputs, &cache).unwrap()
    }
}
