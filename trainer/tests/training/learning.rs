//! A policy learns, and what goes wrong is said.

use crate::support::{Bench, SIX_NUMBERS};

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
        ("run.device = \"cuda:0\"\n", "no CUDA"),
        ("run.device = \"gpu\"\n", "`cpu` or `cuda:N`"),
    ] {
        let error = bench.train("run", more).unwrap_err().to_string();
        assert!(error.contains(complaint), "{more}: {error}");
        assert!(!bench.output("run").exists(), "{more}");
    }
}
