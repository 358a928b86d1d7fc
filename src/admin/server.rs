//! The listeners of the admin pages: bound first, so that a taken port stops the start, then served until the
//! service ends. Knows nothing of what the pages say.

use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

use super::api;
use super::health::{self, Readiness};
use super::metrics;
use crate::telemetry::Metrics;

/// How long a page that is being read at the end may take.
const GRACE: Duration = Duration::from_secs(1);

/// Where the admin pages listen, as `host:port`; port 0 picks one. What is absent does not listen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminSettings {
    /// The health page.
    pub health: Option<String>,
    /// The metrics page.
    pub metrics: Option<String>,
    /// The lookup API.
    pub api: Option<String>,
}

/// A page could not listen where it was told to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{page}: cannot listen on {endpoint}: {}", explain(*.kind))]
pub struct AdminError {
    /// `health_check`, `metrics` or `gramtrace_api`.
    pub page: &'static str,
    /// The endpoint as it was written.
    pub endpoint: String,
    /// What the system said.
    pub kind: io::ErrorKind,
}

/// The admin pages, listening and not yet served.
#[derive(Debug)]
pub struct Admin {
    health: Option<Page>,
    metrics: Option<Page>,
    api: Option<Page>,
}

#[derive(Debug)]
struct Page {
    listener: TcpListener,
    address: SocketAddr,
    routes: Router,
}

impl Admin {
    /// Listens wherever `settings` say so.
    ///
    /// # Errors
    /// [`AdminError`] for the first endpoint that cannot be had.
    pub async fn bind(settings: &AdminSettings, readiness: Readiness, metrics: Metrics) -> Result<Self, AdminError> {
        Ok(Self {
            health: Page::bind("health_check", settings.health.as_deref(), health::routes(readiness)).await?,
            api: Page::bind("gramtrace_api", settings.api.as_deref(), api::routes(metrics.clone())).await?,
            metrics: Page::bind("metrics", settings.metrics.as_deref(), metrics::routes(metrics)).await?,
        })
    }

    /// Where the health page listens.
    #[must_use]
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health.as_ref().map(|page| page.address)
    }

    /// Where the lookup API listens.
    #[must_use]
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(|page| page.address)
    }

    /// Where the metrics page listens.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|page| page.address)
    }

    /// Serves until `shutdown`, which should come after the last request has drained so that the health page can
    /// say so meanwhile. Then answers what is being asked, for at most a second.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(());
        let ending = async {
            shutdown.await;
            drop(stop);
            sleep(GRACE).await;
        };
        tokio::select! {
            () = serve_all([self.health, self.metrics, self.api], stopped) => {}
            () = ending => tracing::debug!("an admin page was still being read at the end"),
        }
    }
}

impl Page {
    async fn bind(page: &'static str, endpoint: Option<&str>, routes: Router) -> Result<Option<Self>, AdminError> {
        let Some(endpoint) = endpoint else { return Ok(None) };
        let failed = |error: io::Error| AdminError { page, endpoint: endpoint.to_owned(), kind: error.kind() };
        let listener = TcpListener::bind(endpoint).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Some(Self { listener, address, routes }))
    }
}

async fn serve_all([health, metrics, api]: [Option<Page>; 3], stopped: watch::Receiver<()>) {
    tokio::join!(serve(health, stopped.clone()), serve(metrics, stopped.clone()), serve(api, stopped));
}

async fn serve(page: Option<Page>, mut stopped: watch::Receiver<()>) {
    let stop = async move {
        // The sender is never used, only dropped.
        let _ = stopped.changed().await;
    };
    let Some(page) = page else { return stop.await };
    // axum's accept loop retries what the system reports: it ends only when it is told to.
    let _ = axum::serve(page.listener, page.routes).with_graceful_shutdown(stop).into_future().await;
}

fn explain(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::AddrInUse => "the port is taken: stop who has it or choose another (0 picks one)".to_owned(),
        io::ErrorKind::PermissionDenied => "not permitted: choose a port above 1023".to_owned(),
        io::ErrorKind::AddrNotAvailable => "no such address on this machine".to_owned(),
        other => other.to_string(),
    }
}
