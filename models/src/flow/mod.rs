//! Flow matching: from noise at t = 1 to an action chunk at t = 0.

mod chunking;

pub use chunking::{CleanPrefix, Conditioning, Guidance, GuidanceOptions, PrefixSchedule, sample};

/// Integrates the velocity with `step_count` Euler steps, in place: `x ← x − v(x, t) / step_count` at
/// `t = 1 − k / step_count`. t = 0 is never evaluated.
///
/// Times are computed, not accumulated, in float64 and then rounded, as the reference does.
///
/// # Shapes
/// `x_t` and what `velocity` returns have the same length.
///
/// # Errors
/// If `velocity` fails.
pub fn euler<E>(
    step_count: usize,
    x_t: &mut [f32],
    mut velocity: impl FnMut(&[f32], f32) -> Result<Vec<f32>, E>,
) -> Result<(), E> {
    let dt = -1.0 / step_count as f64;
    for step in 0..step_count {
        let time = (1.0 + step as f64 * dt) as f32;
        let v = velocity(x_t, time)?;
        for (x, v) in x_t.iter_mut().zip(v) {
            *x += dt as f32 * v;
        }
    }
    Ok(())
}

/// The time that a training sample is noised to: `0.999 β + 0.001` with β from Beta(1.5, 1), which is
/// `uniform^(1 / 1.5)`. Late times, where there is more noise, are likelier.
///
/// `uniform` is a number from (0, 1].
pub fn training_time(uniform: f64) -> f32 {
    (0.999 * uniform.powf(1.0 / 1.5) + 0.001) as f32
}
