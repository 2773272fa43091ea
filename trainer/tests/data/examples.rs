//! Examples: the numbers of a frame, selected, derived and cut into chunks.

use crate::support::{
    BEHAVIOR, Expected, V21, V30, V30_FILES, Written, all_of, all_of_folder, fixture, frame_at, options,
};
use sinew_dataset::Dataset;
use sinew_models::embodiment::Embodiment;
use sinew_trainer::data::{Choice, Corpus, DataOptions, DatasetOptions, FrameId};
use std::collections::BTreeMap;

#[test]
fn examples_are_what_lerobot_gives() {
    for (dataset, expected) in [
        (V21, "lerobot_v21_sample/expected.safetensors"),
        (V30, "lerobot_v30_sample/expected.safetensors"),
        (V30_FILES, "lerobot_v30_sample/expected.safetensors"),
    ] {
        let expected = Expected::read(expected);
        let corpus = Corpus::open(&all_of(dataset), 16).unwrap();
        for index in expected.frame_indices() {
            let example = corpus.example(frame_at(&corpus, index)).unwrap();
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            let same = |key: &str, values: &[f32]| {
                let theirs = expected.floats(&format!("{index}/{key}"));
                assert_eq!(bits(values), bits(&theirs), "{dataset}: {index}/{key}");
            };
            same("state", &example.state);
            same("action", &example.actions);
            let is_pad: Vec<u8> = example.action_is_pad.iter().map(|pad| u8::from(*pad)).collect();
            assert_eq!(is_pad, expected.bytes(&format!("{index}/action_is_pad")), "{dataset}: {index}");
        }
    }
}

#[test]
fn both_formats_give_the_same_examples() {
    let [v21, v30] = [V21, V30_FILES].map(|dataset| Corpus::open(&all_of(dataset), 50).unwrap());
    assert_eq!(v21.train_episodes(), v30.train_episodes());
    for index in 0..v21.dataset(0).frame_count() {
        let frame = frame_at(&v21, index);
        assert_eq!(v21.example(frame).unwrap(), v30.example(frame).unwrap());
    }
}

#[test]
fn a_stride_spaces_the_chunk_and_pads_where_the_episode_ends() {
    let folder = Written::ramps(&[10]).write();
    let options = DataOptions { frame_stride: 3, ..all_of_folder(folder.path()) };
    let corpus = Corpus::open(&options, 4).unwrap();
    let example = corpus.example(FrameId { dataset: 0, episode_index: 0, row: 3 }).unwrap();
    assert_eq!(example.actions, [-3.0, -6.0, -9.0, -9.0]);
    assert_eq!(example.action_is_pad, [false, false, false, true]);
    assert_eq!(example.state, [3.0]);
    assert!((corpus.action_rate_hz() - 10.0 / 3.0).abs() < 1e-12);
}

/// The indices of the 32 numbers are the published ones, in `PROPRIOCEPTION_INDICES["R1Pro"]`.
#[test]
fn the_robots_layout_picks_its_32_of_256() {
    let corpus = Corpus::open(&options(BEHAVIOR, "state = \"behavior-2025-top32\""), 50).unwrap();
    let published: Vec<usize> =
        [158..165, 179..181, 186..189, 193..195, 197..204, 218..220, 225..228, 232..234, 236..240]
            .into_iter()
            .flatten()
            .collect();
    let frame = FrameId { dataset: 0, episode_index: 60020, row: 77 };
    let raw = Dataset::open(fixture(BEHAVIOR)).unwrap().episode(60020).unwrap().state().unwrap();
    let wanted: Vec<f32> = published.iter().map(|index| raw.row(77).unwrap()[*index]).collect();
    let example = corpus.example(frame).unwrap();
    assert_eq!(example.state, wanted);
    assert_eq!(&*example.task, "put the egg in the tray");
    assert_eq!(corpus.action_names()[14], "left_gripper");

    let robot = Embodiment::built_in("r1pro").unwrap();
    let layout = robot.layout("behavior-2025-top32").unwrap();
    assert_eq!(robot.source_indices(layout).unwrap(), published);
    let names: Vec<&str> = layout.state.iter().map(|dimension| dimension.name.as_str()).collect();
    assert_eq!(corpus.state_names(), names);
}

/// The 61 numbers of 2026 have another order; the same names must pick the numbers of 3:10, 10:12, 17:20, …
#[test]
fn the_same_layout_finds_its_numbers_among_61() {
    let row = (0..61).map(|place| place as f32).collect::<Vec<_>>();
    let written = Written {
        state_names: None,
        action_names: None,
        episodes: vec![(0, vec![(row, vec![0.0; 23]); 2])],
        ..Written::ramps(&[2])
    };
    let folder = written.write();
    let published = [3..10, 10..12, 17..20, 24..26, 28..35, 35..37, 42..45, 49..51, 53..57];
    let wanted: Vec<f32> = published.into_iter().flatten().map(|place: i32| place as f32).collect();
    for layout in ["behavior-2026-top32", "behavior-2025-top32"] {
        let state = Choice::Layout(layout.to_owned());
        let corpus = Corpus::open(&DataOptions { state, ..all_of_folder(folder.path()) }, 1).unwrap();
        let frame = FrameId { dataset: 0, episode_index: 0, row: 1 };
        assert_eq!(corpus.example(frame).unwrap().state, wanted, "{layout}");
        assert_eq!(corpus.action_names()[22], "right_gripper");
    }
}

#[test]
fn groups_of_the_action_are_picked_by_name() {
    let corpus = Corpus::open(&options(V30, "action = [\"right_arm\", \"right_gripper\"]"), 2).unwrap();
    assert_eq!(corpus.action_names().len(), 8);
    let whole = Corpus::open(&all_of(V30), 2).unwrap();
    let frame = frame_at(&whole, 70);
    let [part, all] = [&corpus, &whole].map(|corpus| corpus.example(frame).unwrap().actions);
    assert_eq!(part[..8], all[15..23]);
    assert_eq!(part[8..], all[23 + 15..]);
}

#[test]
fn derived_numbers_come_after_the_selected_ones() {
    let text = r#"
        state = ["9"]
        [[derived]]
        kind = "velocity"
        name = "speed"
        of = "0"
        [[derived]]
        kind = "force"
        name = "grip"
        of = ["1", "2"]
        [[derived]]
        kind = "distance"
        name = "apart"
        from = ["3", "4", "5"]
        to = ["6", "7", "8"]
    "#;
    let first = vec![1.0, 3.0, 4.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 42.0];
    let second = vec![1.5, -5.0, 12.0, 0.0, 0.0, 0.0, 0.0, -7.0, 0.0, 43.0];
    let rows = vec![(first, vec![0.0]), (second, vec![0.0])];
    let folder = Written { state_names: None, episodes: vec![(4, rows)], ..Written::ramps(&[2]) }.write();
    let corpus = Corpus::open(
        &DataOptions { datasets: all_of_folder(folder.path()).datasets, ..toml::from_str(text).unwrap() },
        1,
    );
    let corpus = corpus.unwrap();
    assert_eq!(corpus.state_names(), ["9", "speed", "grip", "apart"]);
    let state = |row| corpus.example(FrameId { dataset: 0, episode_index: 4, row }).unwrap().state;
    assert_eq!(state(0), [42.0, 0.0, 5.0, 3.0]);
    assert_eq!(state(1), [43.0, 5.0, 13.0, 7.0]);
}

/// The recordings' efforts have names too, so that a contact force can be asked for.
#[test]
fn contact_force_of_a_recorded_gripper() {
    let text = r#"
        state = "behavior-2025-top32"
        derived = [{ kind = "force", name = "left_grip", of = ["left_gripper_finger_joint1.effort", "left_gripper_finger_joint2.effort"] }]
    "#;
    let corpus = Corpus::open(&options(BEHAVIOR, text), 1).unwrap();
    assert_eq!(corpus.state_names().len(), 33);
    let raw = Dataset::open(fixture(BEHAVIOR)).unwrap().episode(60020).unwrap().state().unwrap();
    for row in [0, 90, 150] {
        let example = corpus.example(FrameId { dataset: 0, episode_index: 60020, row }).unwrap();
        // `PROPRIO_QPOS_INDICES`: joint_qeffort begins at 112, the left fingers are joints 24 and 25.
        let [a, b] = [136, 137].map(|index: usize| raw.row(row).unwrap()[index]);
        assert!((example.state[32] - a.hypot(b)).abs() < 1e-4);
    }
}

#[test]
fn denormal_base_velocities_are_zero() {
    let raw = Dataset::open(fixture(BEHAVIOR)).unwrap().episode(60010).unwrap().action().unwrap();
    assert!(raw.values().iter().any(|value| value.is_subnormal()), "the fixture shows nothing");
    let corpus = Corpus::open(&all_of(BEHAVIOR), 180).unwrap();
    let actions = corpus.example(FrameId { dataset: 0, episode_index: 60010, row: 0 }).unwrap().actions;
    assert!(
        actions.iter().zip(raw.values()).all(|(ours, raw)| ours == raw || raw.is_subnormal() && *ours == 0.0)
    );
}

#[test]
fn filters_leave_the_episodes_they_name() {
    let open = |change: &dyn Fn(&mut DatasetOptions)| {
        let mut options = all_of(BEHAVIOR);
        change(&mut options.datasets[0]);
        Corpus::open(&options, 1).map(|corpus| {
            corpus.train_episodes().iter().map(|episode| episode.episode_index).collect::<Vec<_>>()
        })
    };
    assert_eq!(open(&|_| ()).unwrap(), [60010, 60020]);
    assert_eq!(open(&|dataset| dataset.episodes = vec!["60015-60030".parse().unwrap()]).unwrap(), [60020]);
    assert_eq!(
        open(&|dataset| dataset.tasks = vec!["put the red cube in the tray".to_owned()]).unwrap(),
        [60010]
    );
    let error = open(&|dataset| dataset.tasks = vec!["put the red cube in the try".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("the nearest is `put the red cube in the tray`"), "{error}");
    let error = open(&|dataset| dataset.episodes = vec!["7".parse().unwrap()]).unwrap_err();
    assert!(error.to_string().contains("no episode 7 among 2 (numbers 60010 to 60020)"), "{error}");
}

#[test]
fn cameras_are_renamed_for_the_policy_and_per_dataset() {
    let camera = "observation.images.camera1".to_owned();
    let mut options = all_of(V30);
    options.datasets.push(all_of(V21).datasets[0].clone());
    options.cameras = BTreeMap::from([(camera.clone(), "observation.images.head".to_owned())]);
    options.datasets[1].cameras =
        BTreeMap::from([(camera.clone(), "observation.images.right_wrist".to_owned())]);
    let corpus = Corpus::open(&options, 1).unwrap();
    assert_eq!(corpus.cameras().len(), 1);
    assert_eq!(corpus.cameras()[0].key, camera);
    assert_eq!(corpus.cameras()[0].names, ["observation.images.head", "observation.images.right_wrist"]);
    options.cameras = BTreeMap::from([(camera, "observation.images.haed".to_owned())]);
    let error = Corpus::open(&options, 1).unwrap_err().to_string();
    assert!(error.contains("the nearest is `observation.images.head`"), "{error}");
}

#[test]
fn datasets_that_do_not_go_together_are_refused() {
    let together = |other: Written| {
        let folders = [Written::ramps(&[5]).write(), other.write()];
        let mut options = all_of_folder(folders[0].path());
        options.datasets.extend(all_of_folder(folders[1].path()).datasets);
        Corpus::open(&options, 1).map(|_| ()).map_err(|error| error.to_string())
    };
    together(Written::ramps(&[7])).unwrap();
    assert!(together(Written { fps: 5.0, ..Written::ramps(&[7]) }).unwrap_err().contains("rows a second"));
    let other_names = Written { action_names: Some(vec!["b"]), ..Written::ramps(&[7]) };
    assert!(together(other_names).unwrap_err().contains("action"));
}

#[test]
fn validation_frames_are_spread_over_the_validation_episodes() {
    let folder = Written::ramps(&[30, 30, 30, 30]).write();
    let options = DataOptions { validation_fraction: 0.5, ..all_of_folder(folder.path()) };
    let corpus = Corpus::open(&options, 1).unwrap();
    let frames = corpus.validation_frames(6).unwrap();
    assert_eq!(frames.iter().map(|frame| frame.row).collect::<Vec<_>>(), [0, 10, 20, 0, 10, 20]);
    let validating = corpus.validation_episodes();
    assert!(frames.iter().all(|frame| validating.iter().any(|e| e.episode_index == frame.episode_index)));
    assert!(corpus.train_episodes().iter().all(|episode| !validating.contains(episode)));
    assert_eq!(corpus.validation_frames(1000).unwrap().len(), 60);
}
