//! LeRobot loads a checkpoint that Sinew trained and predicts what Sinew predicts.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use candle_core::{DType, Device};
use safetensors::SafeTensors;
use sinew_models::checkpoint::{Checkpoint, PAD_ID};
use sinew_models::contract::{Dimension, Vector};
use sinew_models::preprocess::{InstructionTokenizer, Normalizer, ResizePlan};
use sinew_models::unit::Unit;
use sinew_tests::fixture;
use sinew_tests::golden::assert_close;
use sinew_trainer::train::freeze::Freezing;
use sinew_trainer::train::learner::{Learner, Seen, Shown};
use sinew_trainer::train::params::Selection;
use sinew_trainer::train::prepare::Prepared;

fn normalizer(checkpoint: &Checkpoint, feature: &str, kind: &str, width: usize) -> Normalizer {
    let statistics = checkpoint.processors.feature(feature, kind, width).unwrap();
    let dimension = |(source_index, statistics)| Dimension {
        name: format!("{feature}[{source_index}]"),
        unit: Unit::One,
        source_index: Some(source_index),
        derived: None,
        statistics,
    };
    let dimensions = statistics.dimensions.into_iter().enumerate().map(dimension).collect();
    Normalizer::new(&Vector { normalization: statistics.mode, eps: statistics.eps, dimensions }).unwrap()
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    file.tensor(name).unwrap().data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[test]
fn lerobot_predicts_the_same_with_what_we_trained() {
    let folder = fixture("trained");
    let checkpoint = Checkpoint::open(&folder, None).unwrap();
    let (policy, model) = (&checkpoint.policy, &checkpoint.model);
    // What the training was asked for beyond a stock policy.
    assert_eq!((policy.state_dim().unwrap(), policy.max_state_dim, policy.chunk_size), (34, 40, 16));
    let bytes = std::fs::read(folder.join("lerobot.safetensors")).unwrap();
    let recorded = SafeTensors::deserialize(&bytes).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let task = &metadata.metadata().as_ref().unwrap()["task"];

    let tokenizer =
        InstructionTokenizer::open(&checkpoint.tokenizer, policy.tokenizer_max_length, PAD_ID).unwrap();
    let state = normalizer(&checkpoint, "observation.state", "STATE", 34);
    let action = normalizer(&checkpoint, "action", "ACTION", 23);
    let pixels = |(key, _): &(String, sinew_models::config::Feature)| {
        let frame = recorded.tensor(&format!("frame.{key}")).unwrap();
        let [height, width, _] = frame.shape() else { panic!("{key} is no picture") };
        let plan = ResizePlan::new(*width, *height, model.vision.image_size).unwrap();
        let mut pixels = vec![0.0; plan.output_len()];
        plan.apply(frame.data(), &mut pixels).unwrap();
        pixels
    };
    let cameras = policy.cameras().unwrap();
    let shown = Shown {
        numbers: Prepared {
            instruction: tokenizer.encode(task).unwrap(),
            state: state.normalize(&floats(&recorded, "state"), model.max_state_dim).unwrap(),
            actions: Vec::new(),
            action_is_pad: Vec::new(),
        },
        seen: Seen::Pixels(cameras.iter().map(pixels).collect()),
    };
    let selection = Selection {
        model,
        freezing: Freezing { freeze_vision_encoder: true, train_expert_only: true, train_state_proj: true },
        lora: None,
        device: &Device::Cpu,
        product_dtype: DType::F32,
    };
    let learner = Learner::new(&checkpoint.weights, selection, vec![true; cameras.len()]).unwrap();
    learner.use_trained().unwrap();
    let normalised = learner.predict(&[shown], &floats(&recorded, "noise")).unwrap();
    let found = action.unnormalize(&normalised, model.max_action_dim).unwrap();
    assert_close("actions", &floats(&recorded, "actions"), &found);
}
