//! A backend of tonic's own generated server: it decodes what it gets, as any backend would, and keeps it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::books::Books;
use super::page;

/// What a backend got, in order.
#[derive(Debug, Default)]
pub struct Received {
    pub traces: Mutex<Vec<ExportTraceServiceRequest>>,
    pub metrics: Mutex<Vec<ExportMetricsServiceRequest>>,
    pub logs: Mutex<Vec<ExportLogsServiceRequest>>,
    /// Spans that ever arrived, whoever took them out of `traces` since.
    spans: AtomicUsize,
}

#[derive(Debug, Clone)]
struct Keeper(Arc<Received>);

#[tonic::async_trait]
impl TraceService for Keeper {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        self.0.spans.fetch_add(ids_of(std::slice::from_ref(&request)).count(), Ordering::Relaxed);
        self.0.traces.lock().unwrap().push(request);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Keeper {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.metrics.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Keeper {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.0.logs.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

/// Serves on `address` (port 0 picks one) until the runtime ends.
pub async fn start(address: &str) -> (SocketAddr, Arc<Received>) {
    serve(address, true).await
}

/// The same for traces alone: whoever calls another service is told that there is none, as by Jaeger.
pub async fn start_for_traces() -> (SocketAddr, Arc<Received>) {
    serve("127.0.0.1:0", false).await
}

async fn serve(address: &str, metrics_and_logs: bool) -> (SocketAddr, Arc<Received>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let received = Arc::new(Received::default());
    let keeper = Keeper(Arc::clone(&received));
    let gzip = CompressionEncoding::Gzip;
    let mut server = Server::builder().add_service(TraceServiceServer::new(keeper.clone()).accept_compressed(gzip));
    if metrics_and_logs {
        server = server
            .add_service(MetricsServiceServer::new(keeper.clone()).accept_compressed(gzip))
            .add_service(LogsServiceServer::new(keeper).accept_compressed(gzip));
    }
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    (address, received)
}

impl Received {
    /// The ids of the spans that arrived, each as often as it did.
    pub fn span_ids(&self) -> Vec<Vec<u8>> {
        ids_of(&self.traces.lock().unwrap()).cloned().collect()
    }
}

/// Spans in a request, as prost reads it.
pub fn spans_in(body: &[u8]) -> u64 {
    ids_of(&[ExportTraceServiceRequest::decode(body).unwrap()]).count() as u64
}

fn ids_of(requests: &[ExportTraceServiceRequest]) -> impl Iterator<Item = &Vec<u8>> {
    let scopes = requests.iter().flat_map(|it| &it.resource_spans).flat_map(|it| &it.scope_spans);
    scopes.flat_map(|scope| &scope.spans).map(|span| &span.span_id)
}

/// The books of a service at its end: balanced, nothing inside, and what each exporter says it has sent is what its
/// backends counted themselves.
pub async fn closed_books(metrics: SocketAddr, exporters: &[(&str, &[&Received])]) -> Books {
    let books = Books::balanced(&page::get(metrics, "/metrics").await.1);
    assert_eq!(books.in_flight(), 0);
    for (exporter, backends) in exporters {
        let arrived: usize = backends.iter().map(|backend| backend.spans.load(Ordering::Relaxed)).sum();
        assert_eq!(books.sent(exporter, "traces"), arrived as u64, "{exporter}");
    }
    books
}
