//! Faults that somebody put into data and trainings: an analysis names each one first, and its remedy helps.
//!
//! Every test trains small policies of its own, some seconds each.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use sinew_tests::planted::stirring::{self, NAMES, WRIST_ROLL};
use sinew_tests::planted::{Bench, faults};
use sinew_trainer::analyze::analysis::{Analysis, Check, Verdict};
use sinew_trainer::analyze::compare::{self, Analysed, compare};

/// As the program's: without it most of the time goes into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// All joints but the wrist.
fn others() -> impl Iterator<Item = usize> {
    (0..NAMES.len()).filter(|joint| *joint != WRIST_ROLL)
}

/// How much of the motion on validation episodes is explained.
fn r2(found: &Analysis, joint: usize) -> f64 {
    found.policy.as_ref().unwrap().judged().dimensions[joint].r2
}

/// Whatever the faulty joints do, the others are followed.
fn assert_followed(found: &Analysis, joints: impl IntoIterator<Item = usize>) {
    for joint in joints {
        assert!(r2(found, joint) > 0.9, "{}: R² {}", NAMES[joint], r2(found, joint));
    }
}

fn assert_lost(found: &Analysis, joints: impl IntoIterator<Item = usize>) {
    for joint in joints {
        assert!(r2(found, joint) < 0.5, "{}: R² {}", NAMES[joint], r2(found, joint));
    }
}

/// The fault is what is named first, of all and of each of these joints.
fn assert_blamed(found: &Analysis, cause: Check, joints: impl IntoIterator<Item = usize>) {
    let diagnosis = &found.diagnosis;
    assert_eq!(diagnosis.first_cause, Some(cause), "{}", told(found));
    assert!(!diagnosis.is_healthy);
    for joint in joints {
        assert_eq!(diagnosis.dimensions[joint].cause, Some(cause), "{}: {}", NAMES[joint], told(found));
    }
}

/// Set side by side, the analyses before and after say that these joints came back.
fn assert_recovered(bench: &Bench, before: &str, after: &str, joints: impl IntoIterator<Item = usize>) {
    let [before, after] = [before, after].map(|name| Analysed::read(&bench.path(name)).unwrap());
    let comparison = compare(&before, &after, 0);
    assert!(comparison.is_paired);
    for joint in joints {
        let found = comparison.dimensions.iter().find(|dimension| dimension.name == NAMES[joint]).unwrap();
        assert_eq!(found.verdict, compare::Verdict::Recovered, "{found:?}");
    }
}

/// What an analysis found, to look into where it is wrong.
fn told(found: &Analysis) -> String {
    let verdicts = found.diagnosis.dimensions.iter().map(|verdict| &verdict.text);
    let supported = found.diagnosis.findings.iter().filter(|finding| finding.verdict == Verdict::Supported);
    format!("{:#?} {:#?}", verdicts.collect::<Vec<_>>(), supported.collect::<Vec<_>>())
}

/// One healthy policy, and three ways in which it is not the policy of what it is compared with.
#[test]
fn a_healthy_policy_is_healthy_until_it_is_set_beside_other_data() {
    let bench = Bench::new();
    let episodes = stirring::episodes(1, 1.0);
    let dataset = bench.dataset("dataset", &episodes);
    let policy = bench.train("healthy", &dataset, &[]);
    let healthy = bench.analyze("healthy_analysis", &policy, &dataset);
    assert!(healthy.diagnosis.is_healthy, "{}", told(&healthy));
    assert_eq!((healthy.diagnosis.first_cause, healthy.diagnosis.remedy_toml.as_str()), (None, ""));
    assert_followed(&healthy, 0..NAMES.len());

    let mut swapped = episodes;
    faults::swap_actions(&mut swapped, 0, 2);
    let swapped = bench.analyze("swapped_analysis", &policy, &bench.dataset("swapped", &swapped));
    assert_blamed(&swapped, Check::Swapped, [0, 2]);
    assert_followed(&swapped, [1, 3, 4, 5]);

    let late = bench.dataset("late", &stirring::episodes(1, 1.0 - 3.0));
    let late = bench.analyze("late_analysis", &policy, &late);
    assert_blamed(&late, Check::Misaligned, []);
    let shift = &late.diagnosis.findings.iter().find(|finding| finding.check == Check::Misaligned).unwrap();
    assert!(shift.measure.contains("+3 steps"), "{}", shift.measure);

    // Whether three episodes that differ as much as these are of another kind nobody can say.
    let mut few = stirring::episodes(1, 1.0);
    few.truncate(3);
    faults::lose_zeros(&mut few);
    let few = bench.analyze("few_analysis", &policy, &bench.dataset("few", &few));
    let statistics =
        few.diagnosis.findings.iter().filter(|finding| finding.check == Check::ForeignStatistics);
    for finding in statistics {
        assert_eq!(finding.verdict, Verdict::CannotTell, "{finding:#?}");
        assert!(finding.measure.contains("2 training episodes that differ as these do"), "{finding:#?}");
    }

    let mut other_make = stirring::episodes(2, 1.0);
    faults::change_make(&mut other_make);
    faults::take_statistics_of(&policy, &bench.dataset("other_make", &other_make));
    let foreign = bench.analyze("foreign_analysis", &policy, &dataset);
    assert_blamed(&foreign, Check::ForeignStatistics, 0..NAMES.len());
    assert_lost(&foreign, 0..NAMES.len());
    // The remedy is to train with this dataset's own, which is what the healthy policy did.
    assert_recovered(&bench, "foreign_analysis", "healthy_analysis", 0..NAMES.len());
}

/// What data tell of themselves, before anybody trains.
#[test]
fn data_alone_say_what_is_wrong_with_them() {
    let bench = Bench::new();
    let sound = stirring::episodes(1, 1.0);
    let healthy = bench.dataset("sound", &sound);
    let found = bench.analyze_data("sound_analysis", &healthy);
    assert!(found.diagnosis.is_healthy, "{}", told(&found));
    assert_eq!(found.data.own_statistics.not_compared, None);

    let planted = |name: &str, plant: &dyn Fn(&mut [stirring::Episode])| {
        let mut episodes = sound.clone();
        plant(&mut episodes);
        let dataset = bench.dataset(name, &episodes);
        bench.analyze_data(&format!("{name}_analysis"), &dataset)
    };
    let supported = |found: &Analysis| {
        let findings =
            found.diagnosis.findings.iter().filter(|finding| finding.verdict == Verdict::Supported);
        findings.map(|finding| (finding.check, finding.dimension)).collect::<Vec<_>>()
    };
    let swapped = planted("swapped", &|episodes| faults::swap_actions(episodes, 0, 2));
    assert_eq!(
        supported(&swapped),
        [0, 2].map(|joint| (Check::OrderMismatch, Some(joint))),
        "{}",
        told(&swapped)
    );
    let degrees = planted("degrees", &|episodes| faults::record_states_in_degrees(episodes));
    let every = (0..NAMES.len()).map(|joint| (Check::UnitMismatch, Some(joint)));
    assert_eq!(supported(&degrees), every.collect::<Vec<_>>(), "{}", told(&degrees));
    let resting = planted("resting", &faults::rest_wrist);
    assert_eq!(supported(&resting), [(Check::Idle, Some(WRIST_ROLL))], "{}", told(&resting));

    let mut other_make = sound;
    faults::change_make(&mut other_make);
    faults::describe_as(&healthy, &bench.dataset("other_make", &other_make));
    let misdescribed = bench.analyze_data("misdescribed_analysis", &healthy);
    assert_eq!(supported(&misdescribed), [(Check::OwnStatistics, None)], "{}", told(&misdescribed));
    let differences = &misdescribed.data.own_statistics.differences;
    assert_eq!(
        differences.len(),
        2 * 4 * NAMES.len(),
        "mean, std, min and max of state and action: {differences:#?}"
    );
}

#[test]
fn a_locked_wrist_that_is_scaled_by_its_noise_blinds_the_policy_elsewhere() {
    let bench = Bench::new();
    let mut episodes = stirring::episodes(1, 1.0);
    faults::lock_wrist(&mut episodes, &bench.validation_episodes());
    let dataset = bench.dataset("dataset", &episodes);
    let fault = "data.std_floor = 0.0";
    let found = bench.analyze("before", &bench.train("fault", &dataset, &[fault]), &dataset);
    assert_blamed(&found, Check::TinySpread, others());
    assert_lost(&found, others());

    let remedied = bench.train("remedied", &dataset, &[fault, &found.diagnosis.remedy_toml]);
    let found = bench.analyze("after", &remedied, &dataset);
    assert_followed(&found, others());
    assert_recovered(&bench, "before", "after", others());
}

#[test]
fn a_wrist_that_stands_still_is_told_to() {
    let bench = Bench::new();
    let mut episodes = stirring::episodes(1, 1.0);
    faults::stop_wrist(&mut episodes);
    let dataset = bench.dataset("dataset", &episodes);
    let policy = bench.train("policy", &dataset, &[]);
    let found = bench.analyze("healthy", &policy, &dataset);
    assert!(found.diagnosis.is_healthy, "{}", told(&found));

    faults::scale_wrist_by_one(&policy, &dataset);
    let found = bench.analyze("before", &policy, &dataset);
    assert_blamed(&found, Check::WideSpread, [WRIST_ROLL]);
    assert_followed(&found, others());

    let remedied = bench.train("remedied", &dataset, &[&found.diagnosis.remedy_toml]);
    let found = bench.analyze("after", &remedied, &dataset);
    assert!(found.diagnosis.is_healthy, "{}", told(&found));
    assert_recovered(&bench, "before", "after", [WRIST_ROLL]);
}

#[test]
fn a_wrist_of_large_numbers_drowns_the_others_in_a_raw_loss() {
    let bench = Bench::new();
    let mut episodes = stirring::episodes(1, 1.0);
    faults::scale_wrist(&mut episodes);
    let dataset = bench.dataset("dataset", &episodes);
    let fault = "data.normalization.action = \"IDENTITY\"";
    let found = bench.analyze("before", &bench.train("fault", &dataset, &[fault]), &dataset);
    assert_blamed(&found, Check::LossShare, others());
    assert_lost(&found, others());

    let remedied = bench.train("remedied", &dataset, &[fault, &found.diagnosis.remedy_toml]);
    let found = bench.analyze("after", &remedied, &dataset);
    assert!(found.diagnosis.is_healthy, "{}", told(&found));
    assert_followed(&found, 0..NAMES.len());
    assert_recovered(&bench, "before", "after", others());
}

#[test]
fn a_wrist_that_somebody_unseen_turns_cannot_be_learned() {
    let bench = Bench::new();
    let mut episodes = stirring::episodes(1, 1.0);
    faults::hide_wrist(&mut episodes);
    let dataset = bench.dataset("dataset", &episodes);
    let found = bench.analyze("analysis", &bench.train("fault", &dataset, &[]), &dataset);
    assert_blamed(&found, Check::Unobservable, [WRIST_ROLL]);
    assert_followed(&found, others());
}

#[test]
fn a_wrist_that_somebody_pushes_about_asks_for_shorter_chunks() {
    let bench = Bench::new();
    let mut episodes = stirring::episodes(1, 1.0);
    faults::push_wrist(&mut episodes);
    let dataset = bench.dataset("dataset", &episodes);
    let found = bench.analyze("before", &bench.train("fault", &dataset, &[]), &dataset);
    assert_blamed(&found, Check::FarSteps, [WRIST_ROLL]);
    assert_followed(&found, others());
    assert!(found.diagnosis.remedy_toml.contains("policy.chunk_size = 4\n"), "{}", told(&found));

    let remedied = bench.train("remedied", &dataset, &[&found.diagnosis.remedy_toml]);
    let found = bench.analyze("after", &remedied, &dataset);
    assert_eq!(found.subject.chunk_size, 4);
    assert!(found.diagnosis.is_healthy, "{}", told(&found));
    assert_recovered(&bench, "before", "after", [WRIST_ROLL]);
}

#[test]
fn a_wrist_that_goes_either_way_has_several_right_answers() {
    let bench = Bench::new();
    let mut episodes = stirring::episodes(1, 1.0);
    faults::toss_wrist(&mut episodes, &bench.validation_episodes());
    let dataset = bench.dataset("dataset", &episodes);
    let found = bench.analyze("analysis", &bench.train("fault", &dataset, &[]), &dataset);
    assert_blamed(&found, Check::Multimodal, [WRIST_ROLL]);
    assert_followed(&found, others());
}

#[test]
fn a_wrist_that_mostly_rests_is_learned_to_rest() {
    let bench = Bench::new();
    let mut episodes = stirring::episodes(1, 1.0);
    faults::rest_wrist(&mut episodes);
    let dataset = bench.dataset("dataset", &episodes);
    let found = bench.analyze("before", &bench.train("fault", &dataset, &[]), &dataset);
    assert_blamed(&found, Check::Idle, [WRIST_ROLL]);
    assert_followed(&found, others());

    let remedied = bench.train("remedied", &dataset, &[&found.diagnosis.remedy_toml]);
    let found = bench.analyze("after", &remedied, &dataset);
    assert!(found.diagnosis.is_healthy, "{}", told(&found));
    assert_recovered(&bench, "before", "after", [WRIST_ROLL]);
}

#[test]
fn a_wrist_that_was_always_there_already_is_said_to_stay() {
    let bench = Bench::new();
    let [there, elsewhere] = [true, false].map(|is_there| {
        let mut episodes = stirring::episodes(1, 1.0);
        faults::pull_lever(&mut episodes, is_there);
        bench.dataset(&format!("there_{is_there}"), &episodes)
    });
    let found = bench.analyze("before", &bench.train("fault", &there, &[]), &elsewhere);
    assert_blamed(&found, Check::CopiesState, [WRIST_ROLL]);
    assert_followed(&found, others());

    let remedied = bench.train("remedied", &there, &[&found.diagnosis.remedy_toml]);
    let found = bench.analyze("after", &remedied, &elsewhere);
    assert!(found.diagnosis.is_healthy, "{}", told(&found));
    assert_recovered(&bench, "before", "after", [WRIST_ROLL]);
}

#[test]
fn a_few_steps_are_too_few() {
    let bench = Bench::new();
    let dataset = bench.dataset("dataset", &stirring::episodes(1, 1.0));
    let fault = "run.steps = 40";
    let found = bench.analyze("before", &bench.train("fault", &dataset, &[fault]), &dataset);
    assert_blamed(&found, Check::Undertrained, 0..NAMES.len());
    assert_lost(&found, 0..NAMES.len());

    let remedied = bench.train("remedied", &dataset, &[fault, &found.diagnosis.remedy_toml]);
    let found = bench.analyze("after", &remedied, &dataset);
    assert!(found.diagnosis.is_healthy, "{}", told(&found));
    assert_recovered(&bench, "before", "after", 0..NAMES.len());
}
