//! What options do to a run, seen from its folder.

use crate::installed::python;
use crate::support::{Bench, fixture, floats, tensors};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const TEXT: &str = "model.vlm_with_expert.vlm.model.text_model.layers.";
const EXPERT: &str = "model.vlm_with_expert.lm_expert.layers.";

/// A policy's trained numbers of one name.
fn weight(checkpoint: &Path, name: &str) -> Vec<f32> {
    floats(&tensors(&checkpoint.join("pretrained_model/model.safetensors"))[name].2)
}

/// The last line of a kind in the log.
fn last_line(bench: &Bench, name: &str, kind: &str) -> serde_json::Value {
    let text = fs::read_to_string(bench.output(name).join("metrics.jsonl")).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.rfind(|line| line["kind"] == kind).unwrap()
}

#[test]
fn a_cache_changes_neither_losses_nor_weights() {
    let bench = Bench::new();
    // Two epochs of a few frames, so that the second is remembered.
    let few = "run.steps = 24\ndata.validation_fraction = 0.7\n";
    let off = bench.train("off", few).unwrap();
    let name = format!("{EXPERT}0.mlp.gate_proj.weight");
    for mode in ["vision", "prefix"] {
        let outcome = bench.train(mode, &format!("{few}cache.mode = \"{mode}\"\n")).unwrap();
        for (step, (expected, found)) in
            bench.losses("off").values().zip(bench.losses(mode).values()).enumerate()
        {
            let (expected, found) = (f64::from_bits(*expected), f64::from_bits(*found));
            assert!((found - expected).abs() <= 1e-5 * expected, "{mode}, step {step}: {found}, {expected}");
        }
        for (expected, found) in weight(&off.last, &name).iter().zip(weight(&outcome.last, &name)) {
            assert!((found - expected).abs() <= 1e-5, "{mode}: {found}, {expected}");
        }
    }
}

#[test]
fn the_same_episodes_in_either_format_train_the_same_policy() {
    let bench = Bench::new();
    let (v30, v21) = (fixture("lerobot_v30_sample/dataset"), bench.output("as-v21"));
    let mut convert = Command::new(env!("CARGO_BIN_EXE_sinew-trainer"));
    convert.arg("convert").arg(&v30).arg("--output").arg(&v21).arg("--v21");
    assert!(convert.stderr(Stdio::null()).status().unwrap().success());
    let of = |name: &str, dataset: &Path| {
        let more = format!("run.steps = 6\ndata.datasets = [{{ path = {dataset:?} }}]\n");
        let outcome = bench.train(name, &more).unwrap();
        (bench.losses(name), tensors(&outcome.last.join("pretrained_model/model.safetensors")))
    };
    assert!(of("v21", &v21) == of("v30", &v30));
    // Both at once, by weight; each has its own place in what the run says.
    let both = format!("data.datasets = [{{ path = {v21:?}, weight = 3.0 }}, {{ path = {v30:?} }}]\n");
    assert_eq!(bench.train("both", &both).unwrap().step, 12);
    let run = fs::read_to_string(bench.output("both").join("run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_str(&run).unwrap();
    let [first, second] = [&run["datasets"][0], &run["datasets"][1]];
    assert_eq!(first["name"].as_str(), v21.to_str());
    assert_eq!(second["name"].as_str(), v30.to_str());
    assert!(first["frame_count"] == second["frame_count"] && first["sha256"] != second["sha256"]);
}

/// As on a GPU: products in bfloat16, which keeps two digits, of weights that stay in float32.
#[test]
fn a_run_in_bfloat16_learns_nearly_the_same_and_keeps_its_weights_in_float32() {
    let bench = Bench::new();
    bench.train("exact", "run.steps = 4\n").unwrap();
    let outcome = bench.train("rounded", "run.steps = 4\nrun.dtype = \"bfloat16\"\n").unwrap();
    for (exact, rounded) in bench.losses("exact").values().zip(bench.losses("rounded").values()) {
        let (exact, rounded) = (f64::from_bits(*exact), f64::from_bits(*rounded));
        assert!(exact != rounded && (exact - rounded).abs() < 0.02 * exact, "{exact}, {rounded}");
    }
    let stored = tensors(&outcome.last.join("pretrained_model/model.safetensors"));
    assert_eq!(stored[&format!("{EXPERT}0.mlp.gate_proj.weight")].0, "F32");
}

/// What is kept of a frame is of its pictures and words: neither where they lie nor what is learned from them matters.
#[test]
fn a_cache_serves_other_runs_on_the_same_frames() {
    let bench = Bench::new();
    let (cache, moved) = (bench.output("kept"), bench.output("moved"));
    let copied = Command::new("cp").arg("-r").arg(bench.dataset()).arg(&moved).status().unwrap();
    assert!(copied.success());
    let size = || {
        let files: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap()).collect();
        let kept =
            |entry: &&fs::DirEntry| entry.path().extension().is_some_and(|extension| extension == "frozen");
        files.iter().filter(kept).map(|entry| entry.metadata().unwrap().len()).collect::<Vec<_>>()
    };
    let run = |name: &str, more: &str| {
        let all = format!("run.steps = 3\ncache.mode = \"prefix\"\ncache.folder = {cache:?}\n{more}");
        bench.train(name, &all).unwrap();
        size()
    };
    let first = run("first", "");
    assert!(first.len() == 1 && first[0] > 10_000, "{first:?}");
    assert_eq!(run("again", ""), first);
    let shorter = format!("policy.chunk_size = 6\ndata.datasets = [{{ path = {moved:?} }}]\n");
    assert_eq!(run("shorter-and-moved", &shorter), first);
    // Another video under the same name and words is another picture.
    for episode in 0..3 {
        let path = moved.join(format!("videos/chunk-000/observation.images.head/episode_{episode:06}.mp4"));
        let mut bytes = fs::read(&path).unwrap();
        bytes.push(0);
        fs::write(&path, bytes).unwrap();
    }
    let grown = run("other-pictures", &shorter);
    assert!(grown.len() == 1 && grown[0] > first[0], "{grown:?}, {first:?}");
}

/// The average forgets by `min(decay, (1 + step) / (10 + step))`, so that it does not keep its first numbers for long.
#[test]
fn the_policy_of_a_run_that_averages_has_the_averaged_weights() {
    let bench = Bench::new();
    let every = "run.steps = 4\ncheckpoints.every = 1\ncheckpoints.keep_last = 0\n";
    bench.train("plain", every).unwrap();
    bench.train("averaged", &format!("{every}optimizer.ema_decay = 0.25\n")).unwrap();
    assert_eq!(bench.losses("plain"), bench.losses("averaged"));
    let name = format!("{EXPERT}0.mlp.gate_proj.weight");
    let at = |run: &str, step: u64| weight(&bench.output(run).join(format!("checkpoints/{step:06}")), &name);
    let base = tensors(&bench.policy().join("model.safetensors"));
    let mut expected: Vec<f64> = floats(&base[&name].2).into_iter().map(f64::from).collect();
    // 2/11 and 3/12 are not above 0.25; 4/13 and 5/14 are.
    for (step, decay) in [(1, 2.0 / 11.0), (2, 0.25), (3, 0.25), (4, 0.25)] {
        for (average, weight) in expected.iter_mut().zip(at("plain", step)) {
            *average = decay * *average + (1.0 - decay) * f64::from(weight);
        }
        let found = at("averaged", step);
        assert!(found != at("plain", step));
        for (expected, found) in expected.iter().zip(found) {
            assert!((expected - f64::from(found)).abs() < 1e-6, "step {step}: {found}, {expected}");
        }
    }
}

/// AdamW's first step moves every number of the zero side of an adapter by the learning rate, whatever the size of its
/// gradient (but for `eps`); the other side has none yet. So what is added to a weight is in proportion to alpha / rank.
#[test]
fn an_adapter_counts_alpha_over_rank_and_is_merged_where_its_target_is() {
    let bench = Bench::new();
    let base = tensors(&bench.policy().join("model.safetensors"));
    let run = |target: &str, alpha: f64, rank: usize| {
        let name = format!("{target}-{alpha}-{rank}");
        let more = format!(
            "run.steps = 1\noptimizer.lr = 1e-2\noptimizer.eps = 1e-20\nschedule.warmup_steps = 0\npolicy.train_expert_only = false\n\
             policy.lora = {{ rank = {rank}, alpha = {alpha:.1}, target = {target:?} }}\n"
        );
        bench.train(&name, &more).unwrap().last
    };
    for (target, layers) in [("expert", EXPERT), ("text", TEXT)] {
        let name = format!("{layers}0.mlp.gate_proj.weight");
        let before = floats(&base[&name].2);
        let added = |checkpoint: &Path| -> Vec<f32> {
            weight(checkpoint, &name).iter().zip(&before).map(|(after, before)| after - before).collect()
        };
        let (little, much) = (run(target, 2.0, 2), run(target, 8.0, 2));
        let (of_little, of_much) = (added(&little), added(&much));
        assert!(of_little.iter().any(|added| added.abs() > 1e-4));
        let length = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|x| x * x).sum::<f32>().sqrt();
        let off = length(&mut of_little.iter().zip(&of_much).map(|(little, much)| 4.0 * little - much));
        let whole = length(&mut of_much.iter().copied());
        assert!(off < 1e-3 * whole, "{target}: off by {off} of {whole}");
        // alpha / rank = 4, over both ranks, and the other side is 1 / √input at most.
        let limit = 4.0 * 1e-2 * 2.0 / (base[&name].1[1] as f32).sqrt();
        let largest = of_much.iter().fold(0.0_f32, |largest, added| largest.max(added.abs()));
        assert!((0.7 * limit..=limit).contains(&largest), "{target}: {largest} of {limit}");
        // The target's norms stay; the rest of the expert is trained in full beside adapters of the text.
        let norm = format!("{EXPERT}0.input_layernorm.weight");
        assert_eq!(weight(&much, &norm) != floats(&base[&norm].2), target == "text");
        let last = format!("{TEXT}3.mlp.gate_proj.weight");
        assert_eq!(
            weight(&much, &last),
            floats(&base[&last].2),
            "nothing is read of the last text layer's end"
        );
    }
}

/// An error in the robot's units is the normalised one times what the numbers were divided by.
#[test]
fn every_normalisation_is_undone_by_what_it_was_done_with() {
    let bench = Bench::new();
    for mode in ["MEAN_STD", "MIN_MAX", "QUANTILES", "IDENTITY"] {
        let more = format!(
            "run.steps = 2\ndata.validation_fraction = 0.4\nvalidation.every = 2\nvalidation.frames = 6\n\
             data.normalization = {{ state = \"{mode}\", action = \"{mode}\" }}\n"
        );
        let outcome = bench.train(mode, &more).unwrap();
        let policy = outcome.last.join("pretrained_model");
        let pipeline: serde_json::Value =
            serde_json::from_slice(&fs::read(policy.join("policy_postprocessor.json")).unwrap()).unwrap();
        assert_eq!(pipeline["steps"][0]["config"]["norm_map"]["ACTION"], mode);
        let stored = tensors(&policy.join("policy_postprocessor_step_0_unnormalizer_processor.safetensors"));
        let statistic = |name: &str| floats(&stored[&format!("action.{name}")].2);
        let half = |low: &str, high: &str| -> Vec<f32> {
            statistic(low).iter().zip(statistic(high)).map(|(low, high)| (high - low) / 2.0).collect()
        };
        let divided_by: Vec<f32> = match mode {
            "MEAN_STD" => statistic("std"),
            "MIN_MAX" => half("min", "max"),
            "QUANTILES" => half("q01", "q99"),
            _ => vec![1.0; 23],
        };
        let report = last_line(&bench, mode, "validation");
        let info = fs::read_to_string(bench.dataset().join("meta/info.json")).unwrap();
        let info: serde_json::Value = serde_json::from_str(&info).unwrap();
        let names = info["features"]["action"]["names"].as_array().unwrap();
        let normalised = names.iter().zip(&divided_by).map(|(name, scale)| {
            report["error_by_dimension"][name.as_str().unwrap()].as_f64().unwrap() / f64::from(*scale)
        });
        let (mean, error) = (normalised.sum::<f64>() / 23.0, report["error"].as_f64().unwrap());
        assert!((mean - error).abs() < 1e-4 * error, "{mode}: {mean}, {error}");
    }
}

#[test]
fn after_a_kill_tensorboard_shows_every_step_once() {
    let bench = Bench::new();
    let mut child = bench.command("run", "").stderr(Stdio::null()).spawn().unwrap();
    // Two steps behind the first checkpoint, which is gone back to.
    while !bench.losses("run").contains_key(&6) {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    bench.resume("run", "").unwrap();
    let script = "import sys\n\
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n\
        events = EventAccumulator(sys.argv[1])\n\
        events.Reload()\n\
        print(*(event.step for event in events.Scalars('train/loss')))";
    let output = Command::new(python()).args(["-c", script]).arg(bench.output("run")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let steps: Vec<u64> = String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .map(|step| step.parse().unwrap())
        .collect();
    assert_eq!(steps, (1..=12).collect::<Vec<_>>());
}

#[test]
fn a_run_says_what_it_was_trained_on_and_a_changed_dataset_is_another() {
    let bench = Bench::new();
    let copy = bench.output("copy");
    let copied = Command::new("cp").arg("-r").arg(bench.dataset()).arg(&copy).status().unwrap();
    assert!(copied.success());
    let hash = |name: &str, dataset: &Path| {
        let more = format!("run.steps = 1\ndata.datasets = [{{ path = {dataset:?}, episodes = [0, 1] }}]\n");
        bench.train(name, &more).unwrap();
        let run = fs::read_to_string(bench.output(name).join("run.json")).unwrap();
        let run: serde_json::Value = serde_json::from_str(&run).unwrap();
        run["datasets"][0]["sha256"].as_str().unwrap().to_owned()
    };
    let original = hash("original", bench.dataset());
    assert_eq!(hash("moved", &copy), original);
    let append = |file: &str| {
        let path = copy.join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes.push(b'\n');
        fs::write(&path, bytes).unwrap();
    };
    append("videos/chunk-000/observation.images.head/episode_000002.mp4");
    assert_eq!(hash("not-used", &copy), original);
    append("videos/chunk-000/observation.images.head/episode_000001.mp4");
    let other_video = hash("other-video", &copy);
    append("meta/tasks.jsonl");
    let other_words = hash("other-words", &copy);
    assert!(original != other_video && other_video != other_words);
}
