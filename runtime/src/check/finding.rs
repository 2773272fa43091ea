//! One line of a check: what was looked at, what was found, what to do about it.

use serde::Serialize;
use std::fmt::Write;

/// What a finding means for motion; the later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// The robot would move, though not as well as it could.
    Warning,
    /// The robot would not move.
    Refused,
}

impl Verdict {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Refused => "REFUSED",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub subject: String,
    /// What it means.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    /// As it should be.
    #[must_use]
    pub fn ok(subject: impl Into<String>, found: impl ToString) -> Self {
        Self { subject: subject.into(), verdict: Verdict::Ok, found: found.to_string(), advice: None }
    }

    /// Not as well as it could be.
    #[must_use]
    pub fn warning(subject: impl Into<String>, found: impl ToString, advice: impl ToString) -> Self {
        let advice = Some(advice.to_string());
        Self { subject: subject.into(), verdict: Verdict::Warning, found: found.to_string(), advice }
    }

    /// Against motion.
    #[must_use]
    pub fn refused(subject: impl Into<String>, found: impl ToString, advice: impl ToString) -> Self {
        let advice = Some(advice.to_string());
        Self { subject: subject.into(), verdict: Verdict::Refused, found: found.to_string(), advice }
    }
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The worst of all findings.
    pub verdict: Verdict,
    /// In the order in which one needs the other.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Of findings.
    #[must_use]
    pub fn new(findings: Vec<Finding>) -> Self {
        let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
        Self { verdict, findings }
    }

    /// For a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let width = self.findings.iter().map(|finding| finding.subject.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        let next = self.findings.iter().skip(1).map(Some).chain([None]);
        for (finding, next) in self.findings.iter().zip(next) {
            let Finding { subject, verdict, found, advice } = finding;
            let indented = found.replace('\n', &format!("\n{:1$}", "", width + 11));
            let _ = writeln!(text, "{:<7}  {subject:<width$}  {indented}", verdict.name());
            // What is to be done about several is said once, below the last.
            if let Some(advice) = advice.as_ref().filter(|_| next.is_none_or(|next| next.advice != *advice)) {
                let _ = writeln!(text, "{:7}  {:width$}  → {advice}", "", "");
            }
        }
        let count = |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        let (refused, warnings) = (count(Verdict::Refused), count(Verdict::Warning));
        let _ = match self.verdict {
            Verdict::Refused => writeln!(
                text,
                "\nMotion would be refused: {refused} findings against it, {warnings} warnings."
            ),
            Verdict::Warning => writeln!(text, "\nNothing is against motion; {warnings} warnings."),
            Verdict::Ok => writeln!(text, "\nNothing is against motion."),
        };
        text
    }
}
