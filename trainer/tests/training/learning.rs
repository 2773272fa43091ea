//! A policy learns, and what goes wrong is said.

use crate::installed::python;
use crate::support::{Bench, SIX_NUMBERS, tensors};
use std::process::Command;

#[test]
fn the_loss_falls_on_episodes_seen_again_and_again() {
    let bench = Bench::recorded("mixed");
    let more = "run.steps = 80\noptimizer.lr = 3e-3\ndata.weights.temporal_alpha = 1.0\n";
    bench.train("run", &format!("{SIX_NUMBERS}{more}")).unwrap();
    let losses: Vec<f64> = bench.losses("run").values().map(|bits| f64::from_bits(*bits)).collect();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&losses[..10]), mean(&losses[60..]));
    assert!(last < 0.85 * first, "{first} to {last}");
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_names_the_sample() {
    let bench = Bench::new();
    let error = bench.train("run", "optimizer.lr = 1e30\noptimizer.grad_clip_norm = 0.0\n").unwrap_err();
    let said = error.to_string();
    assert!(said.contains("loss of step") && said.contains("of episode"), "{said}");
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let bench = Bench::new();
    for (more, complaint) in [
        ("policy.max_state_dim = 20\n", "the checkpoint's 32 or more"),
        ("loss.max_clean_steps = 8\n", "less than the chunk's 8 steps"),
        ("run.device = \"gpu\"\n", "`cpu` or `cuda:N`"),
        ("optimizer.grad_clip_norm = nan\n", "0 or more"),
        ("optimizer.weight_decay = -0.1\n", "0 or more"),
    ] {
        let error = bench.train("run", more).unwrap_err().to_string();
        assert!(error.contains(complaint), "{more}: {error}");
        assert!(!bench.output("run").exists(), "{more}");
    }
}

#[test]
fn without_a_gpu_a_run_stops_unless_it_may_use_the_cpu() {
    let bench = Bench::new();
    // No machine has so many.
    let error = bench.train("run", "run.device = \"cuda:999\"\n").unwrap_err();
    let sinew_trainer::Error::Device { name, remedy, .. } = error else { panic!("{error}") };
    assert_eq!(name, "cuda:999");
    assert!(remedy.contains("run.allow_cpu_fallback"), "{remedy}");
    assert!(!bench.output("run").exists());
    bench.train("run", "run.device = \"cuda:999\"\nrun.allow_cpu_fallback = true\n").unwrap();
    bench.train("cpu", "").unwrap();
    assert_eq!(bench.losses("run"), bench.losses("cpu"));
}

#[test]
fn what_the_cache_remembers_is_what_would_have_been_computed() {
    let bench = Bench::new();
    // Two epochs of a few frames, so that the second is remembered; augmented, so that variants are told apart.
    let few = "run.steps = 24\naugment.brightness = 0.3\naugment.shift_px = 4\ncache.variants = 1\n\
        data.validation_fraction = 0.7\nvalidation.every = 12\nvalidation.frames = 4\n\
        data.sub_episode = { length = 24 }\n";
    bench.train("exact", &format!("{few}cache.mode = \"vision\"\n")).unwrap();
    bench.train("prefix", &format!("{few}cache.mode = \"prefix\"\n")).unwrap();
    bench
        .train(
            "again",
            &format!(
                "{few}cache.mode = \"prefix\"\ncache.folder = {:?}\n",
                bench.output("prefix").join("cache")
            ),
        )
        .unwrap();
    // Without room every frame is computed each time it comes.
    bench.train("none", &format!("{few}cache.mode = \"prefix\"\ncache.limit_mb = 0\n")).unwrap();
    let losses =
        |name: &str| -> Vec<f64> { bench.losses(name).values().map(|bits| f64::from_bits(*bits)).collect() };
    let expected = losses("none");
    assert_eq!(expected.len(), 24);
    for name in ["exact", "prefix", "again"] {
        for (found, expected) in losses(name).iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-5 * expected, "{name}: {found}, {expected}");
        }
    }
}

#[test]
fn what_is_trained_cannot_be_cached() {
    let bench = Bench::new();
    for (mode, thaw) in [
        ("vision", "policy.train_expert_only = false\n"),
        ("prefix", "policy.lora.rank = 2\npolicy.lora.target = \"text\"\n"),
    ] {
        let error = bench.train(mode, &format!("{thaw}cache.mode = \"{mode}\"\n")).unwrap_err().to_string();
        assert!(error.contains("cache.mode") && error.contains("frozen"), "{error}");
    }
}

#[test]
fn parts_computed_at_once_give_the_run_of_parts_computed_one_by_one() {
    let bench = Bench::new();
    let unfrozen =
        "policy.freeze_vision_encoder = false\npolicy.train_expert_only = false\nrun.accumulation = 4\n";
    // However few cores there are.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let weights = |parts_at_once: usize| {
        let name = format!("{parts_at_once}-at-once");
        let more = format!("{unfrozen}run.parts_at_once = {parts_at_once}\n");
        let outcome = threads.install(|| bench.train(&name, &more)).unwrap();
        (bench.losses(&name), tensors(&outcome.last.join("pretrained_model/model.safetensors")))
    };
    let one_by_one = weights(1);
    assert!(weights(3) == one_by_one && weights(4) == one_by_one);
}

#[test]
fn augmentation_changes_what_is_learned_and_nothing_else() {
    let bench = Bench::new();
    bench.train("plain", "").unwrap();
    bench.train("changed", "augment.brightness = 0.5\naugment.state_noise = 0.5\n").unwrap();
    bench.train("same", "augment.brightness = 0.5\naugment.state_noise = 0.5\n").unwrap();
    assert_ne!(bench.losses("plain"), bench.losses("changed"));
    assert_eq!(bench.losses("same"), bench.losses("changed"));
}

#[test]
fn tensorboard_reads_the_numbers_of_the_log() {
    let bench = Bench::new();
    bench.train("run", "run.steps = 3\n").unwrap();
    let script = "import sys\n\
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n\
        events = EventAccumulator(sys.argv[1])\n\
        events.Reload()\n\
        print(*(f'{event.step} {event.value!r}' for event in events.Scalars('train/loss')), sep='\\n')";
    let output = Command::new(python()).args(["-c", script]).arg(bench.output("run")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Vec<(u64, f32)> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(step, value)| (step.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let logged: Vec<(u64, f32)> =
        bench.losses("run").into_iter().map(|(step, bits)| (step, f64::from_bits(bits) as f32)).collect();
    assert_eq!(read, logged);
}
