//! Orders: complete, deterministic, in proportion, and kind to a video decoder.

use crate::support::{BEHAVIOR, V21, V30, V30_FILES, Written, all_of, all_of_folder, fixture, options};
use proptest::prelude::*;
use sinew_trainer::data::{Corpus, DataOptions, Draw, FrameId, Order};
use std::collections::{BTreeMap, HashMap, HashSet};
use tempfile::TempDir;

/// Options over written datasets of episodes of these lengths, from TOML.
fn over(lengths: &[&[usize]], text: &str) -> (DataOptions, Vec<TempDir>) {
    let folders: Vec<TempDir> = lengths.iter().map(|lengths| Written::ramps(lengths).write()).collect();
    let datasets = folders.iter().flat_map(|folder| all_of_folder(folder.path()).datasets).collect();
    let options: DataOptions = toml::from_str(&format!("validation_fraction = 0.0\n{text}")).unwrap();
    (DataOptions { datasets, ..options }, folders)
}

fn order(options: &DataOptions, seed: u64) -> Order {
    Order::new(&Corpus::open(options, 1).unwrap(), options, seed).unwrap()
}

fn frames(draws: &[Draw]) -> Vec<FrameId> {
    draws.iter().map(|draw| draw.frame).collect()
}

/// The rows drawn of each episode of the first dataset, sorted.
fn rows(draws: &[Draw]) -> BTreeMap<u64, Vec<usize>> {
    let mut rows = BTreeMap::<u64, Vec<usize>>::new();
    for draw in draws {
        rows.entry(draw.frame.episode_index).or_default().push(draw.frame.row);
    }
    rows.values_mut().for_each(|rows| rows.sort_unstable());
    rows
}

fn mean_weight(draws: &[Draw]) -> f64 {
    draws.iter().map(|draw| f64::from(draw.weight)).sum::<f64>() / draws.len() as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_epoch_draws_every_frame_once(
        lengths in prop::collection::vec(1_usize..150, 1..6),
        stride in 1_usize..4,
        block_rows in 1_usize..70,
        window_blocks in 1_usize..9,
        seed: u64,
        epoch in 0_u64..1000,
    ) {
        let text = format!("frame_stride = {stride}\nshuffle = {{ block_rows = {block_rows}, window_blocks = {window_blocks} }}");
        let (options, _folders) = over(&[&lengths], &text);
        let order = order(&options, seed);
        let draws = order.epoch(epoch);
        let unique: HashSet<FrameId> = frames(&draws).into_iter().collect();
        let wanted: HashSet<FrameId> = lengths
            .iter()
            .enumerate()
            .flat_map(|(episode, length)| {
                (0..*length).step_by(stride).map(move |row| FrameId { dataset: 0, episode_index: episode as u64, row })
            })
            .collect();
        prop_assert_eq!(draws.len(), wanted.len(), "once");
        prop_assert_eq!(unique, wanted);
        prop_assert_eq!(order.epoch(epoch), draws);
    }

    #[test]
    fn weights_are_1_on_average_and_keep_their_proportions(
        lengths in prop::collection::vec(2_usize..120, 1..5),
        alpha in 0.0_f64..5.0,
        factor in 0.1_f64..10.0,
        seed: u64,
    ) {
        let text = format!(
            "weights = {{ temporal_alpha = {alpha}, segment = {{ dimensions = [\"a\"], threshold = 0.5, margin = 0, factor = {factor} }} }}"
        );
        let (options, _folders) = over(&[&lengths], &text);
        let draws = order(&options, seed).epoch(0);
        prop_assert!((mean_weight(&draws) - 1.0).abs() < 1e-5);
        // Every row of a ramp is a change, so the factor is everywhere and cancels.
        let progress = |draw: &Draw| draw.frame.row as f64 / (lengths[draw.frame.episode_index as usize] - 1) as f64;
        let scale = f64::from(draws[0].weight) / (1.0 + alpha * progress(&draws[0]).powi(2));
        for draw in &draws {
            let wanted = scale * (1.0 + alpha * progress(draw).powi(2));
            prop_assert!((f64::from(draw.weight) / wanted - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn datasets_are_drawn_in_proportion(
        first in 1_usize..200, second in 1_usize..200, a in 0.1_f64..10.0, b in 0.1_f64..10.0, seed: u64,
    ) {
        let (mut options, _folders) = over(&[&[first], &[second]], "");
        options.datasets[0].weight = a;
        options.datasets[1].weight = b;
        let draws = order(&options, seed).epoch(3);
        prop_assert_eq!(draws.len(), first + second);
        let of_first = draws.iter().filter(|draw| draw.frame.dataset == 0).count();
        prop_assert!((of_first as f64 - draws.len() as f64 * a / (a + b)).abs() <= 1.0);
        for (dataset, length) in [first, second].into_iter().enumerate() {
            let mut times = vec![0_usize; length];
            draws.iter().filter(|draw| draw.frame.dataset == dataset).for_each(|draw| times[draw.frame.row] += 1);
            let (fewest, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
            prop_assert!(most - fewest <= 1, "no frame is drawn again before all others");
        }
    }

    #[test]
    fn a_stretch_of_each_episode_is_drawn(
        lengths in prop::collection::vec(1_usize..100, 1..5), length in 1_usize..60, epoch in 0_u64..50, seed: u64,
    ) {
        let (options, _folders) = over(&[&lengths], &format!("sub_episode = {{ length = {length}, early_bias = 1.0 }}"));
        for (episode, rows) in rows(&order(&options, seed).epoch(epoch)) {
            prop_assert_eq!(rows.len(), length.min(lengths[episode as usize]));
            prop_assert!(rows.windows(2).all(|pair| pair[1] == pair[0] + 1));
        }
    }
}

#[test]
fn epochs_and_seeds_differ() {
    let (options, _folders) = over(&[&[100]], "");
    let order_0 = order(&options, 0);
    assert_ne!(frames(&order_0.epoch(0)), frames(&order_0.epoch(1)));
    assert_ne!(order_0.epoch(0), order(&options, 1).epoch(0));
}

#[test]
fn early_stretches_are_likelier() {
    let (mut options, _folders) = over(&[&[1000]], "sub_episode = { length = 100 }");
    let mut mean_start = |early_bias| {
        options.sub_episode.as_mut().unwrap().early_bias = early_bias;
        let order = order(&options, 5);
        (0..400).map(|epoch| rows(&order.epoch(epoch))[&0][0] as f64).sum::<f64>() / 400.0
    };
    // u^(1 + b) is 1 / (2 + b) on average; the latest start is row 900.
    for (bias, mean) in [(0.0, 450.0), (1.0, 300.0), (3.0, 180.0)] {
        let found = mean_start(bias);
        assert!((found - mean).abs() < 45.0, "bias {bias}: {found}, expected about {mean}");
    }
}

#[test]
fn the_curriculum_goes_from_whole_episodes_to_their_last_half() {
    let (options, _folders) = over(
        &[&[40, 11]],
        "curriculum = [{ epochs = 2 }, { epochs = 1, from = 0.5 }, { epochs = 1, to = 0.25 }]",
    );
    let order = order(&options, 0);
    let spans = |epoch| {
        rows(&order.epoch(epoch)).values().map(|rows| (rows[0], rows[rows.len() - 1])).collect::<Vec<_>>()
    };
    assert_eq!(spans(1), [(0, 39), (0, 10)]);
    assert_eq!(spans(2), [(20, 39), (6, 10)]);
    assert_eq!(spans(3), [(0, 9), (0, 2)]);
    assert_eq!(spans(99), spans(3), "the last phase goes on");
}

/// The recordings begin with five still frames and end with a few (found with numpy: the first action that differs
/// from the first is row 5, the last that differs from the last is row 178).
#[test]
fn still_frames_at_the_ends_are_trimmed() {
    let trimmed = options(BEHAVIOR, "validation_fraction = 0.0\ntrim_idle = { threshold = 1e-3 }");
    let rows = rows(&order(&trimmed, 0).epoch(0));
    assert_eq!(rows[&60010], (5..179).collect::<Vec<_>>());
}

/// The grippers' actions jump by 0.32 a row in rows 85 to 89 and 140 to 144 (found with numpy).
#[test]
fn samples_near_a_gripper_change_count_more() {
    let text = r#"
        validation_fraction = 0.0
        weights = { segment = { dimensions = ["left_gripper", "right_gripper"], threshold = 0.1, margin = 10, factor = 3.0 } }
    "#;
    let draws = order(&options(BEHAVIOR, text), 0).epoch(0);
    assert!((mean_weight(&draws) - 1.0).abs() < 1e-6);
    let base = draws.iter().find(|draw| draw.frame.row == 0).unwrap().weight;
    for draw in &draws {
        let near = (74..=99).contains(&draw.frame.row) || (129..=154).contains(&draw.frame.row);
        let wanted = if near { 3.0 } else { 1.0 };
        assert!((draw.weight / base - wanted).abs() < 1e-5, "{:?}", draw.frame);
    }
    let text = text.replace("left_gripper", "left_griper");
    let misspelt = options(BEHAVIOR, &text);
    let error = Order::new(&Corpus::open(&misspelt, 1).unwrap(), &misspelt, 0).unwrap_err().to_string();
    assert!(error.contains("`left_griper`"), "{error}");
}

#[test]
fn a_window_holds_few_blocks_and_mixes_them() {
    let (options, _folders) =
        over(&[&[640; 4]], "shuffle = { block_rows = 64, window_blocks = 4, mixed_rows = 64 }");
    let order = order(&options, 1);
    let draws = order.epoch(0);
    assert_eq!(order.group_draw_count(), 256);
    let mut mixed = 0;
    for window in draws.chunks(256) {
        let blocks: HashSet<_> =
            window.iter().map(|draw| (draw.frame.episode_index, draw.frame.row / 64)).collect();
        assert!(blocks.len() <= 4);
        mixed += window.windows(2).filter(|pair| pair[0].frame.row / 64 != pair[1].frame.row / 64).count();
    }
    assert!(mixed > draws.len() / 2, "{mixed} of {}", draws.len());
    let in_order = frames(&draws).windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(in_order.abs_diff(draws.len() / 2) < draws.len() / 10, "no direction is preferred");
}

/// The samples have a key frame every second picture, the recordings one in 250.
#[test]
fn long_groups_of_pictures_are_read_in_blocks() {
    assert_eq!(order(&all_of(V30), 0).group_draw_count(), 8);
    let order = order(&all_of(BEHAVIOR), 0);
    assert_eq!(order.group_draw_count(), 8 * 16);
    // The next group goes on where this one ends: no video is read backward within a window.
    let mut last = HashMap::new();
    for draws in order.epoch(0).chunk_by(|a, b| a.group == b.group) {
        assert!(draws.len() <= 128);
        let mut rows = BTreeMap::<_, Vec<usize>>::new();
        for draw in draws {
            rows.entry((draw.frame.episode_index, draw.frame.row / 64)).or_default().push(draw.frame.row);
        }
        for (block, mut rows) in rows {
            rows.sort_unstable();
            let first = last.insert(block, rows[rows.len() - 1]).map_or(64 * block.1, |last| last + 1);
            assert_eq!(rows, (first..first + rows.len()).collect::<Vec<_>>());
            assert!(rows.len() <= 16);
        }
    }
}

#[test]
fn both_formats_give_the_same_order() {
    let orders = [V21, V30, V30_FILES].map(|dataset| {
        let options = DataOptions { validation_fraction: 0.3, ..all_of(dataset) };
        (0..3).map(|epoch| order(&options, 9).epoch(epoch)).collect::<Vec<_>>()
    });
    assert_eq!(orders[0], orders[1]);
    assert_eq!(orders[0], orders[2]);
}

#[test]
fn validation_episodes_are_never_drawn() {
    let options = DataOptions { validation_fraction: 0.3, ..DataOptions::of(fixture(V30).to_str().unwrap()) };
    let corpus = Corpus::open(&options, 1).unwrap();
    let kept = corpus.validation_episodes();
    assert_eq!((kept.len(), corpus.train_episodes().len()), (1, 2));
    let draws = Order::new(&corpus, &options, 0).unwrap().epoch(0);
    assert!(draws.iter().all(|draw| draw.frame.episode_index != kept[0].episode_index));
}

#[test]
fn nothing_to_draw_is_an_error_from_the_start() {
    let (options, _folders) =
        over(&[&[3]], "curriculum = [{ epochs = 1 }, { epochs = 1, from = 0.9, to = 1.0 }]");
    let error = Order::new(&Corpus::open(&options, 1).unwrap(), &options, 0).unwrap_err().to_string();
    assert!(error.contains("without a frame in epoch 1"), "{error}");
}
