//! Statistics, against numpy and against those that LeRobot wrote into the datasets.

use crate::support::{
    BEHAVIOR, Expected, Scratch, V21, V30, V30_FILES, Written, all_of, all_of_folder, options,
};
use sinew_models::contract::Mode;
use sinew_trainer::data::{
    Corpus, DataOptions, FeatureStatistics, NormalizationMode, STATE, Statistics, TOLERANCE, compare,
};

fn of(options: &DataOptions) -> (Corpus, Statistics) {
    let corpus = Corpus::open(options, 1).unwrap();
    let statistics = Statistics::of(&corpus).unwrap();
    (corpus, statistics)
}

/// `x.mean(), x.std(), x.min(), x.max(), *np.quantile(x, [.01, .1, .5, .9, .99])` of both episodes in float64.
#[test]
fn as_numpy() {
    let (_, statistics) =
        of(&options(BEHAVIOR, "validation_fraction = 0.0\nstate = \"behavior-2025-top32\""));
    let expected = [
        (
            &statistics.state,
            "left_arm_joint4.pos",
            [
                -1.408_148_715_231_153_6,
                0.141_342_030_547_429,
                -1.790_551_662_445_068_4,
                -1.010_795_116_424_560_5,
                -1.782_431_988_716_125_5,
                -1.606_965_517_997_741_8,
                -1.399_999_976_158_142,
                -1.285_110_342_502_594,
                -1.015_972_275_733_947_8,
            ],
        ),
        (
            &statistics.state,
            "right_hand.z",
            [
                0.794_265_319_903_691_6,
                0.040_871_056_609_493_354,
                0.767_104_625_701_904_3,
                0.918_371_319_770_813,
                0.767_302_851_080_894_5,
                0.767_849_892_377_853_4,
                0.768_220_305_442_810_1,
                0.860_799_968_242_645_3,
                0.915_031_170_248_985_3,
            ],
        ),
        (
            &statistics.action,
            "left_gripper",
            [
                0.355_555_575_382_378_36,
                0.565_667_974_036_369_4,
                -1.0,
                0.600_000_023_841_857_9,
                -1.0,
                -1.0,
                0.600_000_023_841_857_9,
                0.600_000_023_841_857_9,
                0.600_000_023_841_857_9,
            ],
        ),
    ];
    for (feature, name, numpy) in expected {
        assert_eq!(feature.count, 360);
        let place = feature.names.iter().position(|known| known == name).unwrap();
        for ((statistic, values), numpy) in feature.named().zip(numpy) {
            assert!((values[place] - numpy).abs() < 1e-12, "{name} {statistic}: {} {numpy}", values[place]);
        }
    }
}

/// LeRobot computes in float32, variances as `E[x²] − E[x]²`: its mean and std are only as good as that.
#[test]
fn as_lerobot_wrote_them() {
    for (dataset, expected) in
        [(V21, "lerobot_v21_sample/expected.safetensors"), (V30, "lerobot_v30_sample/expected.safetensors")]
    {
        let (corpus, statistics) = of(&all_of(dataset));
        let expected = Expected::read(expected);
        for (feature, ours) in [("observation.state", &statistics.state), ("action", &statistics.action)] {
            for (statistic, values) in ours.named().filter(|(name, _)| !name.starts_with('q')) {
                let theirs = expected.doubles(&format!("stats/{feature}/{statistic}"));
                for (place, (ours, theirs)) in values.iter().zip(theirs).enumerate() {
                    let allowed = match statistic {
                        "std" => 6e-4,
                        "mean" => 2e-6,
                        _ => 0.0,
                    };
                    assert!(
                        (ours - theirs).abs() <= allowed,
                        "{dataset} {feature}.{statistic}[{place}]: {ours} {theirs}"
                    );
                }
            }
        }
        assert_eq!(compare(&corpus, 0, &statistics, TOLERANCE).unwrap().unwrap(), [], "{dataset}");
    }
}

#[test]
fn every_format_has_the_same_statistics() {
    let [v21, v30, files] = [V21, V30, V30_FILES].map(|dataset| of(&all_of(dataset)).1);
    assert_eq!(v21, v30);
    assert_eq!(v21, files);
}

#[test]
fn selected_dimensions_are_compared_with_the_right_ones_of_the_dataset() {
    let (corpus, statistics) =
        of(&options(BEHAVIOR, "validation_fraction = 0.0\nstate = \"behavior-2025-top32\""));
    assert_eq!(compare(&corpus, 0, &statistics, TOLERANCE).unwrap().unwrap(), []);
}

#[test]
fn a_dataset_that_says_otherwise_is_told_by_dimension() {
    let scratch = Scratch::copy_of(V30);
    let text = std::fs::read_to_string(scratch.path("meta/stats.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json[STATE]["max"][9] = 77.0.into();
    std::fs::write(scratch.path("meta/stats.json"), json.to_string()).unwrap();
    let (corpus, statistics) = of(&all_of_folder(scratch.folder()));
    let found = compare(&corpus, 0, &statistics, TOLERANCE).unwrap().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].dimension.as_str(), found[0].statistic, found[0].theirs),
        ("left_arm_joint3", "max", 77.0)
    );

    std::fs::remove_file(scratch.path("meta/stats.json")).unwrap();
    assert_eq!(compare(&corpus, 0, &statistics, TOLERANCE).unwrap(), None);
    std::fs::write(scratch.path("meta/stats.json"), "{").unwrap();
    let error = compare(&corpus, 0, &statistics, TOLERANCE).unwrap_err().to_string();
    assert!(error.contains("meta/stats.json"), "{error}");
}

#[test]
fn validation_trimmed_and_skipped_rows_do_not_count() {
    let mut written = Written::ramps(&[20]);
    let rows = &mut written.episodes[0].1;
    rows[..5].iter_mut().for_each(|(_, action)| action[0] = 0.0);
    let folder = written.write();
    let options: DataOptions =
        toml::from_str("frame_stride = 2\nvalidation_fraction = 0.0\ntrim_idle = { threshold = 0.5 }")
            .unwrap();
    let options = DataOptions { datasets: all_of_folder(folder.path()).datasets, ..options };
    let (_, statistics) = of(&options);
    // Rows 5 to 18 move; of these, the even ones start samples.
    assert_eq!((statistics.state.count, statistics.state.min[0], statistics.state.max[0]), (7, 6.0, 18.0));
}

#[test]
fn a_checkpoint_gets_what_its_normaliser_reads() {
    let (corpus, statistics) = of(&all_of(BEHAVIOR));
    let (floored, near_constant) = statistics.floored(1e-3);
    assert!(near_constant.iter().any(|near| near.statistic == "std" && near.feature == STATE));
    let tensors = floored.tensors();
    assert_eq!(tensors.len(), 18);
    assert_eq!(tensors["action.q99"].len(), corpus.action_names().len());
    let std = |statistics: &FeatureStatistics| statistics.std.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(std(&statistics.state) < 1e-3 && std(&floored.state) >= 1e-3);

    let by_range = floored.action.normalizer(NormalizationMode::Quantiles);
    assert_eq!((by_range.mode, by_range.eps), (Mode::Range, 1e-8));
    let place = corpus.action_names().iter().position(|name| name == "left_gripper").unwrap();
    assert_eq!(by_range.dimensions[place].low, Some(-1.0));
    assert_eq!(by_range.dimensions[place].high, Some(f64::from(0.6_f32)));
    let by_mean = floored.action.normalizer(NormalizationMode::MeanStd);
    assert_eq!((by_mean.mode, by_mean.dimensions[place].low), (Mode::MeanStd, None));
    assert_eq!(by_mean.dimensions[place].std, f64::from(tensors["action.std"][place]));
}
