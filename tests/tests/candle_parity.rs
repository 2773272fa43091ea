//! SmolVLA on candle gives LeRobot's numbers in every stage, for every configuration.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use candle_core::{Device, Tensor};
use sinew_models::checkpoint::PAD_ID;
use sinew_models::contract::{Dimension, Vector};
use sinew_models::flow;
use sinew_models::masks::PrefixLayout;
use sinew_models::ops::Ops;
use sinew_models::preprocess::{InstructionTokenizer, Normalizer, ResizePlan};
use sinew_models::smolvla::{ContextInputs, LayerCache, PrefixInputs, SmolVla, StateInputs, SuffixInputs};
use sinew_models::unit::Unit;
use sinew_tests::golden::{CASES, Case, assert_close};
use sinew_trainer::candle_ops::CandleOps;

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The processors' statistics of a feature; names and units do not matter here.
fn normalizer(case: &Case, feature: &str, kind: &str, width: usize) -> Normalizer {
    let statistics = case.checkpoint.processors.feature(feature, kind, width).unwrap();
    let dimension = |(i, statistics)| Dimension {
        name: format!("{feature}[{i}]"),
        unit: Unit::One,
        source_index: Some(i),
        derived: None,
        statistics,
    };
    let dimensions = statistics.dimensions.into_iter().enumerate().map(dimension).collect();
    Normalizer::new(&Vector { normalization: statistics.mode, eps: statistics.eps, dimensions }).unwrap()
}

/// The layouts of a batch: one a sample.
fn layouts(case: &Case) -> Vec<PrefixLayout> {
    let language = case.get("in.token_mask");
    let layout = |sample| {
        PrefixLayout::new(&case.checkpoint.model, &case.camera_valid(), &language.sample(sample).bools())
    };
    (0..case.batch()).map(layout).collect()
}

fn batched<T>(layouts: &[PrefixLayout], part: impl Fn(&PrefixLayout) -> Vec<T>) -> Vec<T> {
    layouts.iter().flat_map(part).collect()
}

#[test]
fn frames_become_the_references_vision_input() {
    for case in CASES.map(Case::open) {
        let size = case.checkpoint.model.vision.image_size;
        for (slot, camera) in case.present_cameras().iter().enumerate() {
            let Some(expected) = case.find(&format!("pre.image.{slot}")) else { continue };
            let frames = case.frames(camera);
            let plan = ResizePlan::new(frames.shape[2], frames.shape[1], size).unwrap();
            for sample in 0..case.batch() {
                let mut found = vec![0.0; plan.output_len()];
                plan.apply(&frames.sample(sample).bytes(), &mut found).unwrap();
                let name = format!("{}: pre.image.{slot}, sample {sample}", case.name);
                assert_close(&name, &expected.sample(sample).values, &found);
            }
        }
    }
}

#[test]
fn instructions_and_vectors_become_the_references_inputs() {
    for case in CASES.map(Case::open) {
        let policy = &case.checkpoint.policy;
        let tokenizer =
            InstructionTokenizer::open(&case.checkpoint.tokenizer, policy.tokenizer_max_length, PAD_ID)
                .unwrap();
        let (ids, mask) = (case.get("in.token_ids"), case.get("in.token_mask"));
        for (sample, task) in case.tasks().iter().enumerate() {
            let instruction = tokenizer.encode(task).unwrap();
            let length = ids.shape[1];
            assert_eq!(instruction.ids[..length], ids.sample(sample).ids(), "{}: {task}", case.name);
            assert_eq!(instruction.valid[..length], mask.sample(sample).bools(), "{}: {task}", case.name);
        }
        let raw = case.get("in.state_raw");
        let state = normalizer(&case, "observation.state", "STATE", raw.shape[1]);
        let padded = |sample| state.normalize(&raw.sample(sample).values, policy.max_state_dim).unwrap();
        case.assert_close("pre.state_padded", &(0..case.batch()).flat_map(padded).collect::<Vec<_>>());
        let raw = case.get("in.action_raw");
        let action = normalizer(&case, "action", "ACTION", raw.shape[2]);
        let rows = raw.values.chunks_exact(raw.shape[2]);
        let padded = rows.flat_map(|row| action.normalize(row, policy.max_action_dim).unwrap());
        case.assert_close("pre.action_padded", &padded.collect::<Vec<_>>());
    }
}

#[test]
fn masks_and_positions_are_the_references() {
    for case in CASES.map(Case::open) {
        let layouts = layouts(&case);
        let chunk = case.checkpoint.model.chunk_size;
        assert_eq!(
            batched(&layouts, |l| l.valid.clone()),
            case.get("prefix.pad_masks").bools(),
            "{}",
            case.name
        );
        let visible = |mask: Vec<f32>| -> Vec<bool> { mask.iter().map(|score| *score == 0.0).collect() };
        let seen = batched(&layouts, |l| visible(l.mask()));
        assert_eq!(seen, case.get("prefix.att_2d").bools(), "{}: prefix.att_2d", case.name);
        let seen = batched(&layouts, |l| visible(l.suffix_mask(chunk)));
        assert_eq!(seen, case.get("suffix.att_2d").bools(), "{}: suffix.att_2d", case.name);
        let positions = batched(&layouts, PrefixLayout::positions);
        assert_eq!(positions, case.get("prefix.position_ids").ids(), "{}: prefix.position_ids", case.name);
        let positions = batched(&layouts, |l| l.suffix_positions(chunk));
        assert_eq!(positions, case.get("suffix.position_ids").ids(), "{}: suffix.position_ids", case.name);
    }
}

/// Runs the network on the recorded inputs.
struct Run<'a> {
    case: &'a Case,
    ops: CandleOps<'a>,
    layouts: Vec<PrefixLayout>,
}

impl<'a> Run<'a> {
    fn new(case: &'a Case) -> Self {
        let ops = CandleOps::new(&case.checkpoint.weights, &Device::Cpu).with_tags();
        Self { case, ops, layouts: layouts(case) }
    }

    fn network(&self) -> SmolVla<'a> {
        SmolVla::new(&self.case.checkpoint.model).with_last_layer_in_full()
    }

    fn compare_tags(&self, suffix: &str) {
        for (name, found) in self.ops.take_tags() {
            if self.case.find(&format!("{name}{suffix}")).is_some() {
                self.case.assert_close(&format!("{name}{suffix}"), &numbers(&found));
            }
        }
    }

    /// One entry a slot: the camera's frames resized, or a blank.
    fn vision(&self) -> Vec<Tensor> {
        let (batch, size) = (self.case.batch(), self.case.checkpoint.model.vision.image_size);
        let cameras = self.case.present_cameras();
        let slot = |slot: usize| {
            let mut pixels = vec![-1.0; batch * 3 * size * size];
            if let Some(camera) = cameras.get(slot) {
                let frames = self.case.frames(camera);
                let plan = ResizePlan::new(frames.shape[2], frames.shape[1], size).unwrap();
                for (sample, output) in pixels.chunks_exact_mut(plan.output_len()).enumerate() {
                    plan.apply(&frames.sample(sample).bytes(), output).unwrap();
                }
            }
            let pixels = self.ops.tensor(&pixels, &[batch, 3, size, size]).unwrap();
            let tokens = self.network().vision(&self.ops, &pixels).unwrap();
            self.compare_tags(&format!(".{slot}"));
            tokens
        };
        (0..self.case.camera_valid().len()).map(slot).collect()
    }

    fn prefix(&self, image_tokens: &[Tensor]) -> Vec<LayerCache<Tensor>> {
        let (batch, tokens) = (self.case.batch(), self.layouts[0].token_count());
        let (ids, state) = (self.case.get("in.token_ids"), self.case.get("pre.state_padded"));
        let mask = batched(&self.layouts, PrefixLayout::mask);
        let positions = batched(&self.layouts, PrefixLayout::positions);
        let inputs = PrefixInputs {
            image_tokens,
            token_ids: &self.ops.ids(&ids.ids(), &ids.shape).unwrap(),
            state: &self.ops.tensor(&state.values, &state.shape).unwrap(),
            mask: &self.ops.tensor(&mask, &[batch, tokens, tokens]).unwrap(),
            positions: &self.ops.ids(&positions, &[batch, tokens]).unwrap(),
        };
        let cache = self.network().prefix(&self.ops, &inputs).unwrap();
        self.compare_tags("");
        cache
    }

    /// The prefix in two halves, as a frozen VLM is trained: once without the state, then the state alone.
    fn prefix_in_halves(&self, image_tokens: &[Tensor]) -> Vec<LayerCache<Tensor>> {
        let (batch, tokens) = (self.case.batch(), self.layouts[0].context_token_count());
        let (ids, state) = (self.case.get("in.token_ids"), self.case.get("pre.state_padded"));
        let mask = batched(&self.layouts, PrefixLayout::context_mask);
        let positions = batched(&self.layouts, PrefixLayout::context_positions);
        let inputs = ContextInputs {
            image_tokens,
            token_ids: &self.ops.ids(&ids.ids(), &ids.shape).unwrap(),
            mask: &self.ops.tensor(&mask, &[batch, tokens, tokens]).unwrap(),
            positions: &self.ops.ids(&positions, &[batch, tokens]).unwrap(),
        };
        let network = SmolVla::new(&self.case.checkpoint.model);
        let context = network.context(&self.ops, &inputs).unwrap();
        let mask = batched(&self.layouts, PrefixLayout::state_mask);
        let positions = batched(&self.layouts, |l| vec![l.state_position()]);
        let inputs = StateInputs {
            state: &self.ops.tensor(&state.values, &state.shape).unwrap(),
            mask: &self.ops.tensor(&mask, &[batch, 1, tokens + 1]).unwrap(),
            position: &self.ops.ids(&positions, &[batch, 1]).unwrap(),
        };
        network.append_state(&self.ops, &context, &inputs).unwrap()
    }

    fn velocity(&self, cache: &[LayerCache<Tensor>], x_t: &[f32], time: f32) -> Vec<f32> {
        let model = &self.case.checkpoint.model;
        let (batch, chunk) = (self.case.batch(), model.chunk_size);
        let tokens = self.layouts[0].token_count();
        let mask = batched(&self.layouts, |l| l.suffix_mask(chunk));
        let positions = batched(&self.layouts, |l| l.suffix_positions(chunk));
        let inputs = SuffixInputs {
            x_t: &self.ops.tensor(x_t, &[batch, chunk, model.max_action_dim]).unwrap(),
            time: &self.ops.tensor(&vec![time; batch * chunk], &[batch, chunk]).unwrap(),
            mask: &self.ops.tensor(&mask, &[batch, chunk, tokens + chunk]).unwrap(),
            positions: &self.ops.ids(&positions, &[batch, chunk]).unwrap(),
        };
        numbers(&self.network().velocity(&self.ops, &inputs, cache).unwrap())
    }

    fn sample(&self, cache: &[LayerCache<Tensor>]) -> Vec<f32> {
        let mut x_t = self.case.get("in.noise").values.clone();
        let mut step = 0;
        flow::euler(self.case.checkpoint.model.denoise_step_count, &mut x_t, |x, time| {
            let v = self.velocity(cache, x, time);
            self.ops.take_tags();
            for (name, found) in [("x_t", x), ("v_t", v.as_slice())] {
                if self.case.find(&format!("sample.{name}.{step}")).is_some() {
                    self.case.assert_close(&format!("sample.{name}.{step}"), found);
                }
            }
            step += 1;
            Ok::<_, std::convert::Infallible>(v)
        })
        .unwrap();
        self.case.assert_close(&format!("sample.x_t.{step}"), &x_t);
        x_t
    }
}

#[test]
fn every_stage_of_every_configuration_gives_the_references_numbers() {
    for case in CASES.map(Case::open) {
        let run = Run::new(&case);
        let cache = run.prefix(&run.vision());
        let time = case.get("suffix.time").values[0];
        run.velocity(&cache, &case.get("in.noise").values, time);
        // The recorded time embedding has no step axis: every step had the same time.
        let mut tags = run.ops.take_tags();
        let embedding = tags.remove("suffix.time_emb").unwrap();
        let first_step = run.ops.slice(&embedding, 1, 0, 1).unwrap();
        case.assert_close("suffix.time_emb", &numbers(&first_step));
        for (name, found) in tags {
            case.assert_close(&name, &numbers(&found));
        }
        let x_0 = run.sample(&cache);
        let width = case.get("sample.actions").shape[2];
        let action = normalizer(&case, "action", "ACTION", width);
        let actions = action.unnormalize(&x_0, case.checkpoint.model.max_action_dim).unwrap();
        case.assert_close("sample.actions", &actions);
    }
}

#[test]
fn the_prefix_in_halves_gives_the_references_numbers() {
    for case in CASES.map(Case::open) {
        let run = Run::new(&case);
        let image_tokens = run.vision();
        let whole = run.prefix(&image_tokens);
        let halves = run.prefix_in_halves(&image_tokens);
        assert_eq!(whole.len(), halves.len(), "{}", case.name);
        for (whole, halves) in whole.iter().zip(&halves) {
            assert_eq!(whole.key.dims(), halves.key.dims(), "{}", case.name);
            assert_eq!(whole.value.dims(), halves.value.dims(), "{}", case.name);
        }
        run.ops.take_tags();
        let noise = &case.get("in.noise").values;
        let time = case.get("suffix.time").values[0];
        let velocity = run.velocity(&halves, noise, time);
        assert_close(&format!("{}: velocity", case.name), &run.velocity(&whole, noise, time), &velocity);
        case.assert_close("suffix.v_t", &velocity);
        run.sample(&halves);
    }
}
