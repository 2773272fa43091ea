//! Datasets in the other format, ours and LeRobot's own.

use sinew_dataset::{Conversion, Dataset, Format, Rows, VideoCodec, Writer, convert};

use crate::fixtures::fixture;
use crate::synthetic::{description, episode, id};
use crate::written::{check, options, write};

#[test]
fn there_and_back_without_encoding_anything_anew() {
    for codec in [VideoCodec::Av1, VideoCodec::H264] {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, third] = ["first", "second", "third"].map(|name| folder.path().join(name));
        write(&first, &options(Format::V21, codec), 0..4);
        let all_copied = Conversion { episode_count: 4, copied_video_count: 8, encoded_video_count: 0 };
        let done = convert(&Dataset::open(&first).unwrap(), &second, Format::V30, |_| ()).unwrap();
        assert_eq!(done, all_copied);
        check(&second, 4);
        let done = convert(&Dataset::open(&second).unwrap(), &third, Format::V21, |_| ()).unwrap();
        assert_eq!(done, all_copied);
        check(&third, 4);
        let writer = Writer::open(&third, description(), options(Format::V21, codec)).unwrap();
        assert_eq!(writer.episode_of(&id(3)), Some(3));
        drop(writer);
        let [first, third] = [first, third].map(|root| Dataset::open(root).unwrap());
        for episode in first.episodes() {
            let [a, b] = [&first, &third].map(|set| set.episode(episode.episode_index).unwrap());
            for camera in first.cameras() {
                let [a, b] = [&a, &b].map(|episode| episode.frames(&camera.name).unwrap());
                assert!(a.zip(b).all(|(a, b)| a.unwrap() == b.unwrap()), "{}", camera.name);
            }
        }
    }
}

#[test]
fn lerobots_own_sets_keep_their_rows_and_pictures() {
    let sets = [
        ("lerobot_v21_sample/dataset", Format::V30),
        ("lerobot_v30_sample/dataset", Format::V21),
        ("lerobot_v30_sample/dataset_multifile", Format::V30),
    ];
    for (name, format) in sets {
        println!("{name}");
        let folder = tempfile::tempdir().unwrap();
        let source = Dataset::open(fixture(name)).unwrap();
        let done = convert(&source, folder.path(), format, |_| ()).unwrap();
        assert_eq!(done, Conversion { episode_count: 3, copied_video_count: 6, encoded_video_count: 0 });
        let target = Dataset::open(folder.path()).unwrap();
        assert_eq!(target.features(), source.features());
        for info in source.episodes() {
            let [a, b] = [&source, &target].map(|set| set.episode(info.episode_index).unwrap());
            assert_eq!(a.info(), b.info());
            assert_eq!(
                [a.state(), a.action()].map(Result::unwrap),
                [b.state(), b.action()].map(Result::unwrap)
            );
            assert_eq!(a.timestamp_s(), b.timestamp_s());
            for camera in source.cameras() {
                let [mut a, mut b] = [&a, &b].map(|episode| episode.frames(&camera.name).unwrap());
                for row in 0..info.length {
                    assert_eq!(a.planes_at(row).unwrap(), b.planes_at(row).unwrap(), "{} {row}", camera.name);
                }
            }
        }
    }
}

/// Their episodes have the same numbers, and none has an id of ours.
#[test]
fn sets_of_others_are_put_together_and_taken_over_once() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second, both] = ["first", "second", "both"].map(|name| folder.path().join(name));
    for (root, numbers) in [(&first, 0..2), (&second, 2..4)] {
        let mut writer = Writer::open(root, description(), options(Format::V30, VideoCodec::Av1)).unwrap();
        for number in numbers {
            writer.add(episode(number)).unwrap();
        }
        writer.finish().unwrap();
        let path = root.join("meta/info.json");
        let mut info: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        info.as_object_mut().unwrap().remove("sinew").unwrap();
        std::fs::write(&path, info.to_string()).unwrap();
    }
    for (root, expected) in [(&first, 2), (&second, 2), (&first, 0), (&second, 0)] {
        let done = convert(&Dataset::open(root).unwrap(), &both, Format::V30, |_| ()).unwrap();
        assert_eq!(done.episode_count, expected);
    }
    check(&both, 4);
}

/// The sample was written by LeRobot 0.4.4, whose statistics these are.
#[test]
fn statistics_are_lerobots() {
    let folder = tempfile::tempdir().unwrap();
    let source = Dataset::open(fixture("lerobot_v30_sample/dataset")).unwrap();
    convert(&source, folder.path(), Format::V30, |_| ()).unwrap();
    let [lerobots, ours] = [source.root(), folder.path()].map(|root| {
        let text = std::fs::read_to_string(root.join("meta/stats.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    });
    let flat = |value: &serde_json::Value| -> Vec<f64> {
        let text = value.to_string().replace(['[', ']'], "");
        text.split(',').map(|number| number.parse().unwrap()).collect()
    };
    for (feature, statistics) in lerobots.as_object().unwrap() {
        let of_pictures = feature.contains("images");
        for (name, theirs) in statistics.as_object().unwrap() {
            let is_depth = |value: &serde_json::Value| value.to_string().matches('[').count();
            assert_eq!(is_depth(theirs), is_depth(&ours[feature][name]), "{feature} {name}");
            // LeRobot saw the pictures before they were encoded, and squares them in 8 bits.
            if of_pictures && !matches!(name.as_str(), "mean" | "count" | "q50") {
                continue;
            }
            let (theirs, ours) = (flat(theirs), flat(&ours[feature][name]));
            assert_eq!(theirs.len(), ours.len(), "{feature} {name}");
            for (place, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
                // float32 variances in LeRobot, and values that fall on the edge of a bin.
                let tolerance = if of_pictures { 0.03 } else { 6e-4 * theirs.abs().max(1.0) };
                assert!((theirs - ours).abs() <= tolerance, "{feature} {name} {place}: {theirs} {ours}");
            }
        }
    }
}

/// Columns with the names, types and order that LeRobot 0.4.4 gave them.
#[test]
fn tables_are_laid_out_as_lerobots() {
    let folder = tempfile::tempdir().unwrap();
    let lerobots = crate::scratch::Scratch::copy_of("lerobot_v30_sample/dataset");
    convert(&lerobots.open().unwrap(), folder.path(), Format::V30, |_| ()).unwrap();
    let ours = crate::scratch::Scratch::copy_of_path(folder.path());
    for file in ["data/chunk-000/file-000", "meta/episodes/chunk-000/file-000", "meta/tasks"] {
        let file = format!("{file}.parquet");
        let [theirs, ours] = [&lerobots, &ours].map(|set| set.read_table(&file));
        let columns = |table: &arrow_array::RecordBatch| -> Vec<(String, String)> {
            let fields = table.schema();
            let column = |field: &std::sync::Arc<arrow_schema::Field>| {
                (field.name().clone(), field.data_type().to_string())
            };
            fields.fields().iter().map(column).collect()
        };
        assert_eq!(columns(&theirs), columns(&ours), "{file}");
        if file.starts_with("data") {
            assert!(theirs.columns() == ours.columns(), "{file}");
        }
    }
    let info = |set: &crate::scratch::Scratch| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(set.path("meta/info.json")).unwrap()).unwrap()
    };
    let mut without_our_key = info(&ours);
    without_our_key.as_object_mut().unwrap().remove("sinew").unwrap();
    assert_eq!(without_our_key, info(&lerobots));
}

/// A cut that starts between key frames has to be encoded anew, and says so.
#[test]
fn pictures_that_cannot_be_copied_are_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let [odd, target] = ["odd", "target"].map(|name| folder.path().join(name));
    write(&odd, &options(Format::V30, VideoCodec::H264), 0..4);
    shift_second_episode(&odd);
    let source = Dataset::open(&odd).unwrap();
    let done = convert(&source, &target, Format::V21, |_| ()).unwrap();
    assert_eq!((done.copied_video_count, done.encoded_video_count), (7, 1));
    let rows = |root| -> Rows { Dataset::open(root).unwrap().episode(1).unwrap().state().unwrap() };
    assert_eq!(rows(&odd), rows(&target));
    let target = Dataset::open(&target).unwrap();
    let [a, b] = [&source, &target].map(|set| {
        let episode = set.episode(1).unwrap();
        episode.frames("observation.images.head").unwrap().map(Result::unwrap).collect::<Vec<_>>()
    });
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        let mean = a.rgb.iter().zip(&b.rgb).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>()
            / a.rgb.len() as f64;
        assert!(mean < 4.0, "{mean}");
    }
}

/// Makes the head camera's pictures of episode 1 start one picture later, off the key frame.
fn shift_second_episode(root: &std::path::Path) {
    use arrow_array::{ArrayRef, Float64Array};
    use std::sync::Arc;
    let scratch = crate::scratch::Scratch::copy_of_path(root);
    let file = "meta/episodes/chunk-000/file-000.parquet";
    let column = |what: &str| format!("videos/observation.images.head/{what}");
    let shifted = |what: &str| -> ArrayRef {
        let table = scratch.read_table(file);
        let values: &Float64Array =
            table.column_by_name(&column(what)).unwrap().as_any().downcast_ref().unwrap();
        let values = values.iter().enumerate();
        Arc::new(Float64Array::from_iter_values(
            values.map(|(row, value)| value.unwrap() + if row == 1 { 0.1 } else { 0.0 }),
        ))
    };
    let names = [column("from_timestamp"), column("to_timestamp")];
    let columns =
        [(names[0].as_str(), shifted("from_timestamp")), (names[1].as_str(), shifted("to_timestamp"))];
    scratch.rewrite_table(file, &columns, 100);
    std::fs::copy(scratch.path(file), root.join(file)).unwrap();
}
