//! The policy as the robot runs it gives LeRobot's actions: raw frames, the instruction's words and the state in the
//! robot's units go in, actions in the robot's units come out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use sinew_models::contract::Bundle;
use sinew_models::embodiment::Embodiment;
use sinew_models::flow::Conditioning;
use sinew_models::preprocess::ResizePlan;
use sinew_runtime::config::PolicyConfig;
use sinew_runtime::policy::Policy;
use sinew_tests::golden::{Case, TOLERANCE};
use sinew_tests::onnxruntime_library;
use sinew_trainer::export::GraphDtype;
use sinew_trainer::export::bundle::{Request, export};
use sinew_trainer::export::engine::Engine;
use std::collections::BTreeMap;

/// Every number of the recorded chunk, to within a ten-thousandth of its dimension's standard deviation: a joint that
/// moves by hundredths of a radian is not excused by one that moves by whole ones.
#[test]
fn the_runtimes_policy_gives_the_references_actions() {
    let case = Case::open("r1pro");
    let engine = Engine::load(Some(&onnxruntime_library())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("bundle");
    let embodiment = Embodiment::built_in("r1pro").unwrap();
    let request = Request {
        checkpoint: &case.checkpoint,
        embodiment: &embodiment,
        layout: embodiment.layout("behavior-2025-top32").unwrap(),
        cameras: &BTreeMap::new(),
        trust_names: false,
        dtype: GraphDtype::F32,
        tolerance: TOLERANCE,
        output: &output,
        command: "test",
    };
    export(&engine, &request).unwrap();
    let bundle = Bundle::open(&output).unwrap();
    let mut policy = Policy::load_in(engine.environment(), &bundle, &PolicyConfig::default()).unwrap();

    policy.set_instruction(&case.tasks()[0]).unwrap();
    let size = bundle.manifest.model.vision.image_size;
    let frame = |key: &str| {
        let recorded = case.frames(key).sample(0);
        let plan = ResizePlan::new(recorded.shape[1], recorded.shape[0], size).unwrap();
        let mut pixels = vec![0.0; plan.output_len()];
        plan.apply(&recorded.bytes(), &mut pixels).unwrap();
        pixels
    };
    let frames: Vec<Vec<f32>> = bundle.manifest.cameras.iter().map(|camera| frame(&camera.key)).collect();
    let (state, noise) = (case.get("in.state_raw").sample(0), case.get("in.noise").sample(0));
    let frames = frames.iter().map(Vec::as_slice);
    let found = policy.infer(frames, &state.values, &noise.values, &Conditioning::Free).unwrap().actions;

    let expected = case.get("sample.actions").sample(0);
    let dimensions = &bundle.manifest.action.dimensions;
    assert_eq!(expected.shape, [50, dimensions.len()]);
    assert_eq!(found.len(), expected.values.len());
    for (index, (found, expected)) in found.iter().zip(&expected.values).enumerate() {
        let dimension = &dimensions[index % dimensions.len()];
        let error = f64::from((found - expected).abs()) / dimension.statistics.std;
        let (step, name) = (index / dimensions.len(), &dimension.name);
        assert!(
            error <= TOLERANCE,
            "step {step}, {name}: {found} is not LeRobot's {expected}: {error:.1e} standard deviations apart"
        );
    }
}
