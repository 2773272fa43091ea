//! The ways other writers lay out the same rows: every one must read as the sample does.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, LargeListArray, ListArray};
use sinew_dataset::{Dataset, Error};

use crate::fixtures::fixture;
use crate::scratch::Scratch;

const V21: &str = "lerobot_v21_sample/dataset";
const V21_ROWS: &str = "data/chunk-000/episode_000000.parquet";
const V30: &str = "lerobot_v30_sample/dataset";
const V30_ROWS: &str = "data/chunk-000/file-000.parquet";
const V30_EPISODES: &str = "meta/episodes/chunk-000/file-000.parquet";
const V30_TASKS: &str = "meta/tasks.parquet";

fn sample_actions() -> Vec<f32> {
    Dataset::open(fixture(V21)).unwrap().episode(0).unwrap().action().unwrap().values().to_vec()
}

/// The actions, one `Some` list per row.
fn lists<T: From<f32>>() -> Vec<Option<Vec<Option<T>>>> {
    sample_actions()
        .chunks(23)
        .map(|row| Some(row.iter().map(|value| Some(T::from(*value))).collect()))
        .collect()
}

#[test]
fn vectors_read_the_same_from_every_list_type() {
    let arrays: [ArrayRef; 4] = [
        Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(lists::<f32>())),
        Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists::<f64>())),
        Arc::new(LargeListArray::from_iter_primitive::<Float32Type, _, _>(lists::<f32>())),
        Arc::new(LargeListArray::from_iter_primitive::<Float64Type, _, _>(lists::<f64>())),
    ];
    for array in arrays {
        let scratch = Scratch::copy_of(V21);
        scratch.rewrite_table(V21_ROWS, &[("action", array.clone())], 10);
        let action = scratch.open().unwrap().episode(0).unwrap().action().unwrap();
        assert_eq!(action.width(), 23);
        assert!(action.values() == sample_actions(), "{}", array.data_type());
    }
}

#[test]
fn scalar_columns_are_vectors_of_one() {
    let scratch = Scratch::copy_of(V21);
    let done = BooleanArray::from_iter((0..63).map(|row| Some(row == 62)));
    scratch.rewrite_table(V21_ROWS, &[("index", Arc::new(done))], 10);
    let column = scratch.open().unwrap().episode(0).unwrap().column("index").unwrap();
    assert_eq!((column.width(), column.row_count()), (1, 63));
    assert_eq!((column.values()[61], column.values()[62]), (0.0, 1.0));
}

/// float32 cannot tell 1/30 s apart to LeRobot's tolerance in long episodes; a float64 column keeps its digits.
#[test]
fn float64_timestamps_keep_their_digits() {
    let scratch = Scratch::copy_of(V21);
    let times = Float64Array::from_iter_values((0..63).map(|row| f64::from(row) / 15.0));
    scratch.rewrite_table(V21_ROWS, &[("timestamp", Arc::new(times))], 63);
    assert_eq!(scratch.open().unwrap().episode(0).unwrap().timestamp_s()[1], 1.0 / 15.0);
}

/// LeRobot writes a row group per episode; converted sets have other groupings.
#[test]
fn row_groups_need_not_follow_episodes() {
    let sample = Dataset::open(fixture(V30)).unwrap();
    for group_rows in [1, 7, 64, 170] {
        let scratch = Scratch::copy_of(V30);
        scratch.rewrite_table(V30_ROWS, &[], group_rows);
        let dataset = scratch.open().unwrap();
        for episode_index in 0..3 {
            let (found, expected) =
                (dataset.episode(episode_index).unwrap(), sample.episode(episode_index).unwrap());
            assert!(found.action().unwrap() == expected.action().unwrap(), "{group_rows} {episode_index}");
            assert_eq!(found.timestamp_s(), expected.timestamp_s());
        }
    }
}

/// Unnamed in LeRobot 0.4, named in 0.6.
#[test]
fn the_task_column_has_either_name() {
    let scratch = Scratch::copy_of(V30);
    scratch.rename_column(V30_TASKS, "__index_level_0__", "task");
    let episode = scratch.open().unwrap().episode(1).unwrap();
    assert_eq!(episode.task(0), Some("pick up the egg and put it in the tray"));
}

/// What the set does not declare is not trusted: BEHAVIOR-1K's recorder leaves zeros in `task_index`.
#[test]
fn an_undeclared_task_index_is_ignored() {
    let scratch = Scratch::copy_of(V21);
    scratch.replace("meta/info.json", "\"task_index\"", "\"another_index\"");
    scratch.replace("meta/tasks.jsonl", "\"task_index\": 1", "\"task_index\": 4");
    let episode = scratch.open().unwrap().episode(1).unwrap();
    assert_eq!(episode.task(49), Some("pick up the egg and put it in the tray"));
    assert_eq!(episode.task(50), None);
}

#[test]
fn a_short_task_name_stands_for_its_instruction() {
    let scratch = Scratch::copy_of(V21);
    scratch.replace("meta/info.json", "\"task_index\"", "\"another_index\"");
    scratch.replace(
        "meta/tasks.jsonl",
        "\"task\": \"pick up the egg",
        "\"task_name\": \"egg\", \"task\": \"pick up the egg",
    );
    scratch.replace("meta/episodes.jsonl", "[\"pick up the egg and put it in the tray\"]", "[\"egg\"]");
    let episode = scratch.open().unwrap().episode(1).unwrap();
    assert_eq!(episode.task(0), Some("pick up the egg and put it in the tray"));
}

#[test]
fn a_camera_without_a_place_in_the_table_fails_only_when_used() {
    let scratch = Scratch::copy_of(V30);
    scratch.drop_column(V30_EPISODES, "videos/observation.images.head/file_index");
    let episode = scratch.open().unwrap().episode(0).unwrap();
    assert!(matches!(episode.frames("observation.images.head"), Err(Error::EpisodeMismatch { .. })));
    assert!(episode.frames("observation.images.right_wrist").is_ok());
}

#[test]
fn columns_that_are_not_equally_long_lists_of_floats_are_refused() {
    let scratch = Scratch::copy_of(V21);
    let mut uneven = lists::<f32>();
    uneven[40].as_mut().unwrap().pop();
    let uneven: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(uneven));
    let mut with_null = lists::<f32>();
    with_null[40].as_mut().unwrap()[3] = None;
    let with_null: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(with_null));
    let narrow: ArrayRef =
        Arc::new(scratch.read_table(V21_ROWS).column(0).as_fixed_size_list().values().slice(0, 63));
    for (array, expected) in [(uneven, "lists of one length"), (with_null, "no null"), (narrow, "23 numbers")]
    {
        scratch.rewrite_table(V21_ROWS, &[("action", array)], 63);
        let error = scratch.open().unwrap().episode(0).unwrap().action().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    for (column, expected) in [("frame_index", "int64"), ("not_there", "observation.state, ")] {
        let error = scratch.open().unwrap().episode(0).unwrap().column(column).unwrap_err().to_string();
        assert!(error.contains(column) && error.to_lowercase().contains(expected), "{error}");
    }
}
