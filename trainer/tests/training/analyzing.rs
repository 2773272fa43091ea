//! An analysis of a policy and of data, read back by numpy.

use crate::installed::{onnxruntime_library, python};
use crate::support::{Bench, SIX_NUMBERS, fixture};
use ndarray::{Array1, Array2};
use ndarray_npy::NpzWriter;
use serde_json::Value;
use sinew_trainer::analyze::subject::{self, PolicyPlace};
use sinew_trainer::data::{Corpus, FrameId};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn analyze(arguments: &[&str], output: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew-trainer"));
    command.arg("analyze").args(arguments).arg("--output").arg(output);
    command.env("ORT_DYLIB_PATH", onnxruntime_library()).output().unwrap()
}

fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn statistics(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("data/statistics.json")).unwrap()).unwrap()
}

/// A run of a few steps, its newest checkpoint and its dataset.
fn trained(bench: &Bench) -> (PathBuf, String) {
    let more = format!("{SIX_NUMBERS}run.steps = 3\ndata.validation_fraction = 0.4\n");
    let outcome = bench.train("run", &more).unwrap();
    (outcome.last, fixture("lerobot_v21_sample/dataset").display().to_string())
}

/// What the analysis read, for numpy: the rows of the training episodes, then the others'.
fn write_columns(checkpoint: &Path, dataset: &str, output: &Path) {
    let place = PolicyPlace::find(checkpoint).unwrap();
    let config = subject::config(Some(&place), dataset, &[]).unwrap();
    let corpus = Corpus::open(&config.data, 1).unwrap();
    let (mut columns, mut places, mut tasks) =
        ([Vec::new(), Vec::new()], [const { Vec::new() }; 3], Vec::new());
    for episode in corpus.train_episodes().iter().chain(corpus.validation_episodes()) {
        for row in 0..episode.length {
            let frame = FrameId { dataset: 0, episode_index: episode.episode_index, row };
            let example = corpus.example(frame).unwrap();
            let task = example.task.to_string();
            let known = tasks.iter().position(|known| *known == task);
            let task = known.unwrap_or_else(|| {
                tasks.push(task);
                tasks.len() - 1
            });
            columns[0].extend(example.actions);
            columns[1].extend(example.state);
            for (column, number) in places.iter_mut().zip([episode.episode_index, row as u64, task as u64]) {
                column.push(number as i64);
            }
        }
    }
    let file = File::create(output.join("data/columns.npz")).unwrap();
    let mut npz = NpzWriter::new(file);
    let row_count = places[0].len();
    for (name, column) in ["action", "state"].into_iter().zip(columns) {
        let shape = (row_count, column.len() / row_count);
        npz.add_array(name, &Array2::from_shape_vec(shape, column).unwrap()).unwrap();
    }
    for (name, column) in ["episode", "row", "task"].into_iter().zip(places) {
        npz.add_array(name, &Array1::from_vec(column)).unwrap();
    }
    npz.finish().unwrap();
    fs::write(output.join("data/tasks.json"), serde_json::to_vec(&tasks).unwrap()).unwrap();
}

#[test]
fn every_figure_is_what_numpy_computes_from_the_same_arrays() {
    let bench = Bench::recorded("mixed");
    let (checkpoint, dataset) = trained(&bench);
    let output = bench.output("analysis");
    let place = checkpoint.display().to_string();
    let sizes = ["--frames", "9", "--sequence-frames", "5", "--noises", "2"];
    let arguments = [&["--checkpoint", &place, "--dataset", &dataset][..], &sizes].concat();
    let text = succeeded(analyze(&arguments, &output));
    assert!(text.contains("dimensions"), "{text}");
    write_columns(&checkpoint, &dataset, &output);
    let script = fixture("../oracles/trainer/analysis.py");
    let found = Command::new(python()).arg(script).arg(&output).output().unwrap();
    let found: Value = serde_json::from_str(&succeeded(found)).unwrap();
    assert!(found["checked"].as_u64().unwrap() > 500, "{found}");
    assert!(found["worst"].as_f64().unwrap() < 1e-6, "{found}");
    assert_eq!(statistics(&output)["subject"]["trained_steps"], 3);
    // The names and the selection are those of the run, though nobody gave them.
    assert_eq!(statistics(&output)["action"].as_array().unwrap().len(), 6);
    // What a remedy says is a configuration.
    let remedy = output.join("remedy.toml");
    let mut command = bench.command("again", SIX_NUMBERS);
    succeeded(command.arg("--config").arg(remedy).arg("--print-config").output().unwrap());
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_an_interrupted_analysis_goes_on() {
    let bench = Bench::recorded("mixed");
    let (checkpoint, dataset) = trained(&bench);
    let place = checkpoint.display().to_string();
    let arguments =
        ["--checkpoint", &place, "--dataset", &dataset, "--frames", "6", "--sequence-frames", "3"];
    let files = |name: &str| {
        let folder = bench.output(name).join("data");
        ["statistics.json", "predictions.npz"].map(|file| fs::read(folder.join(file)).unwrap())
    };
    succeeded(analyze(&arguments, &bench.output("whole")));
    let whole = files("whole");

    // What a kill leaves: some answers, and part of one.
    let part = bench.output("part");
    fs::create_dir_all(part.join("data")).unwrap();
    let journal = part.join("data/answers.partial");
    let mut child = Command::new(env!("CARGO_BIN_EXE_sinew-trainer"));
    let mut child = child.arg("analyze").args(arguments).arg("--output").arg(&part).spawn().unwrap();
    while fs::metadata(&journal).map_or(0, |file| file.len()) < 2000 {
        assert!(child.try_wait().unwrap().is_none(), "ended before it could be killed");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = fs::read(&journal).unwrap();
    fs::write(&journal, &kept[..kept.len() - 3]).unwrap();
    succeeded(analyze(&arguments, &part));
    // Not assert_eq: it would print megabytes.
    assert!(files("part") == whole, "the resumed analysis differs");
    assert!(!journal.exists());

    let refused = analyze(&arguments, &part);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("exists"));
}

/// A policy that says the same through candle and through its exported graphs is judged the same.
#[test]
fn a_bundle_is_judged_as_its_checkpoint() {
    let bench = Bench::behavior();
    let more = "run.steps = 1\nrun.batch_size = 1\nbundle.write = true\nbundle.layout = \"behavior-2025-top32\"\n\
        data.state = \"behavior-2025-top32\"\ndata.action = \"behavior-2025-top32\"\ndata.validation_fraction = 0.5\n";
    let mut training = bench.command("run", more);
    succeeded(training.env("ORT_DYLIB_PATH", onnxruntime_library()).output().unwrap());
    let dataset = fixture("behavior_sim").display().to_string();
    let judged = |policy: &str, name: &str| {
        let place = bench.output("run").join(policy).display().to_string();
        let (config, output) = (bench.config("run", more), bench.output(name));
        let config = config[0].display().to_string();
        let sizes = ["--frames", "3", "--sequence-frames", "2", "--noises", "1", "--config", &config];
        let arguments = [&["--checkpoint", &place, "--dataset", &dataset][..], &sizes].concat();
        succeeded(analyze(&arguments, &output));
        statistics(&output)
    };
    let (ours, theirs) = (judged("checkpoints/last", "a"), judged("bundle", "b"));
    let bundle = bench.output("run").join("bundle").display().to_string();
    let refused = analyze(
        &["--checkpoint", &bundle, "--dataset", &dataset, "--device", "cuda:999"],
        &bench.output("refused"),
    );
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("cuda:999") && message.contains("run.allow_cpu_fallback"), "{message}");
    assert_eq!(theirs["subject"]["trained_steps"], 1);
    assert_eq!(ours["action"], theirs["action"]);
    let errors = |found: &Value| -> Vec<f64> {
        let dimensions = found["policy"]["train"]["dimensions"].as_array().unwrap();
        dimensions.iter().map(|dimension| dimension["mean_error"].as_f64().unwrap()).collect()
    };
    for (ours, theirs) in errors(&ours).iter().zip(errors(&theirs)) {
        assert!((ours - theirs).abs() < 1e-4 * ours.max(1.0), "{ours}, {theirs}");
    }
}

/// As `train` does: a GPU that is not there is an error that says what to do, or, where that is allowed, the CPU.
#[test]
fn a_gpu_that_is_not_there_is_an_error_unless_the_cpu_may_stand_in() {
    let bench = Bench::recorded("mixed");
    let (checkpoint, dataset) = trained(&bench);
    let place = checkpoint.display().to_string();
    let sizes = ["--frames", "2", "--sequence-frames", "1", "--noises", "1"];
    let on = |device: &str, more: &[&str], name: &str| {
        let asked = ["--checkpoint", &place, "--dataset", &dataset, "--device", device];
        analyze(&[&asked, &sizes, more].concat(), &bench.output(name))
    };
    for (device, expected) in [("cuda:999", "run.allow_cpu_fallback"), ("gpu", "`cpu` or `cuda:N`")] {
        let refused = on(device, &[], "refused");
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && message.contains(device) && message.contains(expected),
            "{message}"
        );
    }
    let allowed = bench.output("allowed.toml");
    fs::write(&allowed, "run.allow_cpu_fallback = true\n").unwrap();
    succeeded(on("cuda:999", &["--config", &allowed.display().to_string()], "fallen_back"));
    assert_eq!(statistics(&bench.output("fallen_back"))["subject"]["device"], "cpu");
}

#[test]
fn data_alone_are_analysed_too() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = fixture("lerobot_v30_sample/dataset").display().to_string();
    let output = folder.path().join("analysis");
    succeeded(analyze(&["--dataset", &dataset], &output));
    let found = statistics(&output);
    assert!(found.get("policy").is_none());
    // What LeRobot itself says of the same column.
    let stats: Value =
        serde_json::from_slice(&fs::read(Path::new(&dataset).join("meta/stats.json")).unwrap()).unwrap();
    for (place, data) in found["data"]["action"].as_array().unwrap().iter().enumerate() {
        // LeRobot computes in float32, which leaves a constant dimension a standard deviation.
        for (name, tolerance) in [("mean", 1e-5), ("std", 1e-3), ("min", 1e-6), ("max", 1e-6)] {
            let (ours, theirs) =
                (data[name].as_f64().unwrap(), stats["action"][name][place].as_f64().unwrap());
            assert!(
                (ours - theirs).abs() < tolerance * theirs.abs().max(1.0),
                "{place} {name}: {ours}, {theirs}"
            );
        }
    }
}

#[test]
fn what_is_no_policy_is_refused_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().display().to_string();
    let refused = analyze(&["--checkpoint", &empty, "--dataset", &empty], &folder.path().join("analysis"));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(message.contains("config.json") && message.contains("bundle.json"), "{message}");
}
