//! Episodes as a dataset in LeRobot's format v2.1, with one camera that shows nothing of use.

use crate::fixture;
use crate::planted::stirring::{Episode, FPS, NAMES, Posture, ROW_COUNT, WIDTH};
use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The camera: one still picture of this many pixels each way.
pub const CAMERA: &str = "observation.images.front";

/// Its width and height.
pub const PICTURE_SIZE: usize = 32;

/// What the episodes are told.
const TASKS: [&str; 2] = ["stir the soup", "stir the tea"];

/// Writes a dataset into a folder that is not there yet.
pub fn write(folder: &Path, episodes: &[Episode]) {
    let video = format!("videos/chunk-000/{CAMERA}");
    for part in ["meta", "data/chunk-000", &video] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    let write = |file: &str, text: String| fs::write(folder.join(file), text).unwrap();
    write("meta/info.json", info(episodes.len()).to_string());
    let tasks = TASKS.iter().enumerate().map(|(number, task)| json!({ "task_index": number, "task": task }));
    write("meta/tasks.jsonl", lines(tasks));
    let entries = episodes.iter().enumerate().map(
        |(number, episode)| json!({ "episode_index": number, "tasks": [TASKS[episode.task]], "length": ROW_COUNT }),
    );
    write("meta/episodes.jsonl", lines(entries));
    let statistics = episodes.iter().enumerate().map(|(number, episode)| {
        let stats =
            json!({ "observation.state": statistics(&episode.state), "action": statistics(&episode.action) });
        json!({ "episode_index": number, "stats": stats })
    });
    write("meta/episodes_stats.jsonl", lines(statistics));
    for (number, episode) in episodes.iter().enumerate() {
        write_rows(&folder.join(format!("data/chunk-000/episode_{number:06}.parquet")), number, episode);
        let picture = folder.join(format!("{video}/episode_{number:06}.mp4"));
        fs::copy(fixture("still/still.mp4"), picture).unwrap();
    }
}

fn lines(values: impl Iterator<Item = Value>) -> String {
    values.map(|value| format!("{value}\n")).collect()
}

fn info(episode_count: usize) -> Value {
    let joints = json!({ "dtype": "float32", "shape": [WIDTH], "names": NAMES });
    let number = |dtype: &str| json!({ "dtype": dtype, "shape": [1], "names": null });
    json!({
        "codebase_version": "v2.1", "robot_type": "stirring_arm", "fps": FPS, "chunks_size": 1000,
        "total_episodes": episode_count, "total_frames": episode_count * ROW_COUNT,
        "total_tasks": TASKS.len(), "total_videos": episode_count, "total_chunks": 1,
        "splits": { "train": format!("0:{episode_count}") },
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "features": {
            "observation.state": joints, "action": joints,
            CAMERA: {
                "dtype": "video", "shape": [PICTURE_SIZE, PICTURE_SIZE, 3],
                "names": ["height", "width", "channels"],
                "info": {
                    "video.height": PICTURE_SIZE, "video.width": PICTURE_SIZE, "video.codec": "h264",
                    "video.pix_fmt": "yuv420p", "video.is_depth_map": false, "video.fps": FPS,
                    "video.channels": 3, "has_audio": false,
                },
            },
            "timestamp": number("float32"), "frame_index": number("int64"),
            "episode_index": number("int64"), "index": number("int64"), "task_index": number("int64"),
        },
    })
}

/// One episode's, as LeRobot keeps them.
fn statistics(rows: &[Posture]) -> Value {
    let count = rows.len() as f64;
    let column = |joint: usize| rows.iter().map(move |row| f64::from(row[joint]));
    let each = |of: &dyn Fn(usize) -> f64| (0..WIDTH).map(of).collect::<Vec<_>>();
    let mean = each(&|joint| column(joint).sum::<f64>() / count);
    let std = each(&|joint| (column(joint).map(|x| (x - mean[joint]).powi(2)).sum::<f64>() / count).sqrt());
    json!({
        "min": each(&|joint| column(joint).fold(f64::INFINITY, f64::min)),
        "max": each(&|joint| column(joint).fold(f64::NEG_INFINITY, f64::max)),
        "mean": mean, "std": std, "count": [rows.len()],
    })
}

fn write_rows(path: &Path, number: usize, episode: &Episode) {
    let joints = |rows: &[Posture]| -> ArrayRef {
        let lists = rows.iter().map(|row| Some(row.map(Some)));
        Arc::new(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(lists, WIDTH as i32))
    };
    let integers = |value: &dyn Fn(usize) -> usize| -> ArrayRef {
        Arc::new((0..ROW_COUNT).map(|row| value(row) as i64).collect::<Int64Array>())
    };
    let times = (0..ROW_COUNT).map(|row| (row as f64 / FPS) as f32).collect::<Float32Array>();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("observation.state", joints(&episode.state)),
        ("action", joints(&episode.action)),
        ("timestamp", Arc::new(times)),
        ("frame_index", integers(&|row| row)),
        ("episode_index", integers(&|_| number)),
        ("index", integers(&|row| number * ROW_COUNT + row)),
        ("task_index", integers(&|_| episode.task)),
    ];
    let table = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), table.schema(), None).unwrap();
    writer.write(&table).unwrap();
    writer.close().unwrap();
}
