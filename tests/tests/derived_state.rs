//! Numbers that a policy's state derives from others: what it was trained with is what the robot's topics give it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use sinew_dataset::Dataset;
use sinew_models::checkpoint::Checkpoint;
use sinew_models::contract::Bundle;
use sinew_models::embodiment::Embodiment;
use sinew_models::unit::Unit;
use sinew_proto::Stamp;
use sinew_runtime::replay;
use sinew_sync::{
    ExtraElements, FeedbackConfig, FeedbackReader, JointNames, Limits, Sample, StateBuilder, Streams,
    Synchronizer,
};
use sinew_tests::{fixture, onnxruntime_library};
use sinew_trainer::analyze::policy::{BundleSetup, Policy};
use sinew_trainer::analyze::subject::{self, PolicyPlace};
use sinew_trainer::config::TrainConfig;
use sinew_trainer::data::{Corpus, FrameId};
use sinew_trainer::export::GraphDtype;
use sinew_trainer::export::bundle::{Request, export};
use sinew_trainer::export::engine::Engine;
use sinew_trainer::train::run;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

const LAYOUT: &str = "behavior-2025-top32";
const EPISODE: u64 = 60020;
const DERIVED: [(&str, Unit); 3] = [
    ("elbow_speed", Unit::RadianPerSecond),
    ("hand_speed", Unit::MetrePerSecond),
    ("hands_apart", Unit::Metre),
];
const DERIVED_TOML: &str = r#"
    [[data.derived]]
    kind = "velocity"
    name = "elbow_speed"
    of = "left_arm_joint4.pos"
    [[data.derived]]
    kind = "velocity"
    name = "hand_speed"
    of = "left_hand.z"
    [[data.derived]]
    kind = "distance"
    name = "hands_apart"
    from = ["left_hand.x", "left_hand.y", "left_hand.z"]
    to = ["right_hand.x", "right_hand.y", "right_hand.z"]
"#;

/// A policy of one step, with three derived numbers behind the layout's 32.
fn train(folder: &Path) -> PathBuf {
    let config = folder.join("train.toml");
    let camera =
        |name: &str| format!("\"observation.images.rgb.{name}\" = \"observation.images.rgb.{name}\"\n");
    let text = format!(
        "run.output = {:?}\nrun.steps = 1\nrun.batch_size = 1\npolicy.checkpoint = {:?}\npolicy.max_state_dim = 40\n\
         validation.every = 0\n[data]\nstate = \"{LAYOUT}\"\naction = \"{LAYOUT}\"\ndatasets = [{{ path = {:?} }}]\n\
         [data.cameras]\n{}{DERIVED_TOML}",
        folder.join("run"),
        fixture("golden/r1pro"),
        fixture("behavior_sim"),
        ["head", "left_wrist", "right_wrist"].map(camera).concat(),
    );
    std::fs::write(&config, text).unwrap();
    let config = TrainConfig::read(&[config], &[]).unwrap();
    run::train(config, "a test", false, &AtomicBool::new(false)).unwrap().last.join("pretrained_model")
}

fn bundle(engine: &Engine, checkpoint: &Path, output: &Path) -> Bundle {
    let embodiment = Embodiment::built_in("r1pro").unwrap();
    let request = Request {
        checkpoint: &Checkpoint::open(checkpoint, None).unwrap(),
        embodiment: &embodiment,
        layout: embodiment.layout(LAYOUT).unwrap(),
        cameras: &BTreeMap::new(),
        trust_names: false,
        dtype: GraphDtype::F32,
        tolerance: 1e-4,
        output,
        command: "test",
    };
    export(engine, &request).unwrap();
    Bundle::open(output).unwrap()
}

/// The state at each row of the episode, as the robot's topics give it.
fn heard(bundle: &Bundle) -> Vec<Vec<f32>> {
    let robot = Embodiment::built_in("r1pro").unwrap();
    let builder = StateBuilder::new(bundle.manifest.state_dimensions(), &robot).unwrap();
    let ms = 1_000_000;
    let limits = Limits { max_skew_ns: 15 * ms, max_age_ns: 250 * ms, settle_ns: 0, max_equal_pictures: 0 };
    let names = robot.groups.iter().map(|group| group.name.clone()).collect();
    let synchronizer = Synchronizer::new(vec!["head".to_owned()], names, builder, limits);
    let mut streams = Streams::new(1, robot.groups.len(), limits);

    let dataset = Dataset::open(fixture("behavior_sim")).unwrap();
    let state = dataset.episode(EPISODE).unwrap().state().unwrap();
    let config = FeedbackConfig { joint_names: JointNames::Check, extra_elements: ExtraElements::Refuse };
    let groups = replay::groups(&robot, state.width(), None, "the episode").unwrap();
    let mut states = Vec::new();
    for (row, numbers) in state.iter().enumerate() {
        let stamp = Stamp::from_ns(1_700_000_000_000 * ms + (row as i64 * 1_000 * ms) / 30);
        for group in &groups {
            let place = robot.groups.iter().position(|known| known.name == group.name).unwrap();
            let reader = FeedbackReader::new(&robot.groups[place], &[], config).unwrap();
            let (captured_at, value) = reader.read(&group.message(numbers, stamp).unwrap()).unwrap();
            let sample = Sample { captured_at, received_at: stamp, value };
            streams.groups[place].admit(sample, None).unwrap();
        }
        let picture = Sample { captured_at: stamp, received_at: stamp, value: () };
        streams.cameras[0].admit(picture, None).unwrap();
        match synchronizer.observe(&streams, None, stamp) {
            Ok(observation) => states.push(observation.state),
            // Nothing was heard a row before the first one.
            Err(why) => assert!(row == 0 && why.to_string().contains("33 ms before camera head"), "{why}"),
        }
    }
    states
}

#[test]
fn derived_numbers_are_on_the_robot_what_they_were_in_training() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = train(folder.path());
    let output = folder.path().join("bundle");
    let engine = Engine::load(Some(&onnxruntime_library())).unwrap();
    let bundle = bundle(&engine, &checkpoint, &output);
    let dimensions = &bundle.manifest.state.dimensions;
    assert_eq!(dimensions.len(), 32 + DERIVED.len());
    for (dimension, (name, unit)) in dimensions[32..].iter().zip(DERIVED) {
        assert_eq!((dimension.name.as_str(), dimension.unit), (name, unit));
        assert!(dimension.derived.is_some() && dimension.source_index.is_none());
    }

    // An analysis of the bundle reads its episodes as the training did, without being told.
    let dataset = fixture("behavior_sim").display().to_string();
    let mut config = subject::config(Some(&PolicyPlace::Bundle(output.clone())), &dataset, &[]).unwrap();
    config.data.cameras = bundle.manifest.cameras.iter().map(|c| (c.key.clone(), c.key.clone())).collect();
    let judged = Policy::Bundle(Box::new(BundleSetup::new(config, &output, &engine).unwrap()));

    let trained = TrainConfig::read(&[folder.path().join("train.toml")], &[]).unwrap();
    let corpus = Corpus::open(&trained.data, 1).unwrap();
    let heard = heard(&bundle);
    let row_count = heard.len() + 1;
    assert!(row_count > 100);
    let mut largest = [0_f32; DERIVED.len()];
    for row in 1..row_count {
        let frame = FrameId { dataset: 0, episode_index: EPISODE, row };
        let learned = corpus.example(frame).unwrap().state;
        assert_eq!(learned.len(), dimensions.len());
        assert_eq!(judged.corpus().example(frame).unwrap().state, learned);
        for (place, (learned, heard)) in learned.iter().zip(&heard[row - 1]).enumerate() {
            let (error, name) = ((learned - heard).abs(), &dimensions[place].name);
            // Hands are where forward kinematics has them, to 1e-5 m; a thirtieth of a second later, that is 6e-4 m/s.
            assert!(error < 1e-3, "row {row}, {name}: {heard} is not {learned}");
        }
        for (largest, learned) in largest.iter_mut().zip(&learned[32..]) {
            *largest = largest.max(learned.abs());
        }
    }
    assert!(largest.iter().all(|largest| *largest > 0.1), "nothing moves: {largest:?}");
}
