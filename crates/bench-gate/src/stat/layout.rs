//! How much the place of the code in a program moves a case, and what that leaves of an effect.
//!
//! A change moves code that it does not touch, and a linker's choice is not the change's effect. The
//! sample of layouts is the links, not the blocks: with K links a side the difference of their mean
//! layouts is a bias that more blocks do not shrink. Its standard deviation is
//! σ · √(1/K_base + 1/K_head), and σ is measured with links that do not decide.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::quantile::median;

/// The layout behind a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// Standard deviation of a case's logarithmic time over links of one program.
    pub deviation: f64,
    /// Degrees of freedom of that deviation: links measured, less one.
    pub freedom: f64,
    /// Links behind the base's processes, and behind the control's where those are others.
    pub base_links: usize,
    /// Links behind the head's processes.
    pub head_links: usize,
}

impl Layout {
    /// What is assumed where nothing was measured: 0.4 %, or 1 % for calls shorter than 10 µs, as if
    /// known exactly. Both are as large as what was measured of cases of either kind (docs/gate.md).
    pub fn assumed(call_ns: f64) -> Self {
        Self {
            deviation: if call_ns < super::SHORT_NS { 0.01 } else { 0.004 },
            freedom: 1e6,
            base_links: 1,
            head_links: 1,
        }
    }

    /// A program with itself: the same file on both sides.
    pub fn same_program() -> Self {
        Self {
            deviation: 0.0,
            freedom: 1e6,
            base_links: 1,
            head_links: 1,
        }
    }

    /// The standard deviation of the difference of both sides' mean layouts.
    fn of_difference(&self) -> f64 {
        let links = 1.0 / self.base_links.max(1) as f64 + 1.0 / self.head_links.max(1) as f64;
        self.deviation * links.sqrt()
    }

    /// One-sided probabilities of an effect as large as this, and of one as small, from layout and
    /// noise together: Student's t of estimate / √(error² + layout²), with Satterthwaite's degrees of
    /// freedom. Zero both if there is no layout to account for.
    ///
    /// `error` is the standard error of `estimate`, which rests on `blocks` blocks.
    ///
    /// Source: F. E. Satterthwaite, Biometrics Bulletin 2 (1946).
    pub fn p_greater_and_less(&self, estimate: f64, error: f64, blocks: usize) -> (f64, f64) {
        let (error, layout) = (error.powi(2), self.of_difference().powi(2));
        if layout == 0.0 {
            return (0.0, 0.0);
        }
        let freedom = (error + layout).powi(2)
            / (error.powi(2) / (blocks.max(2) - 1) as f64 + layout.powi(2) / self.freedom.max(1.0));
        let t = estimate / (error + layout).sqrt();
        let student = student(freedom);
        (student.sf(t), student.cdf(t))
    }

    /// The effect that layout alone exceeds with one-sided probability `level`.
    pub fn floor(&self, level: f64) -> f64 {
        student(self.freedom).inverse_cdf(1.0 - level) * self.of_difference()
    }
}

/// Student's t with at least one degree of freedom.
pub(crate) fn student(freedom: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, freedom.max(1.0)).expect("at least one degree of freedom")
}

/// The standard deviation over links of a case's logarithmic time, from blocks in which a process of
/// every link was measured; with its degrees of freedom. `None` with fewer than two links or no block.
///
/// `blocks` has shape `[n_blocks][n_links]`. A link's place is the median over the blocks of its
/// distance from the block's mean. What is left of the processes' noise in those medians is part of
/// the deviation, which makes it larger, never smaller: measure until that part is small.
pub fn spread(blocks: &[Vec<f64>]) -> Option<(f64, f64)> {
    let links = blocks.first().map_or(0, Vec::len);
    if links < 2 {
        return None;
    }
    let place = |link: usize| {
        let distances = blocks
            .iter()
            .map(|block| block[link] - block.iter().sum::<f64>() / links as f64);
        median(&distances.collect::<Vec<_>>())
    };
    let places: Vec<f64> = (0..links).map(place).collect();
    let mean = places.iter().sum::<f64>() / links as f64;
    let freedom = (links - 1) as f64;
    let variance = places.iter().map(|place| (place - mean).powi(2)).sum::<f64>() / freedom;
    Some((variance.sqrt(), freedom))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(deviation: f64, freedom: f64, base_links: usize, head_links: usize) -> Layout {
        Layout {
            deviation,
            freedom,
            base_links,
            head_links,
        }
    }

    #[test]
    fn the_floor_is_students_quantile_times_the_deviation_of_the_difference() {
        // t(0.995, 7) = 3.4994833, t(0.975, 4) = 2.7764451 (any table of Student's t).
        assert!((layout(0.01, 7.0, 1, 1).floor(0.005) - 3.499_483_3 * 0.01 * 2.0_f64.sqrt()).abs() < 1e-7);
        assert!((layout(0.01, 4.0, 4, 2).floor(0.025) - 2.776_445_1 * 0.01 * 0.75_f64.sqrt()).abs() < 1e-7);
        // z(0.999) = 3.0902323.
        assert!((layout(0.01, 1e6, 1, 1).floor(0.001) - 3.090_232_3 * 0.01 * 2.0_f64.sqrt()).abs() < 1e-6);
        assert_eq!(Layout::same_program().floor(1e-6), 0.0);
    }

    #[test]
    fn an_effect_at_the_floor_has_the_probability_of_the_floor() {
        let layout = layout(0.005, 11.0, 2, 3);
        for level in [0.05, 0.01, 1e-4] {
            let estimate = layout.floor(level);
            let (greater, less) = layout.p_greater_and_less(estimate, 0.0, 40);
            assert!((greater / level - 1.0).abs() < 1e-3 && (greater + less - 1.0).abs() < 1e-9);
            // Noise on top of it makes the same effect less sure.
            assert!(layout.p_greater_and_less(estimate, 0.004, 40).0 > level);
        }
    }

    #[test]
    fn one_program_has_no_layout_to_account_for() {
        assert_eq!(Layout::same_program().p_greater_and_less(0.01, 0.001, 16), (0.0, 0.0));
    }

    #[test]
    fn the_spread_is_that_of_the_links_places() {
        // Places 0, 0.01 and 0.02, one block of three disturbed in one link.
        let mut blocks = vec![vec![1.0, 1.01, 1.02], vec![2.0, 2.01, 2.02], vec![3.0, 3.01, 3.02]];
        let (deviation, freedom) = spread(&blocks).unwrap();
        assert!((deviation - 0.01).abs() < 1e-12 && freedom == 2.0);
        blocks[1] = vec![2.0, 2.31, 2.02];
        assert!((spread(&blocks).unwrap().0 - 0.01).abs() < 1e-12);
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[vec![1.0]]), None);
    }
}
