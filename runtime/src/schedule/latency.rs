//! How long the next chunk will take, from how long the last ones took.

/// Most samples that a window can hold.
pub const MAX_WINDOW: usize = 256;

/// The last latencies, from an observation's capture to its chunk's arrival.
///
/// The first after the start is not like the others (graphs are compiled, memory is touched for the first time), and
/// kept only until there is another: it would make every chunk of the next minutes start from too far ahead. For the
/// same reason the largest is that of the window, not of the whole run.
#[derive(Clone, Debug)]
pub struct LatencyWindow {
    first_ns: Option<i64>,
    samples: Box<[i64]>,
    count: usize,
    sorted: Box<[i64]>,
    quantile: f64,
}

impl LatencyWindow {
    /// For so many samples (1 to [`MAX_WINDOW`]), of which the given quantile (0 to 1, 1 the largest) is expected next.
    #[must_use]
    pub fn new(window: usize, quantile: f64) -> Self {
        let zeros = || vec![0; window.clamp(1, MAX_WINDOW)].into();
        Self {
            first_ns: None,
            samples: zeros(),
            count: 0,
            sorted: zeros(),
            quantile: quantile.clamp(0.0, 1.0),
        }
    }

    /// Takes a latency in; a negative one, of clocks that disagree, counts as none.
    pub fn add(&mut self, latency_ns: i64) {
        let latency_ns = latency_ns.max(0);
        if self.first_ns.is_none() {
            self.first_ns = Some(latency_ns);
            return;
        }
        self.samples[self.count % self.samples.len()] = latency_ns;
        self.count += 1;
    }

    /// What to expect, nanoseconds: the quantile, between two samples interpolated as NumPy does; 0 before anything was
    /// measured.
    #[must_use]
    pub fn expected_ns(&mut self) -> f64 {
        let count = self.count.min(self.samples.len());
        if count == 0 {
            return self.first_ns.unwrap_or(0) as f64;
        }
        let sorted = &mut self.sorted[..count];
        sorted.copy_from_slice(&self.samples[..count]);
        sorted.sort_unstable();
        let rank = self.quantile * (count - 1) as f64;
        let (below, above) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
        below as f64 + rank.fract() * (above - below) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_counts_only_while_it_is_alone() {
        let mut window = LatencyWindow::new(4, 1.0);
        assert_eq!(window.expected_ns(), 0.0);
        window.add(700);
        assert_eq!(window.expected_ns(), 700.0);
        window.add(300);
        assert_eq!(window.expected_ns(), 300.0);
    }

    #[test]
    fn a_spike_is_forgotten_with_the_window() {
        let mut window = LatencyWindow::new(3, 1.0);
        for latency in [0, 100, 900, 100, 100] {
            window.add(latency);
        }
        assert_eq!(window.expected_ns(), 900.0);
        window.add(100);
        assert_eq!(window.expected_ns(), 100.0);
        window.add(-5);
        assert_eq!(window.expected_ns(), 100.0);
    }
}
