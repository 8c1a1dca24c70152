use async_trait::async_trait;
use lockstep_types::Timestamp;

/// Time and uniqueness: what a pure core cannot make by itself.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Returns when `at` has come, at once if it has passed.
    async fn sleep_until(&self, at: Timestamp);

    /// 64 bits no other call gives, for ids.
    fn unique(&self) -> u64;
}
