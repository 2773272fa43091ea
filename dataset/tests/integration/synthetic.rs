//! Episodes made of formulas, to be written.

use sinew_dataset::{Description, Feature, Frame, NewEpisode, Numbers, PictureError, Pictures};

pub(crate) const HEAD: &str = "observation.images.head";
pub(crate) const WRIST: &str = "observation.images.wrist";
pub(crate) const CAMERAS: [(&str, u32, u32); 2] = [(HEAD, 96, 64), (WRIST, 64, 64)];

pub(crate) fn description() -> Description {
    let mut done = Feature::numbers("next.done", ["done"]);
    done.dtype = "bool".to_owned();
    let mut counter = Feature::numbers("observation.counter", ["a", "b"]);
    counter.dtype = "int64".to_owned();
    Description {
        fps: 10,
        robot_type: Some("two_joints".to_owned()),
        features: vec![
            Feature::numbers("observation.state", ["left", "right", "gripper"]),
            Feature::numbers("action", ["left", "right"]),
            Feature::pictures(HEAD, 64, 96),
            Feature::pictures(WRIST, 64, 64),
            done,
            counter,
        ],
    }
}

pub(crate) fn id(number: usize) -> String {
    format!("log-{number}")
}

pub(crate) fn task(number: usize) -> String {
    ["put the egg in the tray", "put the cube in the tray"][number % 2].to_owned()
}

pub(crate) fn length(number: usize) -> usize {
    5 + number * 3 % 7
}

pub(crate) fn state(number: usize) -> Vec<f32> {
    let row = |row: usize| {
        let t = row as f32 * 0.1 + number as f32;
        [t.sin(), t.cos() * 2.0, 0.5]
    };
    (0..length(number)).flat_map(row).collect()
}

pub(crate) fn action(number: usize) -> Vec<f32> {
    (0..length(number)).flat_map(|row| [row as f32, -(number as f32) - row as f32 / 3.0]).collect()
}

pub(crate) fn frame(number: usize, row: usize, (width, height): (u32, u32)) -> Frame {
    let pixel = |x: u32, y: u32| {
        let (x, y) = (x * 2 + row as u32 * 6, y * 2 + number as u32 * 20);
        [(x % 256).min(255 - x % 256) as u8, (y % 256) as u8 / 2 + 40, 128]
    };
    let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
    Frame { row, width, height, rgb }
}

pub(crate) fn episode(number: usize) -> NewEpisode<'static> {
    let count = length(number);
    let film = |(name, width, height): (&str, u32, u32)| {
        let frames = (0..count).map(move |row| Ok::<_, PictureError>(frame(number, row, (width, height))));
        (name.to_owned(), Box::new(frames) as Pictures<'static>)
    };
    NewEpisode {
        id: Some(id(number)),
        tasks: vec![task(number)],
        columns: vec![
            ("observation.state".to_owned(), Numbers::Float32(state(number))),
            ("action".to_owned(), Numbers::Float32(action(number))),
            ("next.done".to_owned(), Numbers::Bool((0..count).map(|row| row + 1 == count).collect())),
            ("observation.counter".to_owned(), Numbers::Int64((0..2 * count as i64).collect())),
        ],
        pictures: CAMERAS.into_iter().map(film).collect(),
    }
}
