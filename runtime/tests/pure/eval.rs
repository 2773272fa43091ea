//! What an evaluation computes: intervals, seeds, causes.

use sinew_runtime::eval::{
    Account, Cause, Episode, Held, ItemFacts, Items, Shot, cause, is_success, parse_seeds, quantile, shard,
    thin, wilson_95,
};

/// Expected: `scipy.stats.binomtest(k, n).proportion_ci(0.95, "wilson")`, scipy 1.17.
#[test]
fn intervals_are_scipys() {
    let expected = [
        ((0, 10), [0.0, 0.277_532_799_862_889_26]),
        ((10, 10), [0.722_467_200_137_110_9, 1.0]),
        ((2, 8), [0.071_479_212_752_109, 0.590_724_569_689_831_1]),
        ((37, 100), [0.281_823_605_343_245_35, 0.467_794_704_190_571_1]),
        ((199, 200), [0.972_226_295_602_107, 0.999_116_831_284_399]),
        ((1, 1), [0.206_549_314_377_237_45, 1.0]),
    ];
    for ((success_count, trial_count), interval) in expected {
        for (found, expected) in wilson_95(success_count, trial_count).into_iter().zip(interval) {
            assert!((found - expected).abs() < 1e-12, "{success_count} of {trial_count}: {found}");
        }
    }
    assert_eq!(wilson_95(0, 0), [0.0, 1.0]);
}

/// Expected: `numpy.quantile`.
#[test]
fn quantiles_are_numpys() {
    let values = [2.5, 0.5, 9.0, 4.0, 1.0];
    let found = [0.0, 0.5, 0.9, 1.0].map(|share| quantile(&values, share).unwrap());
    assert_eq!(found, [0.5, 2.5, 7.0, 9.0]);
    assert_eq!(quantile(&[], 0.5), None);
}

#[test]
fn seeds_are_ranges_and_lists() {
    assert_eq!(parse_seeds("0..3").unwrap(), [0, 1, 2, 3]);
    assert_eq!(parse_seeds("7, 5..6,6,9").unwrap(), [7, 5, 6, 9]);
    for text in ["", "a", "3..1", "1..", "-1", "0..99999999"] {
        assert!(parse_seeds(text).unwrap_err().to_string().contains("--seeds"), "{text}");
    }
}

#[test]
fn shards_part_the_seeds() {
    let parts: Vec<Vec<u64>> =
        (1..=3).map(|index| shard((0..8).collect(), &format!("{index}/3")).unwrap()).collect();
    assert_eq!(parts, [vec![0, 3, 6], vec![1, 4, 7], vec![2, 5]]);
    for text in ["0/3", "4/3", "1", "1/0", "x/2"] {
        assert!(shard(vec![1], text).is_err(), "{text}");
    }
}

/// A thing that was touched by the left hand, lies upright and is left alone.
fn touched() -> ItemFacts {
    ItemFacts { upright: true, released: true, touched_by: vec!["left".to_owned()], ..ItemFacts::default() }
}

/// A thing where it belongs.
fn done() -> ItemFacts {
    ItemFacts { success: true, in_tray: true, rise_m: 0.1, ..touched() }
}

fn things(egg: &ItemFacts, cube: &ItemFacts) -> Items {
    Items::from([("egg".to_owned(), egg.clone()), ("cube".to_owned(), cube.clone())])
}

#[test]
fn each_failure_has_its_cause() {
    let (untouched, nothing) = (ItemFacts::default(), ItemFacts::default());
    let lifted = ItemFacts { rise_m: 0.05, ..touched() };
    let held = ItemFacts { held_by: vec!["left".to_owned()], released: false, ..lifted.clone() };
    let cases = [
        (untouched.clone(), nothing.clone(), Cause::NeverTouched),
        (touched(), nothing.clone(), Cause::TouchedNotLifted),
        (ItemFacts { moved_m: 0.03, ..touched() }, nothing.clone(), Cause::Pushed),
        (lifted.clone(), nothing.clone(), Cause::DroppedOutside),
        (held, nothing.clone(), Cause::StillHeld),
        (ItemFacts { success: false, released: false, ..done() }, nothing.clone(), Cause::NotReleased),
        (ItemFacts { success: false, upright: false, ..done() }, nothing.clone(), Cause::Toppled),
        (done(), nothing, Cause::NotHeldLongEnough),
        (untouched.clone(), lifted.clone(), Cause::WrongObject),
        (touched(), done(), Cause::WrongObject),
        (lifted, done(), Cause::WrongObject),
        (done(), done(), Cause::OtherToo),
        (untouched, touched(), Cause::NeverTouched),
    ];
    for (egg, cube, expected) in cases {
        assert_eq!(cause("egg", &things(&egg, &cube)), expected, "{egg:?} {cube:?}");
    }
    assert_eq!(cause("spoon", &things(&done(), &touched())), Cause::WrongObject);
}

#[test]
fn success_is_the_named_thing_alone() {
    assert!(is_success("egg", &things(&done(), &touched())));
    assert!(!is_success("cube", &things(&done(), &touched())));
    assert!(!is_success("egg", &things(&done(), &done())));
    assert!(!is_success("spoon", &things(&done(), &touched())));
}

#[test]
fn success_has_to_last() {
    let mut held = Held::default();
    let looks = [(0.0, true), (0.4, true), (0.45, false), (0.5, true), (0.9, true), (1.0, true)];
    let found = looks.map(|(at_s, is_success)| held.look(at_s, is_success, 0.5));
    assert_eq!(found, [None, None, None, None, None, Some(0.5)]);
}

#[test]
fn pictures_are_thinned_to_both_ends_and_between() {
    let shots = |count: u8| (0..count).map(|at| Shot { at_s: at.into(), jpeg: vec![at] }).collect::<Vec<_>>();
    let kept: Vec<f64> = thin(shots(11), 6).iter().map(|shot| shot.at_s).collect();
    assert_eq!(kept, [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    assert_eq!(thin(shots(4), 6).len(), 4);
    assert_eq!(thin(shots(0), 6).len(), 0);
}

#[test]
fn an_account_adds_episodes_up() {
    let success = |after_s| Episode {
        task: "egg".to_owned(),
        success: true,
        seconds_to_success: Some(after_s),
        items: things(&done(), &touched()),
        ..Episode::default()
    };
    let wrong = Episode {
        task: "egg".to_owned(),
        cause: Some(Cause::WrongObject),
        items: things(&touched(), &done()),
        ..Episode::default()
    };
    let episodes = [success(2.0), success(4.0), wrong];
    let account = Account::of(episodes.iter());
    assert_eq!((account.episode_count, account.success_count, account.other_task_count), (3, 2, 1));
    assert_eq!(account.causes.into_iter().collect::<Vec<_>>(), [("wrong_object", 1)]);
    let times = account.seconds_to_success.unwrap();
    assert!((times.p50 - 3.0).abs() < 1e-12 && (times.p90 - 3.8).abs() < 1e-12, "{times:?}");
    assert_eq!(account.wilson_95, wilson_95(2, 3));
}
