//! A comparison as text.

use super::{Comparison, DimensionComparison, Verdict};
use crate::analyze::number::{ratio, short, with_unit};
use std::fmt;

impl Comparison {
    /// One sentence: how many dimensions recovered, got worse, and so on.
    #[must_use]
    pub fn headline(&self) -> String {
        let all = [Verdict::Recovered, Verdict::Improved, Verdict::Unchanged, Verdict::Worse];
        let counted = all.into_iter().filter_map(|verdict| {
            let count = self.dimensions.iter().filter(|dimension| dimension.verdict == verdict).count();
            (count > 0).then(|| format!("{count} {}", verdict.label()))
        });
        format!("Of {} dimensions: {}.", self.dimensions.len(), counted.collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        let width =
            self.dimensions.iter().map(|dimension| title(dimension).chars().count()).max().unwrap_or(0);
        let (error, r2) = ("error / sd", "R²");
        writeln!(
            f,
            "{:width$}  {:10}  {error:>20}  {:>20}  {r2:>15}",
            "dimension", "verdict", "change (95 %)"
        )?;
        for dimension in &self.dimensions {
            let (error, r2) = (&dimension.change.normalized_error, &dimension.change.r2);
            let pair = format!("{} → {}", short(error.before), short(error.after));
            let interval = format!("{} … {}", short(error.interval.0), short(error.interval.1));
            let r2 = format!("{} → {}", ratio(r2.before), ratio(r2.after));
            let (title, label) = (title(dimension), dimension.verdict.label());
            writeln!(f, "{title:width$}  {label:10}  {pair:>20}  {interval:>20}  {r2:>15}")?;
        }
        for (which, names) in [("first", &self.only_before), ("second", &self.only_after)] {
            if !names.is_empty() {
                writeln!(f, "only in the {which}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}

fn title(dimension: &DimensionComparison) -> String {
    with_unit(&dimension.name, &dimension.unit)
}
