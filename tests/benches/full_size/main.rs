//! One call of the full-size policy, three cameras, batch 1, float32: ONNX Runtime as the robot runs it, the candle
//! forward pass, and LeRobot, on the same machine in the same run. What counts is the ratio; how low it can get is told
//! by the rate of a single matrix product.
//!
//!     cargo bench --package sinew-tests --bench full_size -- CHECKPOINT BUNDLE PYTHON
//!
//! `scripts/bench` makes the three.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first surprise")]

mod ceiling;

use candle_core::{Device, Tensor};
use sinew_models::checkpoint::Checkpoint;
use sinew_models::contract::Bundle;
use sinew_models::flow::{self, Conditioning};
use sinew_models::masks::PrefixLayout;
use sinew_models::preprocess::InstructionTokenizer;
use sinew_models::smolvla::{PrefixInputs, SmolVla, SuffixInputs};
use sinew_runtime::config::PolicyConfig;
use sinew_runtime::policy::Policy;
use sinew_tests::{onnxruntime_library, repository};
use sinew_trainer::candle_ops::CandleOps;
use sinew_trainer::export::engine::Engine;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// candle's matrix products are several times slower with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUN_COUNT: usize = 5;
const INSTRUCTION: &str = "pick up the red cube";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [checkpoint, bundle, python] = arguments.as_slice() else {
        println!("usage: full_size CHECKPOINT BUNDLE PYTHON (scripts/bench makes them)");
        return;
    };
    let engine = Engine::load(Some(&onnxruntime_library())).unwrap();
    let checkpoint = Checkpoint::open(Path::new(checkpoint), None).unwrap();
    let bundle = Bundle::open(Path::new(bundle)).unwrap();
    let mut onnx = seconds(onnx_runtime(&engine, &bundle));
    let mut rate = ceiling::product_rate(&engine, &checkpoint);
    let candle = seconds(candle_forward(&checkpoint));
    let lerobot = lerobot(Path::new(python));
    // Once more on the other side of LeRobot, in case the machine was busy with something else at first.
    onnx = onnx.min(seconds(onnx_runtime(&engine, &bundle)));
    rate = rate.max(ceiling::product_rate(&engine, &checkpoint));
    let operations = ceiling::operations(&checkpoint.model, bundle.manifest.cameras.len());
    println!(
        "one call, 3 cameras, batch 1, float32; seconds, the least of {} (candle: of {RUN_COUNT})",
        2 * RUN_COUNT
    );
    println!("{:<28}{:>10}{:>20}{:>24}", "", "seconds", "of LeRobot's time", "of the product's rate");
    let row = |name: &str, time: f64| {
        println!("{name:<28}{time:>10.3}{:>20.2}{:>24.2}", time / lerobot, operations / time / rate);
    };
    row("LeRobot (PyTorch)", lerobot);
    row("candle forward pass", candle);
    row("ONNX Runtime", onnx);
    row("all at the product's rate", operations / rate);
    println!("ONNX Runtime / candle: {:.2}", onnx / candle);
    println!(
        "A call is {:.1} GFLOP; its largest product alone runs at {:.0} GFLOP/s in ONNX Runtime.",
        operations / 1e9,
        rate / 1e9
    );
}

/// The least of several: the machine's other work only ever adds.
fn seconds(mut call: impl FnMut()) -> f64 {
    call();
    let time = |_| {
        let start = Instant::now();
        call();
        start.elapsed().as_secs_f64()
    };
    (0..RUN_COUNT).map(time).fold(f64::INFINITY, f64::min)
}

fn onnx_runtime(engine: &Engine, bundle: &Bundle) -> impl FnMut() + use<> {
    let mut policy = Policy::load_in(engine.environment(), bundle, &PolicyConfig::default()).unwrap();
    policy.set_instruction(INSTRUCTION).unwrap();
    let size = bundle.manifest.model.vision.image_size;
    let pixels = vec![0.1; 3 * size * size];
    let state: Vec<f32> = bundle.manifest.state.dimensions.iter().map(|d| d.statistics.mean as f32).collect();
    let noise = vec![0.5; policy.noise_len()];
    let cameras = bundle.manifest.cameras.len();
    move || {
        let frames = (0..cameras).map(|_| pixels.as_slice());
        let frames = frames.collect::<Vec<_>>().into_iter();
        policy.infer(frames, &state, &noise, &Conditioning::Free).unwrap();
    }
}

fn candle_forward(checkpoint: &Checkpoint) -> impl FnMut() {
    let model = &checkpoint.model;
    let ops = CandleOps::new(&checkpoint.weights, &Device::Cpu);
    let tokenizer = InstructionTokenizer::open(&checkpoint.tokenizer, model.language_token_count, 2).unwrap();
    let instruction = tokenizer.encode(INSTRUCTION).unwrap();
    let cameras = checkpoint.policy.cameras().unwrap().len();
    let layout = PrefixLayout::new(model, &vec![true; cameras], &instruction.valid);
    let (size, chunk, tokens) = (model.vision.image_size, model.chunk_size, layout.token_count());
    move || {
        let network = SmolVla::new(model);
        let pixels = ops.tensor(&vec![0.1; 3 * size * size], &[1, 3, size, size]).unwrap();
        let images: Vec<Tensor> = (0..cameras).map(|_| network.vision(&ops, &pixels).unwrap()).collect();
        let inputs = PrefixInputs {
            image_tokens: &images,
            token_ids: &ops.ids(&instruction.ids, &[1, instruction.ids.len()]).unwrap(),
            state: &ops.tensor(&vec![0.0; model.max_state_dim], &[1, model.max_state_dim]).unwrap(),
            mask: &ops.tensor(&layout.mask(), &[1, tokens, tokens]).unwrap(),
            positions: &ops.ids(&layout.positions(), &[1, tokens]).unwrap(),
        };
        let cache = network.prefix(&ops, &inputs).unwrap();
        let mask = ops.tensor(&layout.suffix_mask(chunk), &[1, chunk, tokens + chunk]).unwrap();
        let positions = ops.ids(&layout.suffix_positions(chunk), &[1, chunk]).unwrap();
        let mut x_t = vec![0.5; chunk * model.max_action_dim];
        flow::euler(model.denoise_step_count, &mut x_t, |x_t, time| {
            let inputs = SuffixInputs {
                x_t: &ops.tensor(x_t, &[1, chunk, model.max_action_dim]).unwrap(),
                time: &ops.tensor(&vec![time; chunk], &[1, chunk]).unwrap(),
                mask: &mask,
                positions: &positions,
            };
            let velocity = network.velocity(&ops, &inputs, &cache).unwrap();
            Ok::<_, std::convert::Infallible>(velocity.flatten_all().unwrap().to_vec1().unwrap())
        })
        .unwrap();
    }
}

fn lerobot(python: &Path) -> f64 {
    let output = Command::new(python)
        .current_dir(repository())
        .arg("tests/tools/make_reference.py")
        .args(["--size", "full", "--cameras", "3", "--skip-golden", "--bench", "--bench-train-batch", "0"])
        .args(["--bench-runs", &(2 * RUN_COUNT).to_string(), "--out", "out/bench/lerobot"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = std::fs::read(repository().join("out/bench/lerobot/bench.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    report["inference_b1"]["total"]["min"].as_f64().unwrap()
}
