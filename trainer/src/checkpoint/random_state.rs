//! `rng_state.safetensors`: the states of the three generators that LeRobot draws from, without which it does not resume.
//!
//! Nothing is drawn from them here. They are what LeRobot's own `set_seed` makes of a seed: all three generators are
//! Mersenne Twisters (Matsumoto and Nishimura, 2002).

use crate::Error;
use crate::checkpoint::tensors::{self, Entry};
use safetensors::tensor::Dtype;
use std::collections::BTreeMap;
use std::path::Path;

const WORDS: usize = 624;

/// Writes the states that a seed makes.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn write(path: &Path, seed: u32) -> Result<(), Error> {
    let python: Vec<i64> =
        seeded_by_key(seed).iter().map(|word| i64::from(*word)).chain([WORDS as i64]).collect();
    let words = seeded(seed);
    let numpy: Vec<i64> = words.iter().map(|word| i64::from(*word)).collect();
    let torch = torch_state(seed, &words);
    let integers = [
        ("py_rng_version", vec![3]),
        ("py_rng_state", python),
        ("np_rng_state_values", numpy),
        ("np_rng_state_index", vec![WORDS as i64]),
        ("np_rng_has_gauss", vec![0]),
    ];
    let integers = integers.map(|(name, numbers)| {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        (name, numbers.len(), bytes)
    });
    let mut entries = BTreeMap::new();
    for (name, len, bytes) in &integers {
        entries.insert((*name).to_owned(), Entry::stored(Dtype::I64, &[*len], bytes));
    }
    entries.insert("np_rng_cached_gaussian".to_owned(), Entry::numbers(&[0.0], &[1]));
    entries.insert("torch_rng_state".to_owned(), Entry::stored(Dtype::U8, &[torch.len()], &torch));
    tensors::write(path, &entries)
}

/// The state of a generator before its first number: NumPy's and PyTorch's way, of a word.
fn seeded(seed: u32) -> [u32; WORDS] {
    let mut words = [seed; WORDS];
    for i in 1..WORDS {
        words[i] = mixed(words[i - 1]).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
    }
    words
}

/// Python's way, of a list of words, here of one.
fn seeded_by_key(key: u32) -> [u32; WORDS] {
    let mut words = seeded(19_650_218);
    let mut i = 1;
    for _ in 0..WORDS {
        words[i] = (words[i] ^ mixed(words[i - 1]).wrapping_mul(1_664_525)).wrapping_add(key);
        i = following(&mut words, i);
    }
    for _ in 1..WORDS {
        words[i] = (words[i] ^ mixed(words[i - 1]).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
        i = following(&mut words, i);
    }
    words[0] = 1 << 31;
    words
}

/// The place after `i`; before the second word stands the last one.
fn following(words: &mut [u32; WORDS], i: usize) -> usize {
    if i + 1 < WORDS {
        return i + 1;
    }
    words[0] = words[WORDS - 1];
    1
}

fn mixed(word: u32) -> u32 {
    word ^ (word >> 30)
}

/// PyTorch's `CPUGeneratorImplState`: the seed, `left` 1, `seeded` 1, `next` 0, the words as 64 bits each, and no
/// normal number in store.
fn torch_state(seed: u32, words: &[u32; WORDS]) -> Vec<u8> {
    const LEN: usize = 5056;
    let mut state = u64::from(seed).to_le_bytes().to_vec();
    state.extend([1_u32, 1, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
    state.extend(words.iter().flat_map(|word| u64::from(*word).to_le_bytes()));
    state.resize(LEN, 0);
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;

    #[test]
    fn a_seed_makes_the_states_that_lerobot_makes_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rng_state.safetensors");
        write(&path, 1000).unwrap();
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/fixtures/lerobot_random_state/rng_state.safetensors");
        let [found, expected] = [path, recorded].map(|path| std::fs::read(path).unwrap());
        let [found, expected] = [&found, &expected].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
        assert_eq!(found.len(), expected.len());
        for (name, expected) in expected.tensors() {
            assert_eq!(found.tensor(&name).unwrap(), expected, "{name}");
        }
    }
}
