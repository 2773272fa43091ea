//! The policy alone, against its closed form.

use crate::kit::{bundle, onnxruntime};
use sinew_models::contract::Bundle;
use sinew_runtime::config::Config;
use sinew_runtime::policy::{Policy, fill_gaussian};

/// A state in the robot's units whose numbers tell where they came from, and what "hold still" answers.
#[test]
fn chunks_do_not_depend_on_noise_and_come_back_in_the_bundles_units() {
    let folder = bundle();
    let bundle = Bundle::open(folder.path()).unwrap();
    let mut config = Config::built_in().unwrap().policy;
    config.onnxruntime = onnxruntime().to_str().unwrap().to_owned();
    let mut policy = Policy::load(&bundle, &config).unwrap();
    policy.set_instruction("open the drawer").unwrap();
    let state: Vec<f32> = (0..32).map(|index| 0.01 * index as f32).collect();
    // Black, white and grey: their red, green and blue, 0 … 1.
    let frames = [-1.0, 1.0, 0.0].map(|level| vec![level; 3 * 64 * 64]);
    let mut noise = vec![0.0; policy.noise_len()];
    for sequence in 0..3 {
        fill_gaussian(1, sequence, &mut noise);
        let frames = frames.iter().map(Vec::as_slice);
        let (chunk, times) = policy.infer(frames, &state, &noise).unwrap();
        assert_eq!(chunk.len(), 50 * 23);
        assert!(times.total >= times.vision + times.prefix + times.denoise);
        let base = [0.0, 1.0, 0.5];
        let torso = [0.28, 0.29, 0.30, 0.31];
        let grippers = (40.0 * 0.12 - 1.0, 40.0 * 0.26 - 1.0);
        for (step, values) in chunk.chunks_exact(23).enumerate() {
            // 1075 is the sum of the instruction's token ids.
            let left = (0..7)
                .map(|joint| 0.01 * joint as f32 + if joint == 0 { step as f32 * 1.075e-3 } else { 0.0 });
            let right = (14..21).map(|joint| 0.01 * joint as f32);
            let expected: Vec<f32> = base
                .into_iter()
                .chain(torso)
                .chain(left)
                .chain([grippers.0])
                .chain(right)
                .chain([grippers.1])
                .collect();
            for (index, (found, expected)) in values.iter().zip(expected).enumerate() {
                assert!((found - expected).abs() < 2e-5, "step {step}, {index}: {found} is not {expected}");
            }
        }
    }
}

#[test]
fn an_interrupted_policy_stops() {
    let folder = bundle();
    let bundle = Bundle::open(folder.path()).unwrap();
    let mut config = Config::built_in().unwrap().policy;
    config.onnxruntime = onnxruntime().to_str().unwrap().to_owned();
    let mut policy = Policy::load(&bundle, &config).unwrap();
    policy.set_instruction("open the drawer").unwrap();
    policy.interrupter().interrupt().unwrap();
    let frame = vec![0.0; 3 * 64 * 64];
    let frames = [frame.as_slice(); 3];
    let noise = vec![0.0; policy.noise_len()];
    assert!(policy.infer(frames.into_iter(), &[0.0; 32], &noise).is_err());
}
