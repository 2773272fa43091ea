//! Where episodes begin: the posture a robot should be in before the policy takes over.

use crate::Error;
use crate::data::corpus::Corpus;

/// The median first action of the training episodes, dimension by dimension: a mean would be nobody's posture where
/// episodes begin in one of two.
///
/// # Errors
/// If an episode cannot be read.
pub fn start_posture(corpus: &Corpus) -> Result<Vec<f64>, Error> {
    let mut columns = vec![Vec::new(); corpus.action_names().len()];
    for episode in corpus.train_episodes() {
        let numbers = corpus.numbers(episode.dataset, episode.episode_index)?;
        let Some(first) = corpus.sample_rows(&numbers).next() else { continue };
        for (column, value) in columns.iter_mut().zip(numbers.action(first)) {
            column.push(f64::from(*value));
        }
    }
    Ok(columns.into_iter().filter_map(median).collect())
}

/// The middle value, or half-way between the two; nothing of nothing.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (below, above) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(0.5 * (below + above))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, -1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 3.0, -7.0]), Some(2.0));
        assert_eq!(median(vec![]), None);
    }
}
