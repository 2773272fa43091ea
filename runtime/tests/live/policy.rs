//! The policy alone, against its closed form.

use crate::kit::{bundle, full_size_bundle, onnxruntime};
use sinew_models::contract::Bundle;
use sinew_models::flow::Conditioning;
use sinew_runtime::config::PolicyConfig;
use sinew_runtime::policy::{Inferred, Policy, fill_gaussian};
use std::path::Path;

/// The policy of a folder, told to open the drawer, and the length of a frame.
fn load(folder: &Path) -> (Policy, usize) {
    let bundle = Bundle::open(folder).unwrap();
    let onnxruntime = onnxruntime().to_str().unwrap().to_owned();
    let mut policy = Policy::load(&bundle, &PolicyConfig { onnxruntime, ..PolicyConfig::default() }).unwrap();
    policy.set_instruction("open the drawer").unwrap();
    (policy, 3 * bundle.manifest.model.vision.image_size.pow(2))
}

/// A state in the robot's units whose numbers tell where they came from, and what "hold still" answers.
#[test]
fn chunks_do_not_depend_on_noise_and_come_back_in_the_bundles_units() {
    for folder in [bundle(), full_size_bundle()] {
        let (mut policy, frame_len) = load(folder.path());
        let state: Vec<f32> = (0..32).map(|index| 0.01 * index as f32).collect();
        // Black, white and grey: their red, green and blue, 0 … 1.
        let frames = [-1.0, 1.0, 0.0].map(|level| vec![level; frame_len]);
        let mut noise = vec![0.0; policy.noise_len()];
        for sequence in 0..3 {
            fill_gaussian(1, sequence, &mut noise);
            let frames = frames.iter().map(Vec::as_slice);
            let Inferred { actions: chunk, times, .. } =
                policy.infer(frames, &state, &noise, &Conditioning::Free).unwrap();
            assert!(times.total >= times.vision + times.prefix + times.denoise);
            assert_eq!(chunk.len(), 50 * 23);
            for (step, values) in chunk.chunks_exact(23).enumerate() {
                for (index, (found, expected)) in values.iter().zip(held_still(step)).enumerate() {
                    assert!(
                        (found - expected).abs() < 2e-5,
                        "step {step}, {index}: {found} is not {expected}"
                    );
                }
            }
        }
    }
}

/// One step of the chunk for that state and those frames.
fn held_still(step: usize) -> Vec<f32> {
    let base = [0.0, 1.0, 0.5];
    let torso = [0.28, 0.29, 0.30, 0.31];
    let joints = |range: std::ops::Range<usize>| range.map(|joint| 0.01 * joint as f32);
    let gripper = |finger: f32| 40.0 * finger - 1.0;
    let mut values: Vec<f32> = base.into_iter().chain(torso).chain(joints(0..7)).collect();
    // 1075 is the sum of the instruction's token ids.
    values[7] += 1.075e-3 * step as f32;
    values.push(gripper(0.12));
    values.extend(joints(14..21));
    values.push(gripper(0.26));
    values
}

#[test]
fn an_interrupted_policy_stops() {
    let folder = bundle();
    let (mut policy, frame_len) = load(folder.path());
    policy.interrupter().interrupt().unwrap();
    let frame = vec![0.0; frame_len];
    let noise = vec![0.0; policy.noise_len()];
    let frames = [frame.as_slice(); 3].into_iter();
    assert!(policy.infer(frames, &[0.0; 32], &noise, &Conditioning::Free).is_err());
}
