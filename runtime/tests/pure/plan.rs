//! Start-up checks that need no file and no network.

use crate::manifest::{bundle, manifest};
use sinew_models::contract::{Dimension, Manifest, Training};
use sinew_models::formula::{Formula, Operand};
use sinew_models::unit::Unit;
use sinew_proto::key::Key;
use sinew_runtime::Error;
use sinew_runtime::config::Config;
use sinew_runtime::control::MotionPlan;
use sinew_runtime::plan::Plan;

fn plan(config: &str, change: impl FnOnce(&mut Manifest)) -> Result<Plan, Error> {
    Plan::new(bundle(change), &Config::parse(config, "test")?)
}

#[test]
fn topics_are_the_robots_unless_overridden_and_stand_behind_the_namespace() {
    let config = "[zenoh]\nnamespace = \"/lab/r1\"\n[cameras]\nleft_wrist = \"/rect/compressed\"\n";
    let plan = plan(config, |_| {}).unwrap();
    let keys: Vec<Vec<&str>> =
        plan.cameras.iter().map(|camera| camera.keys.iter().map(Key::as_str).collect()).collect();
    assert_eq!(
        keys,
        [
            vec!["lab/r1/hdas/camera_head/left_raw/image_raw_color/compressed"],
            vec!["lab/r1/rect/compressed"],
            vec![
                "lab/r1/hdas/camera_wrist_right/color/image_raw/compressed",
                "lab/r1/hdas/camera_wrist_right/color/image_rect_raw/compressed",
            ],
        ]
    );
    let feedback: Vec<&str> = plan.feedback.iter().map(|input| input.key.as_str()).collect();
    assert_eq!(
        feedback,
        [
            "lab/r1/hdas/feedback_torso",
            "lab/r1/hdas/feedback_arm_left",
            "lab/r1/hdas/feedback_gripper_left",
            "lab/r1/hdas/feedback_arm_right",
            "lab/r1/hdas/feedback_gripper_right",
        ]
    );
}

#[test]
fn what_does_not_match_is_refused_with_both_sides() {
    type Change = fn(&mut Manifest);
    let unchanged: Change = |_| {};
    let cases: [(&str, Change, &[&str]); 8] = [
        (
            "[cameras]\nhaed = \"/x\"\n",
            unchanged,
            &["`haed`", "the bundle", "`head`, `left_wrist`, `right_wrist`"],
        ),
        (
            "",
            |m| m.cameras[1].name = "left_wirst".to_owned(),
            &["`left_wirst`", "robot `r1pro`", "`left_wrist`"],
        ),
        ("", |m| m.cameras.clear(), &["at least one", "none"]),
        ("", |m| m.embodiment = "r1por".to_owned(), &["`r1por`", "`r1pro`"]),
        (
            "",
            |m| m.state.dimensions[0].name = "left_arm_joint9.pos".to_owned(),
            &["`left_arm_joint9.pos`", "`r1pro`"],
        ),
        ("", |m| m.state.dimensions[0].unit = Unit::Metre, &["`left_arm_joint1.pos`", "`m`", "`rad`"]),
        ("", |m| m.state.dimensions[9].unit = Unit::Millimetre, &["`left_hand.x`", "`mm`", "`m`"]),
        ("[policy]\nbundle_id = \"feed\"\n", unchanged, &["`feed`", "`0123456789abcdef`"]),
    ];
    for (config, change, expected) in cases {
        let error = plan(config, change).unwrap_err();
        assert!(error.is_usage(), "{error}");
        for words in expected {
            assert!(error.to_string().contains(words), "`{error}` does not say {words}");
        }
    }
}

#[test]
fn a_derived_number_is_one_that_can_be_computed() {
    let operand = |name: &str, unit| Operand { name: name.to_owned(), unit };
    let velocity = |name: &str, unit, rate_hz| Formula::Velocity { of: operand(name, unit), rate_hz };
    let elbow = |rate_hz| velocity("left_arm_joint4.pos", Unit::Radian, rate_hz);
    let complaint = |formulas: &[(&str, Unit, Formula<Operand>)]| {
        let mut manifest = manifest();
        for (name, unit, formula) in formulas {
            let number = manifest.state.dimensions[0].clone();
            let (name, derived) = ((*name).to_owned(), Some(formula.clone()));
            let derived = Dimension { name, unit: *unit, source_index: None, derived, ..number };
            manifest.model.max_state_dim += 1;
            manifest.state.dimensions.push(derived);
        }
        manifest.validate().map_err(|error| error.to_string())?;
        let numbers = manifest.state.dimensions.clone();
        let planned = plan("", |manifest| manifest.state.dimensions.clone_from(&numbers));
        planned.map(|_| ()).map_err(|error| error.to_string())
    };
    let speed = Unit::RadianPerSecond;
    assert_eq!(complaint(&[("a", speed, elbow(30.0)), ("b", speed, elbow(30.0))]), Ok(()));
    for (formulas, words) in [
        (vec![("a", Unit::MetrePerSecond, elbow(30.0))], ["unit of `a`", "rad/s"]),
        (vec![("a", speed, elbow(0.0))], ["`a`.rate_hz", "more than 0"]),
        (vec![("a", speed, elbow(30.0)), ("b", speed, elbow(15.0))], ["speed `b`", "33333333 ns"]),
        (vec![("a", speed, velocity("left_arm_joint9.pos", Unit::Radian, 30.0))], ["joint9", "`r1pro`"]),
        (vec![("a", Unit::Metre, Formula::Norm { of: Vec::new() })], ["`a`.of", "at least one"]),
    ] {
        let complaint = complaint(&formulas).unwrap_err();
        assert!(words.iter().all(|words| complaint.contains(words)), "{complaint} does not say {words:?}");
    }
    let mut manifest = manifest();
    manifest.action.dimensions[0].derived = Some(elbow(30.0));
    let error = manifest.validate().unwrap_err().to_string();
    assert!(error.contains("action.") && error.contains("a number that is commanded"), "{error}");
}

#[test]
fn what_the_training_says_has_to_fit_the_policy() {
    let complaint = |training: Training| {
        let mut manifest = manifest();
        manifest.training = training;
        manifest.validate().map_err(|error| error.to_string())
    };
    let training = |max_clean_steps, start_posture| Training { max_clean_steps, start_posture };
    assert_eq!(complaint(training(49, vec![0.5; 23])), Ok(()));
    for (training, words) in [
        (training(50, vec![]), "less than the chunk's 50 steps"),
        (training(0, vec![0.5; 22]), "23 numbers or none"),
        (training(0, [vec![0.5; 7], vec![f64::NAN; 16]].concat()), "start_posture.left_arm_joint1"),
    ] {
        let complaint = complaint(training).unwrap_err();
        assert!(complaint.contains(words), "{complaint}");
    }
}

#[test]
fn a_policy_trained_without_clean_prefixes_is_not_run_with_them() {
    let motion = |max_clean_steps| {
        let plan = plan("", |manifest| manifest.training.max_clean_steps = max_clean_steps).unwrap();
        MotionPlan::new(&plan, &Config::parse("[schedule]\nmode = \"rtc-trained\"\n", "test").unwrap())
    };
    let refusal = motion(0).unwrap_err();
    assert!(refusal.is_usage());
    assert!(refusal.to_string().contains("trained without clean prefixes (use `rtc`)"), "{refusal}");
    assert!(motion(5).unwrap().is_none());
}

#[test]
fn schedules_and_set_points_that_make_no_sense_are_refused() {
    for (config, words) in [
        ("[schedule]\nlatency_window = 0\n", "`schedule.latency_window` is 0, expected 1 to 256"),
        ("[schedule]\nlatency_quantile = 1.5\n", "`schedule.latency_quantile` is 1.5, expected 0 to 1"),
        ("[schedule]\nmode = \"rtx\"\n", "rtx"),
        ("[setpoints]\nrate_hz = 10.0\n", "`setpoints.rate_hz` is 10, expected 30 to 1000"),
    ] {
        let error = Config::parse(config, "test").unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}
