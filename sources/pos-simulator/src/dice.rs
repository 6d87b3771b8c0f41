//! Random draws that are a function of a seed and a number.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The random draws of one sale: the stream with the sale's number, from the ChaCha8 cipher with the seed as its key.
///
/// The key is built and bounds are applied here, because a library may change between versions what it derives from a
/// number, and the same seed must give the same sales forever.
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

    /// A number below `bound`, by multiplication: the bias is under one in a thousand million for our bounds.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// At least 0 and less than 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T], otherwise: T) -> T {
        let index = self.below(choices.len() as u32) as usize;
        choices.get(index).copied().unwrap_or(otherwise)
    }

    pub(crate) fn bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
