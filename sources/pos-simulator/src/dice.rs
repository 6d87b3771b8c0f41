//! Random draws that are a function of a seed and a number.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The draws of one sale: the stream with the sale's number, of the ChaCha8 cipher whose key is the seed.
///
/// The key is written out and bounds are applied here, because what a library derives from a number may change with
/// its version, and the same seed must give the same sales for good.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn of(seed: u64, number: u64) -> Dice {
        let mut key = *b"connect pos_simulator v1--seed--";
        if let Some(last) = key.last_chunk_mut() {
            *last = seed.to_le_bytes();
        }
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(number);
        Dice(generator)
    }

    /// A number below `bound`; multiplied, not divided: the bias is under one in a thousand million for our bounds.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// At least 0 and less than 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T], otherwise: T) -> T {
        let place = self.below(choices.len() as u32) as usize;
        choices.get(place).copied().unwrap_or(otherwise)
    }

    pub(crate) fn bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
