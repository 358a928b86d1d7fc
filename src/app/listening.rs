//! Everything that listens: what it serves at which address, and how one set of listeners gives way to the next
//! without a moment in which a port is closed. Knows no pipeline.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use axum::Router;
use hyper_util::service::TowerToHyperService;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::BuildError;
use super::guard::guarded;
use crate::admin::{self, HealthSettings, Lookup, LookupSettings, Readiness};
use crate::budget::Budgets;
use crate::config::ComponentId;
use crate::receiver::{
    Authenticator, BindError, GrpcService, GrpcSettings, HttpService, HttpSettings, Intake, Listener, ListenerSettings,
    LocalAddress, ServerTls, ServerTlsSettings, Socket,
};
use crate::telemetry::Metrics;

/// What is to listen. Two that are equal are the same listener.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) role: Role,
    /// `host:port`, where port 0 picks one, or `unix:///path`.
    pub(super) address: String,
    /// How it is secured; `None` is plain text.
    pub(super) tls: Option<ServerTlsSettings>,
    pub(super) settings: ListenerSettings,
    pub(super) serves: Serves,
}

/// What a listener is for. Prints as the path of the configuration that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    Otlp { receiver: ComponentId, transport: &'static str },
    Health(ComponentId),
    Api(ComponentId),
    Metrics,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Serves {
    Grpc(GrpcSettings),
    Http(HttpSettings),
    Health(HealthSettings),
    Api(ApiSettings),
    Metrics,
}

/// What is answered at the lookup API, and to whom.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApiSettings {
    pub(super) auth: Option<Authenticator>,
    pub(super) lookup: LookupSettings,
}

/// What listeners are connected to.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) intakes: &'a BTreeMap<ComponentId, Intake>,
    pub(super) readiness: &'a Readiness,
    pub(super) metrics: &'a Metrics,
    pub(super) lookup: &'a Lookup,
    pub(super) budgets: &'a Budgets,
}

/// The listeners that are served.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    sites: Vec<Site>,
    /// Listeners that were replaced and still have connections that end.
    leaving: JoinSet<()>,
}

/// One listener that is served.
#[derive(Debug)]
struct Site {
    plan: Plan,
    address: LocalAddress,
    socket: Socket,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Listeners that are open, and not served unless they stay as they were.
#[derive(Debug)]
pub(super) struct Opened(Vec<(Plan, Door)>);

#[derive(Debug)]
enum Door {
    Stays { address: LocalAddress },
    New { listener: Box<Listener>, service: Box<Service> },
}

#[derive(Debug)]
enum Service {
    Grpc(GrpcService),
    Http(HttpService),
    Page(Router),
}

impl Listeners {
    /// Opens what is planned beside what is served: what stays as it is stays, what only changes its settings takes
    /// its socket over, the rest is bound.
    pub(super) async fn open(&self, plans: Vec<Plan>, parts: &Parts<'_>) -> Result<Opened, BuildError> {
        let mut opened = Vec::new();
        for plan in plans {
            if let Some(site) = self.sites.iter().find(|site| site.plan == plan && !site.task.is_finished()) {
                opened.push((plan, Door::Stays { address: site.address.clone() }));
                continue;
            }
            let Some(service) = plan.service(parts) else { continue };
            let listener = match self.socket(&plan).and_then(|it| Listener::take_over(it, plan.settings.clone())) {
                Some(listener) => listener,
                None => Listener::bind(&plan.address, plan.settings.clone()).await.map_err(|source| {
                    BuildError::Listener { path: plan.role.to_string(), source: self.blame(source) }
                })?,
            };
            let listener = plan.secured(listener, parts)?;
            opened.push((plan, Door::New { listener: Box::new(listener), service: Box::new(service) }));
        }
        Ok(Opened(opened))
    }

    /// Serves what was opened, and lets the connections of what is no longer wanted end.
    pub(super) fn switch_to(&mut self, opened: Opened) {
        // Those that ended long ago.
        while self.leaving.try_join_next().is_some() {}
        let mut before = std::mem::take(&mut self.sites);
        for (plan, door) in opened.0 {
            match door {
                Door::Stays { .. } => {
                    let same = before.iter().position(|site| site.plan == plan);
                    self.sites.extend(same.map(|at| before.swap_remove(at)));
                }
                Door::New { listener, service } => self.sites.push(Site::serve(plan, *listener, *service)),
            }
        }
        for site in before {
            site.stop.cancel();
            self.leaving.spawn(site.ended());
        }
    }

    /// Closes the sockets for OTLP, and waits until every connection has ended.
    pub(super) async fn end_receivers(&mut self) {
        let (receivers, pages) = std::mem::take(&mut self.sites).into_iter().partition(|site: &Site| site.is_otlp());
        self.sites = pages;
        end(receivers, &mut self.leaving).await;
    }

    /// Closes everything that is left.
    pub(super) async fn end_pages(mut self) {
        let mut leaving = JoinSet::new();
        end(std::mem::take(&mut self.sites), &mut leaving).await;
    }

    pub(super) fn endpoints(&self) -> impl Iterator<Item = (String, &'static str, LocalAddress)> {
        self.sites.iter().filter_map(|site| site.plan.endpoint(&site.address))
    }

    pub(super) fn health_address(&self) -> Option<SocketAddr> {
        self.address(|role| matches!(role, Role::Health(_)))
    }

    pub(super) fn api_address(&self) -> Option<SocketAddr> {
        self.address(|role| matches!(role, Role::Api(_)))
    }

    pub(super) fn metrics_address(&self) -> Option<SocketAddr> {
        self.address(|role| *role == Role::Metrics)
    }

    fn address(&self, is: impl Fn(&Role) -> bool) -> Option<SocketAddr> {
        self.sites.iter().find(|site| is(&site.plan.role)).and_then(|site| site.address.network())
    }

    /// Where it is this process that has the port, on other addresses (`localhost` in place of every interface), nobody
    /// else is to be stopped.
    fn blame(&self, error: BindError) -> BindError {
        let port = error.address.rsplit(':').next().and_then(|port| port.parse().ok());
        let ports = self.sites.iter().filter_map(|site| site.address.network()).map(|address| address.port());
        if port.is_none() || !{ ports }.any(|taken| Some(taken) == port) {
            return error;
        }
        let reason = "this process has the port under another address, which a reload cannot change: restart it";
        BindError { reason: reason.to_owned(), ..error }
    }

    /// The socket that is open where `plan` wants to listen. A port that was picked belongs to what picked it.
    fn socket(&self, plan: &Plan) -> Option<&Socket> {
        let picked = plan.address.ends_with(":0");
        let is = |site: &&Site| site.plan.address == plan.address && (!picked || site.plan.role == plan.role);
        self.sites.iter().find(is).map(|site| &site.socket)
    }
}

async fn end(sites: Vec<Site>, leaving: &mut JoinSet<()>) {
    for site in sites {
        site.stop.cancel();
        leaving.spawn(site.ended());
    }
    while leaving.join_next().await.is_some() {}
}

impl Opened {
    pub(super) fn endpoints(&self) -> impl Iterator<Item = (String, &'static str, LocalAddress)> {
        self.0.iter().filter_map(|(plan, door)| plan.endpoint(door.address()))
    }
}

impl Door {
    const fn address(&self) -> &LocalAddress {
        match self {
            Self::Stays { address } => address,
            Self::New { listener, .. } => listener.address(),
        }
    }
}

impl Plan {
    /// What answers here; `None` for a receiver that feeds nothing.
    fn service(&self, parts: &Parts<'_>) -> Option<Service> {
        let intake = || match &self.role {
            Role::Otlp { receiver, .. } => parts.intakes.get(receiver).cloned(),
            Role::Health(_) | Role::Api(_) | Role::Metrics => None,
        };
        Some(match &self.serves {
            Serves::Grpc(settings) => Service::Grpc(GrpcService::new(intake()?, settings)),
            Serves::Http(settings) => Service::Http(HttpService::new(intake()?, settings.clone())),
            Serves::Health(settings) => Service::Page(admin::health_page(parts.readiness.clone(), settings)),
            Serves::Api(ApiSettings { auth, lookup }) => {
                let routes = admin::lookup_api(
                    parts.lookup.clone(),
                    parts.budgets.clone(),
                    parts.metrics.clone(),
                    lookup.clone(),
                );
                Service::Page(guarded(routes, auth.clone()))
            }
            Serves::Metrics => Service::Page(admin::metrics_page(parts.metrics.clone())),
        })
    }

    fn secured(&self, listener: Listener, parts: &Parts<'_>) -> Result<Listener, BuildError> {
        let (Some(tls), Role::Otlp { receiver, transport }) = (&self.tls, &self.role) else { return Ok(listener) };
        let metrics = parts.metrics.receiver(&receiver.to_string(), transport);
        ServerTls::load(tls.clone(), self.settings.protocol, metrics)
            .map(|tls| listener.secured(tls))
            .map_err(|source| BuildError::Tls { path: self.role.to_string(), source })
    }

    fn endpoint(&self, address: &LocalAddress) -> Option<(String, &'static str, LocalAddress)> {
        match &self.role {
            Role::Otlp { receiver, transport } => Some((receiver.to_string(), *transport, address.clone())),
            Role::Health(_) | Role::Api(_) | Role::Metrics => None,
        }
    }
}

impl Site {
    fn serve(plan: Plan, listener: Listener, service: Service) -> Self {
        let (address, socket, stop) = (listener.address().clone(), listener.socket(), CancellationToken::new());
        let stopped = stop.clone().cancelled_owned();
        let task = match service {
            Service::Grpc(service) => tokio::spawn(listener.serve(service, stopped)),
            Service::Http(service) => tokio::spawn(listener.serve(service, stopped)),
            Service::Page(routes) => tokio::spawn(listener.serve(TowerToHyperService::new(routes), stopped)),
        };
        Self { plan, address, socket, stop, task }
    }

    const fn is_otlp(&self) -> bool {
        matches!(self.plan.role, Role::Otlp { .. })
    }

    async fn ended(self) {
        // One that panicked has ended, too.
        let _ = self.task.await;
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Otlp { receiver, transport } => write!(formatter, "receivers::{receiver}::protocols::{transport}"),
            Self::Health(id) | Self::Api(id) => write!(formatter, "extensions::{id}"),
            Self::Metrics => formatter.write_str("service::telemetry::metrics::readers"),
        }
    }
}
