//! A simulated price path that says so.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

/// Prices in USDC a WETH times 10^6, one a decision.
#[derive(Debug, Clone)]
pub(crate) struct MarketPath {
    /// The prices.
    pub(crate) micro_usdc: Vec<u128>,
    /// Where they come from, for people.
    pub(crate) source: String,
}

impl MarketPath {
    /// A seeded random walk whose drift changes sign now and then.
    #[must_use]
    pub(crate) fn simulated(seed: u64, start_usdc: u64, step_bps: u32, steps: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut uniform = move || f64::from(rng.next_u32()) / (f64::from(u32::MAX) + 1.0);
        let sigma = f64::from(step_bps) / 10_000.0;
        let (mut log_price, mut drift) = (0.0f64, 0.5f64);
        let start = u128::from(start_usdc) * 1_000_000;
        let micro_usdc = (0..steps)
            .map(|_| {
                if uniform() < 0.1 {
                    drift = 2.0 * uniform() - 1.0;
                }
                // Irwin–Hall: the sum of twelve uniforms is close to normal with variance one.
                let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
                log_price = (log_price + sigma * (normal + drift)).clamp(-2.0, 2.0);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a simulated price needs no exactness"
                )]
                let price = (start as f64 * log_price.exp()) as u128;
                price
            })
            .collect();
        Self { micro_usdc, source: format!("SIMULATED market (seeded random walk, seed {seed})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_one_path() {
        let (a, b, c) =
            (MarketPath::simulated(1, 2_000, 60, 100), MarketPath::simulated(1, 2_000, 60, 100), MarketPath::simulated(2, 2_000, 60, 100));
        assert_eq!(a.micro_usdc, b.micro_usdc);
        assert_ne!(a.micro_usdc, c.micro_usdc);
        assert!(a.micro_usdc.iter().all(|p| (200_000_000..20_000_000_000).contains(p)));
    }
}
