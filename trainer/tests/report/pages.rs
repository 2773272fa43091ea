//! What is in the page, against the analysis it was written from.

use crate::sample::{Sample, r1pro, r1pro_retrained, so101};
use sinew_trainer::analyze::analysis::{Analysis, Outcome};
use sinew_trainer::analyze::compare::{self, Analysed};
use sinew_trainer::analyze::report;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn write(sample: &Sample, folder: &Path) -> String {
    report::write(folder, &sample.analysis, Some(&sample.predictions)).unwrap();
    fs::read_to_string(folder.join("report.html")).unwrap()
}

/// Without the pictures' bytes.
fn without_pictures(html: &str) -> String {
    let mut parts = html.split("base64,");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        text.push_str("base64,");
        text.push_str(&part[part.find('"').unwrap()..]);
    }
    text
}

fn data_only(sample: &Sample) -> Analysis {
    let mut analysis = sample.analysis.clone();
    analysis.policy = None;
    analysis.subject.policy = None;
    analysis.diagnosis.dimensions.clear();
    analysis.diagnosis.findings.clear();
    analysis.diagnosis.remedy_toml.clear();
    analysis
}

/// The page's text, attribute for attribute, and the files beside it.
#[test]
fn a_report_is_whole() {
    let sample = so101();
    let folder = TempDir::new().unwrap();
    let html = write(&sample, folder.path());
    let page = without_pictures(&html);

    assert!(
        !page.contains("http:") && !page.contains("https:") && !page.contains("@import"),
        "needs no network"
    );
    assert!(page.contains(r#"<meta name="viewport" content="width=device-width, initial-scale=1">"#));
    let images: Vec<&str> = page.split("<img ").skip(1).collect();
    assert!(
        images.iter().all(|image| image.contains("src=\"data:image/png;base64,\"")),
        "every picture is inside"
    );
    assert!(images.len() > 9 * 6, "a picture a dimension and plot, but {}", images.len());

    let headline = &sample.analysis.diagnosis.headline;
    assert!(
        page.find(&format!(">{headline}</h1>")).unwrap() < page.find("<h2>").unwrap(),
        "opens with the verdict"
    );
    for hypothesis in 1..=7 {
        assert!(page.contains(&format!("id=\"H{hypothesis}\"")), "H{hypothesis}");
    }
    let findings = sample.analysis.diagnosis.findings.iter();
    for value in findings.filter_map(|finding| finding.value) {
        assert!(page.contains(&format!("<data value=\"{value}\">")), "finding {value}");
    }
    assert!(page.contains("dimension_weights = { left_gripper = 0.03, right_gripper = 0.03 }"));

    let mut plots: Vec<String> = fs::read_dir(folder.path().join("plots"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    plots.sort();
    assert_eq!(
        plots,
        [
            "action_distribution.png",
            "action_state_lag.png",
            "correlation.png",
            "error_by_side.png",
            "error_by_step.png",
            "error_histograms.png",
            "idle_shares.png",
            "train_scatter.png",
            "train_sequence.png",
            "train_timeseries.png",
            "validation_scatter.png",
            "validation_sequence.png",
            "validation_timeseries.png",
            "variance_ratio.png",
        ]
    );

    let again = TempDir::new().unwrap();
    assert!(html == write(&sample, again.path()), "the same analysis gives the same bytes");
}

/// Each dimension's row holds its own numbers, of the side judged by.
#[test]
fn rows_hold_their_dimensions_numbers() {
    let Sample { analysis, .. } = r1pro();
    let folder = TempDir::new().unwrap();
    report::write(folder.path(), &analysis, None).unwrap();
    let page = without_pictures(&fs::read_to_string(folder.path().join("report.html")).unwrap());
    let section = &page[page.find(r#"<section id="dimensions">"#).unwrap()..];
    let rows: Vec<&str> = section[..section.find("</table>").unwrap()].split("<tr>").skip(2).collect();
    assert_eq!(rows.len(), 23);
    let validation = analysis.policy.as_ref().unwrap().validation.as_ref().unwrap();
    let gaps = analysis.policy.as_ref().unwrap().gap.as_ref().unwrap();
    let all = rows.iter().zip(&analysis.action).zip(&validation.dimensions).zip(gaps);
    for (((row, dimension), report), gap) in all {
        assert!(row.contains(&dimension.name), "{row}");
        for number in [
            report.mean_error,
            report.max_error,
            report.normalized_error,
            report.r2,
            report.variance_ratio,
            gap.mean_error,
            gap.r2,
        ] {
            assert!(
                row.contains(&format!("<data value=\"{number}\">")),
                "{}: {number} in {row}",
                dimension.name
            );
        }
    }
    let collapsed =
        analysis.diagnosis.dimensions.iter().filter(|verdict| verdict.outcome == Outcome::Collapsed);
    for verdict in collapsed {
        assert!(rows[verdict.dimension].contains("collapsed</span>"));
    }
}

/// A name is text wherever it stands.
#[test]
fn names_are_escaped() {
    let mut sample = so101();
    let name = "<script>alert('1')</script> & \"joint\"";
    let mut analysis = data_only(&sample);
    analysis.action[0].name = name.to_owned();
    analysis.state[0].name = name.to_owned();
    analysis.action[1].unit = "<b>".to_owned();
    analysis.subject.dataset = name.to_owned();
    analysis.diagnosis.headline = name.to_owned();
    analysis.data.faults = vec![name.to_owned()];
    analysis.data.outliers[0].reason = name.to_owned();
    analysis.data.phases[0].name = name.to_owned();
    sample.analysis = analysis;
    let folder = TempDir::new().unwrap();
    report::write(folder.path(), &sample.analysis, None).unwrap();
    let page = without_pictures(&fs::read_to_string(folder.path().join("report.html")).unwrap());
    assert!(!page.contains("<script") && !page.contains("<b>"));
    assert!(page.matches("&lt;script&gt;alert('1')&lt;/script&gt; &amp; &quot;joint&quot;").count() >= 8);
}

/// Without a policy there is nothing to say of one.
#[test]
fn a_dataset_alone_has_a_report() {
    let sample = so101();
    let folder = TempDir::new().unwrap();
    report::write(folder.path(), &data_only(&sample), None).unwrap();
    let page = without_pictures(&fs::read_to_string(folder.path().join("report.html")).unwrap());
    assert!(!page.contains("id=\"dimensions\"") && !page.contains("id=\"hypotheses\""));
    assert!(page.contains("beyond what any other episode has"));
    assert!(page.contains("1 of them are not those of the rows") && page.contains("<data value=\"35.1\">"));
    assert!(page.contains("in standard deviations off the mean"));
    assert!(page.contains("camera &lt;wrist&gt; has 3 frames fewer than rows"));
    assert!(page.contains("id=\"plot-action_distribution\"") && !page.contains("id=\"plot-variance_ratio\""));
}

/// For `scripts/look-at-report`, which says how it comes out in a browser.
#[test]
#[ignore = "writes reports to look at; the others check them"]
fn samples_to_look_at() {
    for (name, sample) in [("r1pro", r1pro()), ("so101", so101())] {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(name);
        write(&sample, &folder);
        println!("{}", folder.join("report.html").display());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report/r1pro_comparison");
    let (before, after) = (r1pro(), r1pro_retrained());
    let [before, after] =
        [before, after].map(|Sample { analysis, predictions }| Analysed { analysis, predictions });
    compare::write(&folder, &compare::compare(&before, &after, 0)).unwrap();
    println!("{}", folder.join("compare.html").display());
}
