//! Start-up checks that need no file and no network.

use crate::manifest::bundle;
use sinew_models::contract::Manifest;
use sinew_models::unit::Unit;
use sinew_runtime::Error;
use sinew_runtime::config::Config;
use sinew_runtime::plan::Plan;

fn plan(config: &str, change: impl FnOnce(&mut Manifest)) -> Result<Plan, Error> {
    Plan::new(bundle(change), &Config::parse(config, "test")?)
}

#[test]
fn topics_are_the_robots_unless_overridden_and_stand_behind_the_namespace() {
    let config = "[zenoh]\nnamespace = \"/lab/r1\"\n[cameras]\nleft_wrist = \"/rect/compressed\"\n";
    let plan = plan(config, |_| {}).unwrap();
    let keys: Vec<String> = plan.cameras.iter().map(|camera| camera.key.to_string()).collect();
    assert_eq!(
        keys,
        [
            "lab/r1/hdas/camera_head/left_raw/image_raw_color/compressed",
            "lab/r1/rect/compressed",
            "lab/r1/hdas/camera_wrist_right/color/image_raw/compressed",
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
