//! Two analyses side by side, whose difference is known.

use crate::sample::{Sample, sample, so101, so101_names};
use sinew_trainer::analyze::analysis::Outcome;
use sinew_trainer::analyze::compare::{Analysed, Comparison, Unit, Verdict, compare, write};
use std::fs;
use tempfile::TempDir;

fn analysed(Sample { analysis, predictions }: Sample) -> Analysed {
    Analysed { analysis, predictions }
}

/// Before, dimensions 0, 2 and 5 have collapsed; after, 0 has learned, 1 has collapsed, and 3 is gone.
fn before_and_after() -> (Analysed, Analysed) {
    let mut names = so101_names();
    names[3].0 = "wrist_roll_2.pos".to_owned();
    let after =
        sample(
            &names,
            |dimension| if [1, 2, 5].contains(&dimension) { Outcome::Collapsed } else { Outcome::Learned },
        );
    (analysed(so101()), analysed(after))
}

fn compared() -> Comparison {
    let (before, after) = before_and_after();
    compare(&before, &after, 0)
}

#[test]
fn what_recovered_and_what_got_worse() {
    let comparison = compared();
    let verdicts: Vec<(&str, Verdict)> =
        comparison.dimensions.iter().map(|dimension| (dimension.name.as_str(), dimension.verdict)).collect();
    assert_eq!(
        verdicts,
        [
            ("shoulder_pan.pos", Verdict::Recovered),
            ("shoulder_lift.pos", Verdict::Worse),
            ("elbow_flex.pos", Verdict::Unchanged),
            ("wrist_roll.pos", Verdict::Unchanged),
            ("gripper.pos", Verdict::Unchanged),
        ]
    );
    assert_eq!(comparison.only_before, ["wrist_flex.pos"]);
    assert_eq!(comparison.only_after, ["wrist_roll_2.pos"]);
    assert_eq!((comparison.unit, comparison.is_paired), (Unit::Episode, true));
    assert_eq!(comparison.headline(), "Of 5 dimensions: 1 recovered, 3 unchanged, 1 got worse.");
}

/// The numbers before and after are those that the analyses themselves give.
#[test]
fn its_numbers_are_the_analyses() {
    let (before, after) = before_and_after();
    let is_near = |found: f64, expected: f64| (found - expected).abs() < 1e-9 * expected.abs().max(1.0);
    for dimension in &compared().dimensions {
        let report = |side: &Analysed| {
            let place = side.analysis.action.iter().position(|other| other.name == dimension.name).unwrap();
            side.analysis.policy.as_ref().unwrap().judged().dimensions[place].clone()
        };
        let (first, second, change) = (report(&before), report(&after), &dimension.change);
        assert!(is_near(change.mean_error.before, first.mean_error), "{}", dimension.name);
        assert!(is_near(change.mean_error.after, second.mean_error), "{}", dimension.name);
        assert!(is_near(change.normalized_error.before, first.normalized_error), "{}", dimension.name);
        assert!(
            is_near(change.r2.before, first.r2) && is_near(change.r2.after, second.r2),
            "{}",
            dimension.name
        );
        let (low, high) = change.r2.interval;
        assert!(low <= change.r2.change && change.r2.change <= high, "{}", dimension.name);
    }
}

#[test]
fn it_is_written_for_people_and_programs() {
    let comparison = compared();
    let folder = TempDir::new().unwrap();
    write(folder.path(), &comparison).unwrap();
    let page = fs::read_to_string(folder.path().join("compare.html")).unwrap();
    assert!(page.contains(&comparison.headline()) && !page.contains("http"));
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("comparison.json")).unwrap()).unwrap();
    assert_eq!(json["dimensions"][0]["verdict"], "recovered");
    let text = comparison.to_string();
    for dimension in &comparison.dimensions {
        assert!(page.contains(&dimension.name) && text.contains(&dimension.name));
        assert!(page.contains(&format!("<data value=\"{}\">", dimension.change.mean_error.after)));
    }
    assert!(text.contains("only in the first: wrist_flex.pos"));
    // A picture of errors, of changes and of R², and one a dimension of the error by step; each inside the page.
    assert_eq!(page.matches("src=\"data:image/png;base64,").count(), 3 + comparison.dimensions.len());
    for plot in ["errors", "changes", "explained", "error_by_step"] {
        assert!(
            folder.path().join(format!("plots/{plot}.png")).is_file()
                && page.contains(&format!("id=\"plot-{plot}\""))
        );
    }
    let steps = &comparison.dimensions[0].error_by_step;
    assert!(steps.0.len() == 50 && steps.0[20] > steps.1[20], "{steps:?}");
}

/// What `analyze` leaves in a folder is what is compared.
#[test]
fn folders_are_read() {
    let (before, _) = before_and_after();
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("statistics.json"), serde_json::to_vec(&before.analysis).unwrap()).unwrap();
    before.predictions.write_npz(&data.join("predictions.npz")).unwrap();
    let read = Analysed::read(folder.path()).unwrap();
    assert_eq!(read.analysis, before.analysis);
    assert_eq!(compare(&read, &read, 0), compare(&before, &before, 0));

    let mut alone = before.analysis;
    alone.policy = None;
    fs::write(data.join("statistics.json"), serde_json::to_vec(&alone).unwrap()).unwrap();
    let refusal = Analysed::read(folder.path()).unwrap_err().to_string();
    assert!(refusal.contains("nothing to compare"), "{refusal}");
}
