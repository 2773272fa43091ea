//! The exported graphs give LeRobot's numbers in ONNX Runtime, in every stage, for every configuration.
//!
//! Graphs have static shapes: the instruction is padded to its full length, and cameras that are absent have no
//! slot. So rows are matched by what they are, not by where they stand, and rows of padding are left out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use ort::session::Session;
use sinew_models::contract::io;
use sinew_models::flow::{self, Conditioning, Guidance, GuidanceOptions, PrefixSchedule};
use sinew_models::masks::PrefixLayout;
use sinew_models::preprocess::ResizePlan;
use sinew_tests::golden::{Array, CASES, Case, TOLERANCE, relative_error};
use sinew_tests::onnxruntime_library;
use sinew_trainer::export::engine::{Engine, Input, run};
use sinew_trainer::export::graphs::Wiring;
use sinew_trainer::export::{GraphDtype, write};
use std::collections::HashMap;
use std::path::Path;

type Outputs = HashMap<String, Vec<f32>>;

/// The graphs of one recorded configuration, every tagged value an output.
struct Graphs<'a> {
    case: &'a Case,
    camera_count: usize,
    vision: Session,
    prefix: Session,
    denoise: Session,
}

impl<'a> Graphs<'a> {
    fn export(engine: &Engine, case: &'a Case, folder: &Path) -> Self {
        let checkpoint = &case.checkpoint;
        let camera_count = case.present_cameras().len();
        let wiring = Wiring {
            model: &checkpoint.model,
            weights: &checkpoint.weights,
            camera_count,
            dtype: GraphDtype::F32,
            expose_tags: true,
        };
        let open = |graph| {
            let written = write(&graph, &checkpoint.weights, folder).unwrap();
            engine.open(&written.model).unwrap()
        };
        Self {
            case,
            camera_count,
            vision: open(wiring.vision().unwrap()),
            prefix: open(wiring.prefix().unwrap()),
            denoise: open(wiring.denoise().unwrap()),
        }
    }
}

/// One sample of the recorded batch.
struct Sample<'a, 'b> {
    graphs: &'a mut Graphs<'b>,
    index: usize,
    layout: PrefixLayout,
    token_ids: Vec<i64>,
    /// Pairs of (recorded row, our row) of the prefix that are not padding.
    rows: Vec<(usize, usize)>,
}

impl<'a, 'b> Sample<'a, 'b> {
    fn new(graphs: &'a mut Graphs<'b>, index: usize) -> Self {
        let case = graphs.case;
        let model = &case.checkpoint.model;
        let mut token_ids = case.get("in.token_ids").sample(index).ids();
        let mut language = case.get("in.token_mask").sample(index).bools();
        let recorded = PrefixLayout::new(model, &case.camera_valid(), &language);
        token_ids.resize(model.language_token_count, 2);
        language.resize(model.language_token_count, false);
        let layout = PrefixLayout::new(model, &vec![true; graphs.camera_count], &language);
        // Both prefixes hold the same real tokens in the same order, up to the masked slots' special tokens.
        let real = |layout: &PrefixLayout| -> Vec<usize> {
            (0..layout.token_count()).filter(|row| layout.valid[*row]).collect()
        };
        let rows: Vec<_> = real(&recorded).into_iter().zip(real(&layout)).collect();
        assert_eq!(recorded.valid_count(), layout.valid_count(), "{}", case.name);
        Self { graphs, index, layout, token_ids, rows }
    }

    fn recorded(&self, name: &str) -> Option<Array> {
        self.graphs.case.find(name).map(|array| array.sample(self.index))
    }

    fn compare(&self, name: &str, expected: &[f32], found: &[f32]) {
        let name = format!("{}: {name}, sample {}", self.graphs.case.name, self.index);
        let error = relative_error(&name, expected, found);
        assert!(error <= TOLERANCE, "{name}: error {error:.2e} exceeds {TOLERANCE:.0e}");
    }

    fn compare_all(&self, outputs: &Outputs, suffix: &str) {
        for (name, found) in outputs {
            if let Some(expected) = self.recorded(&format!("{name}{suffix}")) {
                self.compare(name, &expected.values, found);
            }
        }
    }

    fn vision(&mut self) -> Vec<Vec<f32>> {
        let case = self.graphs.case;
        let size = case.checkpoint.model.vision.image_size;
        let mut tokens = Vec::new();
        for (slot, camera) in case.present_cameras().iter().enumerate() {
            let frame = case.frames(camera).sample(self.index);
            let plan = ResizePlan::new(frame.shape[1], frame.shape[0], size).unwrap();
            let mut pixels = vec![0.0; plan.output_len()];
            plan.apply(&frame.bytes(), &mut pixels).unwrap();
            let input = (io::PIXELS.to_owned(), Input::Numbers(&pixels, vec![1, 3, size, size]));
            let mut outputs = run(&mut self.graphs.vision, &[input]).unwrap();
            self.compare_all(&outputs, &format!(".{slot}"));
            tokens.push(outputs.remove(io::IMAGE_TOKENS).unwrap());
        }
        tokens
    }

    fn prefix(&mut self, image_tokens: &[Vec<f32>]) -> Outputs {
        let model = &self.graphs.case.checkpoint.model;
        let (tokens, language) = (self.layout.token_count(), model.language_token_count);
        let state = self.recorded("pre.state_padded").unwrap();
        let (mask, positions) = (self.layout.mask(), self.layout.positions());
        let image = vec![1, model.image_token_count(), model.text.hidden_size];
        let mut inputs: Vec<_> = image_tokens
            .iter()
            .enumerate()
            .map(|(slot, tokens)| (io::image_tokens(slot), Input::Numbers(tokens, image.clone())))
            .collect();
        inputs.push((io::TOKEN_IDS.to_owned(), Input::Ids(&self.token_ids, vec![1, language])));
        inputs.push((io::STATE.to_owned(), Input::Numbers(&state.values, vec![1, model.max_state_dim])));
        inputs.push((io::MASK.to_owned(), Input::Numbers(&mask, vec![1, tokens, tokens])));
        inputs.push((io::POSITIONS.to_owned(), Input::Ids(&positions, vec![1, tokens])));
        let outputs = run(&mut self.graphs.prefix, &inputs).unwrap();
        let mut compared = 0;
        for (name, found) in &outputs {
            let Some(expected) = self.recorded(name) else { continue };
            let recorded_width = expected.values.len() / expected.shape[0];
            let width = found.len() / tokens;
            assert_eq!(recorded_width, width, "{name}");
            let row = |values: &[f32], row: usize| values[row * width..][..width].to_vec();
            let expected: Vec<f32> =
                self.rows.iter().flat_map(|(theirs, _)| row(&expected.values, *theirs)).collect();
            let found: Vec<f32> = self.rows.iter().flat_map(|(_, ours)| row(found, *ours)).collect();
            self.compare(name, &expected, &found);
            compared += 1;
        }
        // Embeddings, keys, values and hidden states of every layer, and the final norm.
        assert_eq!(
            compared,
            2 + 3 * model.layer_count(),
            "{}: prefix tensors compared",
            self.graphs.case.name
        );
        outputs
    }

    fn denoise(&mut self, cache: &Outputs, x_t: &[f32], time: f32) -> Outputs {
        let chunk = self.graphs.case.checkpoint.model.chunk_size;
        self.denoise_at(cache, x_t, &vec![time; chunk])
    }

    fn denoise_at(&mut self, cache: &Outputs, x_t: &[f32], time: &[f32]) -> Outputs {
        let model = &self.graphs.case.checkpoint.model;
        let (chunk, tokens) = (model.chunk_size, self.layout.token_count());
        let mask = self.layout.suffix_mask(chunk);
        let positions = self.layout.suffix_positions(chunk);
        let width = model.heads().key_value_width();
        let mut inputs = vec![
            (io::X_T.to_owned(), Input::Numbers(x_t, vec![1, chunk, model.max_action_dim])),
            (io::TIME.to_owned(), Input::Numbers(time, vec![1, chunk])),
            (io::MASK.to_owned(), Input::Numbers(&mask, vec![1, chunk, tokens + chunk])),
            (io::POSITIONS.to_owned(), Input::Ids(&positions, vec![1, chunk])),
        ];
        for layer in 0..model.layer_count() {
            for name in [io::key(layer), io::value(layer)] {
                let numbers = Input::Numbers(&cache[&name], vec![1, tokens, width]);
                inputs.push((name, numbers));
            }
        }
        run(&mut self.graphs.denoise, &inputs).unwrap()
    }

    fn one_evaluation(&mut self, cache: &Outputs) {
        let noise = self.recorded("in.noise").unwrap();
        let time = self.graphs.case.get("suffix.time").values[0];
        let mut outputs = self.denoise(cache, &noise.values, time);
        let embedding = outputs.remove("suffix.time_emb").unwrap();
        let expected = self.recorded("suffix.time_emb").unwrap();
        self.compare("suffix.time_emb", &expected.values, &embedding[..expected.values.len()]);
        assert!(outputs.contains_key("suffix.v_t"));
        self.compare_all(&outputs, "");
    }

    fn euler(&mut self, cache: &Outputs) {
        let mut x_t = self.recorded("in.noise").unwrap().values;
        let mut step = 0;
        flow::euler(self.graphs.case.checkpoint.model.denoise_step_count, &mut x_t, |x, time| {
            let v = self.denoise(cache, x, time).remove(io::VELOCITY).unwrap();
            for (name, found) in [("x_t", x), ("v_t", v.as_slice())] {
                if let Some(expected) = self.recorded(&format!("sample.{name}.{step}")) {
                    self.compare(&format!("sample.{name}.{step}"), &expected.values, found);
                }
            }
            step += 1;
            Ok::<_, std::convert::Infallible>(v)
        })
        .unwrap();
        let expected = self.recorded(&format!("sample.x_t.{step}")).unwrap();
        self.compare("sample.x_t.last", &expected.values, &x_t);
    }

    /// Real-time chunking, recorded of the first sample: weights, every Euler step, the chunk.
    fn guided(&mut self, cache: &Outputs) {
        let case = self.graphs.case;
        let model = &case.checkpoint.model;
        let shape @ (chunk, width) = (model.chunk_size, model.max_action_dim);
        let rule = |key: &str| case.meta["rtc"][key].as_f64().unwrap();
        let (delay, execution_horizon) =
            (rule("inference_delay") as usize, rule("execution_horizon") as usize);
        let left_over = case.get("rtc.prev_chunk");
        for (name, schedule) in [
            ("zeros", PrefixSchedule::Zeros),
            ("ones", PrefixSchedule::Ones),
            ("linear", PrefixSchedule::Linear),
            ("exp", PrefixSchedule::Exp),
        ] {
            let horizon = execution_horizon.min(left_over.shape[0]);
            case.assert_close(&format!("rtc.weights.{name}"), &schedule.weights(delay, horizon, chunk));
            if case.find(&format!("rtc.{name}.x_t.1")).is_none() {
                continue;
            }
            let max_weight = rule("max_guidance_weight") as f32;
            let options = GuidanceOptions { schedule, max_weight, execution_horizon };
            let guidance =
                Guidance::new(&options, &left_over.values, left_over.shape[1], delay, shape).unwrap();
            let mut x_t = self.recorded("in.noise").unwrap().values;
            let mut step = 0;
            flow::sample(
                model.denoise_step_count,
                &mut x_t,
                chunk,
                &Conditioning::Guided(guidance),
                |x, time| {
                    if let Some(expected) = case.find(&format!("rtc.{name}.x_t.{step}")) {
                        self.compare(&format!("rtc.{name}.x_t.{step}"), &expected.values, x);
                    }
                    step += 1;
                    Ok::<_, std::convert::Infallible>(
                        self.denoise_at(cache, x, time).remove(io::VELOCITY).unwrap(),
                    )
                },
            )
            .unwrap();
            let expected = case.get(&format!("rtc.{name}.actions_norm"));
            let real = |row: &[f32]| row[..expected.shape[2]].to_vec();
            let found: Vec<f32> = x_t.chunks_exact(width).flat_map(real).collect();
            self.compare(&format!("rtc.{name}.actions_norm"), &expected.values, &found);
        }
    }
}

#[test]
fn every_stage_of_every_configuration_gives_the_references_numbers() {
    let engine = Engine::load(Some(&onnxruntime_library())).unwrap();
    for case in CASES.map(Case::open) {
        let folder = tempfile::tempdir().unwrap();
        let mut graphs = Graphs::export(&engine, &case, folder.path());
        for index in 0..case.batch() {
            let mut sample = Sample::new(&mut graphs, index);
            let tokens = sample.vision();
            let cache = sample.prefix(&tokens);
            sample.one_evaluation(&cache);
            sample.euler(&cache);
            // Kept of this configuration only.
            if index == 0 && case.name == "tiny" {
                sample.guided(&cache);
            }
        }
    }
}
