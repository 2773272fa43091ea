//! Training on candle gives LeRobot's losses, gradients and optimiser steps.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use candle_core::{DType, Device, Tensor};
use sinew_models::config::ModelConfig;
use sinew_models::preprocess::Instruction;
use sinew_models::weights::expected_tensors;
use sinew_tests::golden::{CASES, Case, assert_close};
use sinew_trainer::candle_ops::CandleOps;
use sinew_trainer::config::LoraTarget;
use sinew_trainer::train::forward::{Forward, Loss, Observations, Targets};
use sinew_trainer::train::freeze::Freezing;
use sinew_trainer::train::lora::Lora;
use sinew_trainer::train::noising::{Draws, Noised, error_weights};
use sinew_trainer::train::optimizer::{AdamW, AdamWOptions, Gradients};
use sinew_trainer::train::params::{Params, Selection};
use sinew_trainer::train::schedule::{Schedule, ScheduleKind};

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn freezing(case: &Case) -> Freezing {
    let policy = &case.checkpoint.policy;
    Freezing {
        freeze_vision_encoder: policy.freeze_vision_encoder,
        train_expert_only: policy.train_expert_only,
        train_state_proj: policy.train_state_proj,
    }
}

fn selection(case: &Case, lora: Option<Lora>) -> Selection<'_> {
    Selection {
        model: &case.checkpoint.model,
        freezing: freezing(case),
        lora,
        device: &Device::Cpu,
        product_dtype: DType::F32,
    }
}

/// One recorded batch, ready to be trained on.
struct Batch {
    pixels: Vec<Vec<f32>>,
    instructions: Vec<Instruction>,
    camera_valid: Vec<bool>,
    noised: Vec<Noised>,
    error_weights: Vec<f32>,
    action_penalty: f64,
    /// Whether images and language go through the VLM without a gradient, and the state after them, as in a training whose VLM
    /// is frozen.
    has_frozen_context: bool,
}

impl Batch {
    fn new(case: &Case) -> Self {
        Self::of(case, &selection(case, None))
    }

    /// As this training computes it.
    fn of(case: &Case, selection: &Selection<'_>) -> Self {
        let (ids, valid) = (case.get("in.token_ids"), case.get("in.token_mask"));
        let (noise, time) = (case.get("in.noise"), case.get("in.time"));
        let (actions, is_pad) = (case.get("pre.action_padded"), case.get("in.action_is_pad"));
        let samples = 0..case.batch();
        let noised: Vec<Noised> = samples
            .clone()
            .map(|i| {
                let draws =
                    Draws { noise: noise.sample(i).values, time: time.values[i], clean_step_count: 0 };
                Noised::new(&actions.sample(i).values, &is_pad.sample(i).bools(), &draws)
            })
            .collect();
        let counts: Vec<&[bool]> = noised.iter().map(|noised| noised.counts.as_slice()).collect();
        let action_dim = case.checkpoint.policy.action_dim().unwrap();
        let error_weights = error_weights(&counts, &vec![1.0; case.batch()], &vec![1.0; action_dim]);
        let instruction = |i| Instruction { ids: ids.sample(i).ids(), valid: valid.sample(i).bools() };
        Self {
            pixels: pixels(case),
            instructions: samples.map(instruction).collect(),
            camera_valid: case.camera_valid(),
            noised,
            error_weights,
            action_penalty: 0.0,
            has_frozen_context: selection.context_is_frozen(),
        }
    }

    /// Every recorded noise and time twice, one after the other.
    fn with_each_draw_twice(mut self) -> Self {
        let action_dim = self.error_weights.len() / self.noised.iter().map(|x| x.counts.len()).sum::<usize>();
        self.noised = self.noised.into_iter().flat_map(|noised| [noised.clone(), noised]).collect();
        let counts: Vec<&[bool]> = self.noised.iter().map(|noised| noised.counts.as_slice()).collect();
        self.error_weights = error_weights(&counts, &vec![1.0; counts.len()], &vec![1.0; action_dim]);
        self
    }

    fn loss(&self, case: &Case, ops: &CandleOps<'_>) -> Loss {
        self.loss_of(&case.checkpoint.model, ops, &case.get("pre.state_padded").values)
    }

    fn loss_of(&self, model: &ModelConfig, ops: &CandleOps<'_>, state: &[f32]) -> Loss {
        let forward = Forward { model, ops };
        let tokens: Vec<Tensor> = self.pixels.iter().map(|pixels| forward.vision(pixels).unwrap()).collect();
        let observations =
            Observations { instructions: &self.instructions, state, camera_valid: &self.camera_valid };
        let prefix = if self.has_frozen_context {
            let context = forward.context(&tokens, &observations).unwrap();
            forward.append_state(&context, &observations).unwrap()
        } else {
            forward.prefix(&tokens, &observations).unwrap()
        };
        let prefix = prefix.repeated(self.noised.len() / self.instructions.len()).unwrap();
        let targets = Targets {
            noised: &self.noised,
            error_weights: &self.error_weights,
            action_penalty: self.action_penalty,
        };
        forward.loss(&prefix, &targets).unwrap()
    }
}

/// One entry a camera slot; a blank where there is none.
fn pixels(case: &Case) -> Vec<Vec<f32>> {
    let size = case.checkpoint.model.vision.image_size;
    let cameras = case.present_cameras();
    let slot = |slot: usize| {
        let mut pixels = vec![-1.0; case.batch() * 3 * size * size];
        if let Some(camera) = cameras.get(slot) {
            let frames = case.frames(camera);
            let plan =
                sinew_models::preprocess::ResizePlan::new(frames.shape[2], frames.shape[1], size).unwrap();
            for (sample, output) in pixels.chunks_exact_mut(plan.output_len()).enumerate() {
                plan.apply(&frames.sample(sample).bytes(), output).unwrap();
            }
        }
        pixels
    };
    (0..case.camera_valid().len()).map(slot).collect()
}

/// With kernels of our own, and composed of candle's operations only.
fn in_memory_and_as_on_a_device(case: &Case) -> [CandleOps<'_>; 2] {
    let ops = || CandleOps::new(&case.checkpoint.weights, &Device::Cpu);
    [ops(), ops().composed()]
}

/// A recorded policy with its trained weights.
struct Training<'a> {
    case: &'a Case,
    ops: CandleOps<'a>,
    params: Params,
    batch: Batch,
}

impl<'a> Training<'a> {
    fn new(case: &'a Case) -> Self {
        let checkpoint = &case.checkpoint;
        let ops = CandleOps::new(&checkpoint.weights, &Device::Cpu);
        let params = Params::new(&checkpoint.weights, &selection(case, None)).unwrap();
        Self { case, ops, params, batch: Batch::new(case) }
    }

    fn loss_and_gradients(&self) -> (f32, Gradients) {
        self.params.bind(&self.ops).unwrap();
        let loss = self.batch.loss(self.case, &self.ops);
        let mut store = loss.total.backward().unwrap();
        (loss.total.to_scalar().unwrap(), Gradients::collect(&self.params, &mut store).unwrap())
    }
}

#[test]
fn loss_is_lerobots_in_every_configuration() {
    for case in CASES.map(Case::open) {
        let recorded = case.get("train.losses");
        let width = recorded.shape[2];
        let action_dim = case.checkpoint.policy.action_dim().unwrap();
        let expected: Vec<f32> =
            recorded.values.chunks_exact(width).flat_map(|row| &row[..action_dim]).copied().collect();
        for ops in in_memory_and_as_on_a_device(&case) {
            let loss = Batch::new(&case).loss(&case, &ops);
            case.assert_close("train.loss", &[loss.total.to_scalar().unwrap()]);
            assert_close(&format!("{}: train.losses", case.name), &expected, &numbers(&loss.squared_errors));
        }
    }
}

/// Drawn twice alike, a sample's noise teaches what it teaches drawn once: loss and gradients stay LeRobot's.
#[test]
fn several_draws_share_one_look_at_their_sample() {
    for case in ["tiny", "unfrozen"].map(Case::open) {
        let mut training = Training::new(&case);
        training.batch = training.batch.with_each_draw_twice();
        case.assert_close("train.loss", &[training.loss_and_gradients().0]);
        check_gradients(&training);
    }
}

/// The action that a velocity means is `x_t − t v`: from LeRobot's recorded `x_t` and `v_t`.
#[test]
fn the_penalty_is_the_mean_square_of_the_predicted_actions() {
    let case = Case::open("tiny");
    let ops = CandleOps::new(&case.checkpoint.weights, &Device::Cpu);
    let mut batch = Batch::new(&case);
    batch.action_penalty = 0.25;
    let found: f32 = batch.loss(&case, &ops).total.to_scalar().unwrap();
    let (x_t, v_t) = (case.get("train.x_t"), case.get("train.v_t"));
    let action_dim = case.checkpoint.policy.action_dim().unwrap();
    let [samples, steps, width] = x_t.shape[..] else { panic!("{:?}", x_t.shape) };
    let (mut sum, mut count) = (0.0, 0);
    for sample in 0..samples {
        let (time, is_pad) =
            (case.get("in.time").values[sample], case.get("in.action_is_pad").sample(sample).bools());
        for step in (0..steps).filter(|step| !is_pad[*step]) {
            for dimension in 0..action_dim {
                let place = (sample * steps + step) * width + dimension;
                sum += (x_t.values[place] - time * v_t.values[place]).powi(2);
                count += 1;
            }
        }
    }
    let expected = case.get("train.loss").values[0] + 0.25 * sum / count as f32;
    assert_close("loss with penalty", &[expected], &[found]);
}

/// bfloat16 has 8 bits of precision: the loss of a mean over thousands of errors keeps two digits.
#[test]
fn products_in_bfloat16_give_nearly_the_same_loss_and_gradients() {
    let case = Case::open("unfrozen");
    let exact = Training::new(&case);
    let mut rounded = Training::new(&case);
    rounded.ops = rounded.ops.with_products_in(DType::BF16);
    let ((loss, gradients), (rounded_loss, rounded_gradients)) =
        (exact.loss_and_gradients(), rounded.loss_and_gradients());
    assert!((loss - rounded_loss).abs() < 1e-2 * loss && loss != rounded_loss, "{loss}, {rounded_loss}");
    for (entry, (exact, rounded)) in
        exact.params.entries().iter().zip(gradients.iter().zip(rounded_gradients.iter()))
    {
        let (exact, rounded) = (numbers(exact.unwrap()), numbers(rounded.unwrap()));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let size = dot(&exact, &exact).sqrt();
        // The gradient of a key's bias is zero but for rounding: softmax does not see it.
        if size < 1e-3 {
            continue;
        }
        let cosine = dot(&exact, &rounded) / (size * dot(&rounded, &rounded).sqrt());
        assert!(cosine > 0.98, "{}: {cosine}", entry.name);
    }
}

/// A wider state starts as the policy was: the new columns are zero.
#[test]
fn a_widened_state_changes_nothing_until_it_is_trained() {
    let case = Case::open("tiny");
    let wider = ModelConfig { max_state_dim: 40, ..case.checkpoint.model.clone() };
    let selection = Selection { model: &wider, ..selection(&case, None) };
    let params = Params::new(&case.checkpoint.weights, &selection).unwrap();
    let ops = CandleOps::new(&case.checkpoint.weights, &Device::Cpu);
    params.bind(&ops).unwrap();
    let narrow = case.get("pre.state_padded");
    let mut state = Vec::new();
    for row in narrow.values.chunks_exact(narrow.shape[1]) {
        state.extend_from_slice(row);
        // Whatever stands in the new dimensions does not matter yet.
        state.extend([3.0; 8]);
    }
    let loss = Batch::new(&case).loss_of(&wider, &ops, &state);
    case.assert_close("train.loss", &[loss.total.to_scalar().unwrap()]);
}

/// An adapter's product begins at zero.
#[test]
fn adapters_change_nothing_until_they_are_trained() {
    let case = Case::open("tiny");
    for target in [LoraTarget::Expert, LoraTarget::Text] {
        let lora = Lora { rank: 3, alpha: 6.0, target, seed: 1 };
        let selection = selection(&case, Some(lora));
        let params = Params::new(&case.checkpoint.weights, &selection).unwrap();
        let ops = CandleOps::new(&case.checkpoint.weights, &Device::Cpu);
        params.bind(&ops).unwrap();
        let loss = Batch::of(&case, &selection).loss(&case, &ops);
        case.assert_close("train.loss", &[loss.total.to_scalar().unwrap()]);
        let mut store = loss.total.backward().unwrap();
        let gradients = Gradients::collect(&params, &mut store).unwrap();
        for (entry, gradient) in params.entries().iter().zip(gradients.iter()) {
            assert!(gradient.is_some(), "{}", entry.name);
        }
    }
}

#[test]
fn gradients_are_lerobots_with_the_vlm_frozen_and_trained() {
    for case in ["tiny", "unfrozen"].map(Case::open) {
        for ops in in_memory_and_as_on_a_device(&case) {
            check_gradients(&Training { ops, ..Training::new(&case) });
        }
        // In one piece too, where a training takes it in two.
        let mut whole = Training::new(&case);
        whole.batch.has_frozen_context = false;
        check_gradients(&whole);
    }
}

fn check_gradients(training: &Training<'_>) {
    let case = training.case;
    let (_, gradients) = training.loss_and_gradients();
    let l2 = case.meta["grad_l2"].as_object().unwrap();
    let mut compared = 0;
    for (entry, gradient) in training.params.entries().iter().zip(gradients.iter()) {
        let gradient = numbers(gradient.unwrap_or_else(|| panic!("no gradient: {}", entry.name)));
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let expected = l2[&entry.name].as_f64().unwrap();
        assert!((norm - expected).abs() <= 1e-4 * expected.max(1.0), "{}: {norm}, {expected}", entry.name);
        let name = format!("train.grad.{}", entry.name);
        if case.find(&name).is_some() {
            case.assert_close(&name, &gradient);
            compared += 1;
        }
    }
    let recorded = case.meta["picked"].as_array().unwrap().len();
    // LeRobot 0.4 also trains the last text layer, where 0.6 and we do not; no gradient of it was picked.
    assert_eq!(compared, recorded, "{}", case.name);
    if case.name == "tiny" {
        assert_eq!(training.params.entries().len(), case.meta["trainable"].as_array().unwrap().len());
        case.assert_close("train.grad_norm", &[gradients.norm().unwrap() as f32]);
    }
}

#[test]
fn three_steps_of_adamw_are_lerobots() {
    let case = Case::open("tiny");
    let training = Training::new(&case);
    let rate = case.meta["opt"]["lr"].as_f64().unwrap();
    let before: Vec<Vec<f32>> =
        training.params.entries().iter().map(|entry| numbers(entry.var.as_tensor())).collect();
    let mut optimizer = AdamW::new(AdamWOptions::default(), &training.params).unwrap();
    let (mut losses, mut norms) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let (loss, gradients) = training.loss_and_gradients();
        losses.push(loss);
        norms.push(optimizer.step(&training.params, &gradients, rate).unwrap() as f32);
    }
    case.assert_close("opt.loss", &losses);
    case.assert_close("opt.grad_norm", &norms);
    for (entry, before) in training.params.entries().iter().zip(before) {
        let after = numbers(entry.var.as_tensor());
        let change: f64 =
            after.iter().zip(&before).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        let expected = case.meta["opt_param_delta_l2"][&entry.name].as_f64().unwrap();
        assert!((change - expected).abs() <= 1e-3 * expected, "{}: {change}, {expected}", entry.name);
        let Some(recorded) = case.find(&format!("opt.param.{}", entry.name)) else { continue };
        let differences: Vec<f64> =
            recorded.values.iter().zip(&after).map(|(a, b)| f64::from((a - b).abs())).collect();
        // A gradient near zero may have the other sign elsewhere, and a step is then the other way.
        assert!(differences.iter().all(|d| *d <= 3.0 * rate), "{}", entry.name);
        let strays = differences.iter().filter(|d| **d > 1e-2 * rate).count();
        assert!(strays * 500 <= differences.len().max(500), "{}: {strays} strays", entry.name);
    }
}

#[test]
fn learning_rates_are_lerobots() {
    let case = Case::open("tiny");
    let text = std::fs::read(case.checkpoint.folder.join("lr_schedule.json")).unwrap();
    let recorded: serde_json::Value = serde_json::from_slice(&text).unwrap();
    for (total, rates) in recorded.as_object().unwrap() {
        let schedule = Schedule {
            kind: ScheduleKind::Lerobot,
            peak: 1e-4,
            end: 2.5e-6,
            warmup_steps: 1000,
            decay_steps: 30_000,
            total_steps: total.parse().unwrap(),
        };
        for (step, rate) in rates.as_object().unwrap() {
            let (found, expected) = (schedule.rate(step.parse().unwrap()), rate.as_f64().unwrap());
            assert!(
                (found - expected).abs() <= 1e-9 * 1e-4 + 1e-12 * expected,
                "{total}, {step}: {found}, {expected}"
            );
        }
    }
}

#[test]
fn parameters_are_numbered_as_lerobot_numbers_them() {
    let case = Case::open("tiny");
    let text = std::fs::read_to_string(case.checkpoint.folder.join("tensors.json")).unwrap();
    let recorded: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    let found: Vec<String> =
        expected_tensors(&case.checkpoint.model).into_iter().map(|spec| spec.name).collect();
    assert_eq!(found, recorded.keys().cloned().collect::<Vec<_>>());
}
