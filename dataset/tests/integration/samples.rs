//! Both sample datasets, in both formats, against what LeRobot itself returns for them (see their `SOURCE.md`).

use sinew_dataset::{Dataset, FrameReader};

use crate::fixtures::{Expected, fixture, place};

const CAMERAS: [&str; 2] = ["observation.images.head", "observation.images.right_wrist"];

/// Every folder that holds the sample, and the values LeRobot reads from it.
const SAMPLES: [(&str, &str); 3] = [
    ("lerobot_v21_sample/dataset", "lerobot_v21_sample/expected.safetensors"),
    ("lerobot_v30_sample/dataset", "lerobot_v30_sample/expected.safetensors"),
    ("lerobot_v30_sample/dataset_multifile", "lerobot_v30_sample/expected.safetensors"),
];

fn each_sample(check: impl Fn(&Dataset, &Expected)) {
    for (dataset, expected) in SAMPLES {
        println!("{dataset}");
        check(&Dataset::open(fixture(dataset)).unwrap(), &Expected::read(expected));
    }
}

#[test]
fn metadata_is_read() {
    each_sample(|dataset, _| {
        assert_eq!(dataset.fps(), 15.0);
        assert_eq!(dataset.robot_type(), Some("r1pro_sim"));
        assert_eq!(dataset.cameras().iter().map(|camera| camera.name.as_str()).collect::<Vec<_>>(), CAMERAS);
        assert_eq!((dataset.cameras()[0].height, dataset.cameras()[0].width), (Some(192), Some(256)));
        assert_eq!(dataset.feature("action").unwrap().names.as_ref().unwrap()[22], "right_gripper");
        let lengths: Vec<_> = dataset.episodes().iter().map(|e| (e.episode_index, e.length)).collect();
        assert_eq!(lengths, [(0, 63), (1, 50), (2, 57)]);
        assert_eq!(dataset.frame_count(), 170);
        assert_eq!(dataset.episodes()[1].tasks, ["pick up the egg and put it in the tray"]);
    });
}

#[test]
fn rows_equal_lerobots() {
    let tasks = ["pick up the red cube and put it in the tray", "pick up the egg and put it in the tray"];
    each_sample(|dataset, expected| {
        for index in expected.frame_indices() {
            let [episode_index, frame_index, task_index] = ["episode_index", "frame_index", "task_index"]
                .map(|key| expected.integers(&format!("{index}/{key}"))[0] as usize);
            let episode = dataset.episode(episode_index as u64).unwrap();
            let state = episode.state().unwrap();
            assert_eq!(
                state.row(frame_index).unwrap(),
                expected.floats(&format!("{index}/state")),
                "{index}"
            );
            let time_s = expected.floats(&format!("{index}/timestamp"))[0];
            assert_eq!(episode.timestamp_s()[frame_index], f64::from(time_s), "{index}");
            assert_eq!(episode.task(frame_index), Some(tasks[task_index]), "{index}");
        }
    });
}

#[test]
fn action_chunks_equal_lerobots() {
    each_sample(|dataset, expected| {
        for index in expected.frame_indices() {
            let (episode, row) = place(dataset, index);
            let chunk = episode.action().unwrap().chunk(row, 0..16).unwrap();
            assert_eq!(chunk.rows.values(), expected.floats(&format!("{index}/action")), "{index}");
            assert_eq!(chunk.is_pad, expected.bools(&format!("{index}/action_is_pad")), "{index}");
        }
    });
}

/// Offsets before the first row, as history features use them.
#[test]
fn state_history_equals_lerobots() {
    let (dataset, expected) = SAMPLES[1];
    let (dataset, expected) = (Dataset::open(fixture(dataset)).unwrap(), Expected::read(expected));
    for index in [0, 63, 114] {
        let (episode, row) = place(&dataset, index);
        let chunk = episode.state().unwrap().chunk(row, -2..=0).unwrap();
        assert_eq!(chunk.rows.values(), expected.floats(&format!("hist/{index}/state")), "{index}");
        assert_eq!(chunk.is_pad, expected.bools(&format!("hist/{index}/state_is_pad")), "{index}");
    }
}

#[test]
fn planes_equal_lerobots_bit_for_bit() {
    each_sample(|dataset, expected| {
        each_picture(dataset, expected, |reader, row, index, camera| {
            let planes = reader.planes_at(row).unwrap();
            for (name, plane) in [("y", &planes.y), ("u", &planes.u), ("v", &planes.v)] {
                assert!(
                    expected.bytes(&format!("{index}/{name}/{camera}")) == plane,
                    "{index} {camera} {name}"
                );
            }
        });
    });
}

#[test]
fn rgb_is_lerobots_within_three_levels() {
    each_sample(|dataset, expected| {
        each_picture(dataset, expected, |reader, row, index, camera| {
            let frame = reader.frame_at(row).unwrap();
            let reference = expected.bytes(&format!("{index}/rgb/{camera}"));
            assert_eq!(frame.rgb.len(), reference.len());
            let pixel_count = reference.len() / 3;
            let worst = (0..reference.len())
                .map(|at| frame.rgb[at].abs_diff(reference[at % 3 * pixel_count + at / 3]))
                .max();
            assert!(worst <= Some(3), "{index} {camera}: {worst:?}");
        });
    });
}

/// Going through in order, and jumping about in the same file, give the same pictures.
#[test]
fn random_access_gives_the_pictures_of_sequential_reading() {
    each_sample(|dataset, _| {
        let episode = dataset.episode(1).unwrap();
        for camera in CAMERAS {
            let in_order: Vec<_> = episode.frames(camera).unwrap().map(Result::unwrap).collect();
            assert_eq!(in_order.len(), episode.row_count());
            let mut reader = episode.frames(camera).unwrap();
            for row in [49, 0, 1, 25, 24, 48, 7, 7] {
                assert!(reader.frame_at(row).unwrap() == in_order[row], "{camera} row {row}");
            }
        }
    });
}

/// The runtime plays each camera on a thread of its own.
#[test]
fn cameras_can_be_read_on_threads_of_their_own() {
    let episode = Dataset::open(fixture(SAMPLES[0].0)).unwrap().episode(1).unwrap();
    std::thread::scope(|scope| {
        let readers = CAMERAS.map(|camera| {
            let reader = episode.frames(camera).unwrap();
            let count = move || reader.map(Result::unwrap).count();
            std::thread::Builder::new().name(camera.to_owned()).spawn_scoped(scope, count).unwrap()
        });
        assert_eq!(readers.map(|reader| reader.join().unwrap()), [50, 50]);
    });
}

fn each_picture(
    dataset: &Dataset,
    expected: &Expected,
    check: impl Fn(&mut FrameReader, usize, usize, &str),
) {
    for index in expected.frame_indices() {
        let (episode, row) = place(dataset, index);
        for camera in CAMERAS {
            let short_name = camera.rsplit('.').next().unwrap();
            check(&mut episode.frames(camera).unwrap(), row, index, short_name);
        }
    }
}
