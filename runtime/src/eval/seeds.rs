//! Which scenes are evaluated. Pure.

use crate::error::Error;

/// Seeds such as `0..99` (both ends included), `7` or `1,5,10..12`, each once, in the order given.
///
/// # Errors
/// If the text says something else.
pub fn parse_seeds(text: &str) -> Result<Vec<u64>, Error> {
    let refused = || Error::ConfigValue {
        key: "--seeds".to_owned(),
        found: format!("`{text}`"),
        expected: "numbers and ranges such as `0..99` or `1,5,10..12`".to_owned(),
    };
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| refused());
    let mut seeds = Vec::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once("..") {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if last < first || last - first > MOST {
            return Err(refused());
        }
        seeds.extend((first..=last).filter(|seed| !seeds.contains(seed)).collect::<Vec<_>>());
    }
    Ok(seeds)
}

/// Longest range: a slip of the key must not fill the memory.
const MOST: u64 = 1_000_000;

/// Every `count`-th of the seeds, from the `index`-th on, 1 the first.
///
/// # Errors
/// If the text is not `INDEX/COUNT` with 1 ≤ INDEX ≤ COUNT.
pub fn shard(seeds: Vec<u64>, text: &str) -> Result<Vec<u64>, Error> {
    let numbers = text.split_once('/').map(|(index, count)| (index.parse::<usize>(), count.parse::<usize>()));
    match numbers {
        Some((Ok(index), Ok(count))) if (1..=count).contains(&index) => {
            Ok(seeds.into_iter().skip(index - 1).step_by(count).collect())
        }
        _ => Err(Error::ConfigValue {
            key: "--shard".to_owned(),
            found: format!("`{text}`"),
            expected: "INDEX/COUNT, such as 1/4".to_owned(),
        }),
    }
}
