//! The cache of what is frozen gives back what was stored, or nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use candle_core::{Device, Tensor};
use sinew_models::weights::Weights;
use sinew_trainer::data::FrameId;
use sinew_trainer::frozen::{CacheKey, EntryShape, FrameKey, FrozenCache, StoredDtype};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use tempfile::TempDir;

const SHAPE: EntryShape = EntryShape { tensor_count: 2, rows: 3, width: 5 };
const HEADER: u64 = 64;
const RECORD: u64 = 32 + 2 * 3 * 5 * 4;

fn frame(row: usize) -> FrameKey {
    FrameKey { frame: FrameId { dataset: 1, episode_index: 70_010, row }, variant: 2, source: 5 }
}

fn entry(seed: f32) -> Vec<Tensor> {
    let tensor = |place: usize| {
        let values: Vec<f32> =
            (0..15).map(|i| (i as f32 + seed * 3.7 + place as f32 * 100.0).sin()).collect();
        Tensor::from_vec(values, (1, 3, 5), &Device::Cpu).unwrap()
    };
    vec![tensor(0), tensor(1)]
}

fn values(tensors: &[Tensor]) -> Vec<f32> {
    tensors.iter().flat_map(|tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
}

fn open(folder: &Path, limit: u64) -> FrozenCache {
    FrozenCache::open(folder, &CacheKey::new().with("test", b"1"), SHAPE, StoredDtype::Float32, limit)
        .unwrap()
}

fn get(cache: &FrozenCache, row: usize) -> Option<Vec<f32>> {
    cache.get(frame(row), &Device::Cpu).unwrap().map(|tensors| values(&tensors))
}

#[test]
fn what_was_stored_comes_back_bit_for_bit_also_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path(), u64::MAX);
    assert_eq!(get(&cache, 0), None);
    for row in 0..20 {
        cache.put(frame(row), entry(row as f32)).unwrap();
    }
    drop(cache);
    let cache = open(folder.path(), u64::MAX);
    for row in 0..20 {
        assert!(cache.contains(frame(row)));
        assert_eq!(get(&cache, row), Some(values(&entry(row as f32))));
    }
    let other_variant = FrameKey { variant: 1, ..frame(3) };
    assert!(cache.get(other_variant, &Device::Cpu).unwrap().is_none());
    let other_files = FrameKey { source: 6, ..frame(3) };
    assert!(!cache.contains(other_files));
    let usage = cache.usage();
    assert_eq!((usage.entry_count, usage.hit_count, usage.miss_count), (20, 20, 1));
    assert_eq!(usage.byte_count, std::fs::metadata(cache.path()).unwrap().len());
}

#[test]
fn a_file_cut_anywhere_keeps_its_whole_entries_and_takes_new_ones() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path(), u64::MAX);
    (0..3).for_each(|row| drop(cache.put(frame(row), entry(row as f32)).unwrap()));
    let path = cache.path().to_owned();
    drop(cache);
    let bytes = std::fs::read(&path).unwrap();
    for length in (0..=bytes.len()).step_by(13).chain([bytes.len()]) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let cache = open(folder.path(), u64::MAX);
        let whole = (length as u64).saturating_sub(HEADER) / RECORD;
        assert_eq!(cache.usage().entry_count, whole, "cut at {length}");
        for row in 0..3 {
            let expected = ((row as u64) < whole).then(|| values(&entry(row as f32)));
            assert_eq!(get(&cache, row), expected, "cut at {length}");
            cache.put(frame(row), entry(row as f32)).unwrap();
            assert_eq!(get(&cache, row), Some(values(&entry(row as f32))), "cut at {length}");
        }
    }
}

#[test]
fn a_changed_byte_is_never_read_as_an_entry() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path(), u64::MAX);
    (0..2).for_each(|row| drop(cache.put(frame(row), entry(row as f32)).unwrap()));
    let path = cache.path().to_owned();
    drop(cache);
    let file = OpenOptions::new().write(true).read(true).open(&path).unwrap();
    for offset in (HEADER..HEADER + RECORD).step_by(3) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).unwrap();
        file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
        let cache = open(folder.path(), u64::MAX);
        assert_eq!(get(&cache, 0), None, "byte {offset}");
        assert_eq!(get(&cache, 1), Some(values(&entry(1.0))), "byte {offset}");
        assert_eq!(cache.usage().damaged_count, 1, "byte {offset}");
        drop(cache);
        file.write_all_at(&byte, offset).unwrap();
    }
    file.write_all_at(&[0], 20).unwrap();
    let key = CacheKey::new().with("test", b"1");
    let refused = FrozenCache::open(folder.path(), &key, SHAPE, StoredDtype::Float32, u64::MAX);
    assert!(refused.unwrap_err().to_string().contains("remove it"));
}

#[test]
fn the_limit_is_the_folders_and_is_kept() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path(), HEADER + 2 * RECORD + 7);
    (0..5).for_each(|row| drop(cache.put(frame(row), entry(row as f32)).unwrap()));
    let usage = cache.usage();
    assert_eq!((usage.entry_count, usage.refused_count), (2, 3));
    assert_eq!(get(&cache, 1), Some(values(&entry(1.0))));
    let other = CacheKey::new().with("test", b"2");
    let limit = 2 * HEADER + 3 * RECORD;
    let other = FrozenCache::open(folder.path(), &other, SHAPE, StoredDtype::Float32, limit).unwrap();
    (0..5).for_each(|row| drop(other.put(frame(row), entry(row as f32)).unwrap()));
    assert_eq!(other.usage().entry_count, 1);
}

#[test]
fn two_processes_do_not_share_a_file() {
    let folder = TempDir::new().unwrap();
    let _cache = open(folder.path(), u64::MAX);
    let key = CacheKey::new().with("test", b"1");
    let second = FrozenCache::open(folder.path(), &key, SHAPE, StoredDtype::Float32, u64::MAX);
    assert!(second.unwrap_err().to_string().contains("another training"));
}

#[test]
fn half_precision_rounds_and_refuses_what_it_cannot_hold() {
    let folder = TempDir::new().unwrap();
    let cache =
        FrozenCache::open(folder.path(), &CacheKey::new(), SHAPE, StoredDtype::Float16, u64::MAX).unwrap();
    let put = cache.put(frame(0), entry(0.0)).unwrap();
    let found = get(&cache, 0).unwrap();
    assert_eq!(values(&put), found, "a training would depend on what was stored when");
    for (found, expected) in found.iter().zip(values(&entry(0.0))) {
        assert!((found - expected).abs() <= expected.abs() * 2.0_f32.powi(-11), "{found} is not {expected}");
    }
    let large = vec![Tensor::full(70_000.0_f32, (1, 3, 5), &Device::Cpu).unwrap(); 2];
    cache.put(frame(1), large).unwrap();
    assert_eq!(get(&cache, 1), None);
    assert_eq!(cache.usage().refused_count, 1);
}

#[test]
fn tensors_of_another_shape_are_an_error() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path(), u64::MAX);
    assert!(cache.put(frame(0), entry(0.0)[..1].to_vec()).is_err());
    let wide = vec![Tensor::zeros((1, 5, 3), candle_core::DType::F32, &Device::Cpu).unwrap(); 2];
    assert!(cache.put(frame(0), wide).is_err());
}

#[test]
fn a_key_depends_on_every_part_and_on_the_weights() {
    let digest = |parts: &[(&str, &str)]| {
        parts.iter().fold(CacheKey::new(), |key, (name, value)| key.with(name, value.as_bytes())).digest()
    };
    let base = digest(&[("a", "bc"), ("d", "e")]);
    for other in [
        &[("a", "bc")][..],
        &[("a", "bcd"), ("", "e")],
        &[("ab", "c"), ("d", "e")],
        &[("a", "bc"), ("d", "f")],
        &[("d", "e"), ("a", "bc")],
    ] {
        assert_ne!(digest(other), base, "{other:?}");
    }
    let golden = |case: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/golden");
        Weights::open(&file.join(case).join("model.safetensors")).unwrap()
    };
    let of = |weights: &Weights, name: &str| CacheKey::new().with_weights(weights, [name]).unwrap().digest();
    let (one, other) = (golden("all_cross"), golden("tiny"));
    let name = "model.state_proj.weight";
    assert_eq!(of(&one, name), of(&one, name));
    assert_ne!(of(&one, name), of(&other, name));
    assert_ne!(of(&one, name), of(&one, "model.state_proj.bias"));
    assert!(CacheKey::new().with_weights(&one, ["model.nothing"]).is_err());
}
