//! The policy alone, against its closed form.

use crate::kit::{bundle, dataset, full_size_bundle, onnxruntime};
use sinew_dataset::Dataset;
use sinew_models::contract::Bundle;
use sinew_models::flow::Conditioning;
use sinew_models::preprocess::ResizePlan;
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

/// The demo's policy, as it lies in the repository: told of the egg it moves the left arm more, told of the cube the right one. It
/// stands at its start posture and sees another scene of the simulated robot.
#[test]
fn the_demos_policy_moves_the_arm_that_the_words_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/egg_and_cube.bundle");
    let bundle = Bundle::open(&folder).unwrap();
    let (mut policy, frame_len) = load(&folder);
    let manifest = &bundle.manifest;
    let start = &manifest.training.start_posture;
    let start_of = |name: &str| {
        let joint = name.strip_suffix(".pos")?;
        let place = manifest.action.dimensions.iter().position(|action| action.name == joint)?;
        Some(start[place] as f32)
    };
    let state = manifest
        .state
        .dimensions
        .iter()
        .map(|dimension| start_of(&dimension.name).unwrap_or(dimension.statistics.mean as f32));
    let state: Vec<f32> = state.collect();
    let recorded = Dataset::open(dataset()).unwrap().episode(60010).unwrap();
    let frames = ["head", "left_wrist", "right_wrist"].map(|camera| {
        let mut frames = recorded.frames(&format!("observation.images.rgb.{camera}")).unwrap();
        let frame = frames.next().unwrap().unwrap();
        let size = manifest.model.vision.image_size;
        let plan = ResizePlan::new(frame.width as usize, frame.height as usize, size).unwrap();
        let mut pixels = vec![0.0; frame_len];
        plan.apply(&frame.rgb, &mut pixels).unwrap();
        pixels
    });
    let mut noise = vec![0.0; policy.noise_len()];
    fill_gaussian(1, 0, &mut noise);
    let mut travel_rad = |words: &str| {
        policy.set_instruction(words).unwrap();
        let frames = frames.iter().map(Vec::as_slice);
        let chunk = policy.infer(frames, &state, &noise, &Conditioning::Free).unwrap().actions;
        ["left_arm", "right_arm"].map(|arm| {
            let names = bundle.manifest.action.dimensions.iter().map(|dimension| dimension.name.as_str());
            let joints = names.enumerate().filter(|(_, name)| name.starts_with(arm));
            let steps = || chunk.chunks_exact(bundle.manifest.action.dimensions.len());
            let travel = |joint: usize| steps().last().unwrap()[joint] - steps().next().unwrap()[joint];
            joints.map(|(joint, _)| travel(joint).abs()).sum::<f32>()
        })
    };
    let (egg, cube) = (travel_rad("put the egg in the tray"), travel_rad("put the red cube in the tray"));
    println!("egg {egg:?} cube {cube:?}");
    assert!(egg[0] > 3.0 * egg[1], "left and right arm: {egg:?}");
    assert!(cube[1] > 3.0 * cube[0], "left and right arm: {cube:?}");
}
