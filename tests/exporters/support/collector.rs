//! A backend by tonic's generated OTLP servers: it really decodes what it is sent.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gramtrace::otlp::Signal;
use http::{Request as HttpRequest, Response as HttpResponse};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status};
use tower::{Service as _, service_fn};

/// Rejected items and a message, or a status.
pub(crate) type Answer = Result<Option<(i64, String)>, Status>;

/// What arrived: decoded and encoded again.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) signal: Signal,
    pub(crate) body: Bytes,
    pub(crate) metadata: MetadataMap,
}

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// How a collector is set up.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) address: Option<SocketAddr>,
    pub(crate) tls: Option<ServerTlsConfig>,
    pub(crate) compress_answers: bool,
    /// Larger messages are refused in tonic's own words.
    pub(crate) max_message_bytes: Option<usize>,
}

impl Collector {
    /// Takes everything.
    pub(crate) async fn start() -> Self {
        Self::answering(|| Ok(None)).await
    }

    /// Gives the same answer to everything.
    pub(crate) async fn answering(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Self {
        Self::set_up(Setup::default(), answer)
    }

    pub(crate) fn set_up(setup: Setup, answer: impl Fn() -> Answer + Send + Sync + 'static) -> Self {
        let incoming = TcpIncoming::bind(setup.address.unwrap_or_else(|| ([127, 0, 0, 1], 0).into())).unwrap();
        let address = incoming.local_addr().unwrap();
        let arrivals = Arc::default();
        let services = Services { arrivals: Arc::clone(&arrivals), answer: Arc::new(answer) };
        let (stop, stopped) = oneshot::channel::<()>();
        let mut server = Server::builder();
        if let Some(tls) = setup.tls {
            server = server.tls_config(tls).unwrap();
        }
        let (compressed, max_bytes) = (setup.compress_answers, setup.max_message_bytes.unwrap_or(usize::MAX));
        let router = service_fn(move |request| route(services.clone(), compressed, max_bytes, request));
        let serving = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            server.serve_with_incoming_shutdown(router, incoming, shutdown).await.unwrap();
        });
        Self { address, arrivals, stop, serving }
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap().clone()
    }

    /// Ends as servers end on a rollout: GOAWAY, then the connections close.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
    }
}

async fn route(
    services: Services,
    compressed: bool,
    max_bytes: usize,
    request: HttpRequest<Body>,
) -> Result<HttpResponse<Body>, Infallible> {
    macro_rules! serve {
        ($server:ident) => {{
            let server = $server::new(services).accept_compressed(Gzip).max_decoding_message_size(max_bytes);
            let mut server = if compressed { server.send_compressed(Gzip) } else { server };
            server.call(request).await
        }};
    }
    match request.uri().path() {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => serve!(TraceServiceServer),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => serve!(MetricsServiceServer),
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => serve!(LogsServiceServer),
        _ => Ok(Status::unimplemented("no such method").into_http()),
    }
}

#[derive(Clone)]
struct Services {
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    answer: Arc<dyn Fn() -> Answer + Send + Sync>,
}

impl Services {
    fn take<T: Message>(&self, signal: Signal, request: Request<T>) -> Answer {
        let (metadata, _, message) = request.into_parts();
        let body = message.encode_to_vec().into();
        self.arrivals.lock().unwrap().push(Arrival { signal, body, metadata });
        (self.answer)()
    }
}

#[tonic::async_trait]
impl TraceService for Services {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let partial_success = self
            .take(Signal::Traces, request)?
            .map(|(rejected_spans, error_message)| ExportTracePartialSuccess { rejected_spans, error_message });
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl MetricsService for Services {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let partial_success = self.take(Signal::Metrics, request)?.map(|(rejected_data_points, error_message)| {
            ExportMetricsPartialSuccess { rejected_data_points, error_message }
        });
        Ok(Response::new(ExportMetricsServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl LogsService for Services {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let partial_success = self.take(Signal::Logs, request)?.map(|(rejected_log_records, error_message)| {
            ExportLogsPartialSuccess { rejected_log_records, error_message }
        });
        Ok(Response::new(ExportLogsServiceResponse { partial_success }))
    }
}
