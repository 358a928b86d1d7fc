//! How long a connection has had no request in flight.
//! Knows requests as futures; nothing of what they are.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// The requests in flight on one connection. Clones speak of the same connection.
#[derive(Debug, Clone)]
pub(super) struct Idleness(Arc<watch::Sender<usize>>);

impl Default for Idleness {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Idleness {
    /// A request, which keeps the connection busy until it ends or is dropped.
    pub(super) fn while_busy<F: Future>(&self, request: F) -> impl Future<Output = F::Output> + use<F> {
        self.0.send_modify(|in_flight| *in_flight += 1);
        let in_flight = InFlight(self.clone());
        async move {
            let output = request.await;
            drop(in_flight);
            output
        }
    }

    /// Whether no request is in flight.
    pub(super) fn is_idle(&self) -> bool {
        *self.0.borrow() == 0
    }

    /// Ends when there has been no request for `limit`; never, where there is none.
    pub(super) async fn lasts(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return std::future::pending().await };
        let mut changes = self.0.subscribe();
        loop {
            // The sender is held here, so that waiting for it cannot fail.
            let _ = changes.wait_for(|in_flight| *in_flight == 0).await;
            // A request that has come and gone begins the time anew.
            if tokio::time::timeout(limit, changes.changed()).await.is_err() {
                return;
            }
        }
    }
}

#[derive(Debug)]
struct InFlight(Idleness);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.send_modify(|in_flight| *in_flight = in_flight.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    async fn request(seconds: u64) {
        let never = std::future::pending::<()>();
        assert!(tokio::time::timeout(Duration::from_secs(seconds), never).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_from_the_end_of_its_last_request() {
        let idleness = Idleness::default();
        let long = idleness.while_busy(request(50));
        let short = idleness.while_busy(request(5));
        let began = Instant::now();
        let requests = async {
            tokio::join!(long, short);
            idleness.while_busy(async {}).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = requests => {}
            () = idleness.lasts(Some(Duration::from_secs(60))) => {}
        }
        assert_eq!(began.elapsed().as_secs(), 110);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_limit_is_never_idle() {
        let idleness = Idleness::default();
        let ended = tokio::time::timeout(Duration::from_secs(1_000_000), idleness.lasts(None)).await;
        assert!(ended.is_err());
    }
}
