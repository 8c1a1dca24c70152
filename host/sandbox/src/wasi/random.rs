use super::Budget;
use lockstep_types::Digest;
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};

/// A random byte is charged as so many: making it takes the host far longer than copying one.
const CHARGED: usize = 8;

/// Bytes that look random and are the same whenever the call is made again: digests of the seed and a counter.
pub(crate) struct Bytes {
    seed: Digest,
    made: u64,
    left: Vec<u8>,
    budget: Budget,
}

impl Bytes {
    pub(super) fn new(seed: Digest, budget: Budget) -> Self {
        Self { seed, made: 0, left: Vec::new(), budget }
    }

    fn bytes(&mut self, count: u64) -> wasmtime::Result<Vec<u8>> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.budget.take(count.saturating_mul(CHARGED))?;
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            if self.left.is_empty() {
                let mut block = self.seed.bytes().to_vec();
                block.extend_from_slice(&self.made.to_le_bytes());
                self.made += 1;
                self.left = Digest::of(&block).bytes().to_vec();
            }
            let take = self.left.len().min(count - bytes.len());
            bytes.extend(self.left.drain(..take));
        }
        Ok(bytes)
    }

    fn number(&mut self) -> wasmtime::Result<u64> {
        let bytes = self.bytes(8)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

impl random::Host for Bytes {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.bytes(len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.number()
    }
}

impl insecure::Host for Bytes {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.number()
    }
}

impl insecure_seed::Host for Bytes {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((self.number()?, self.number()?))
    }
}
