//! A backend that lists what it has acknowledged.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::spans;

#[derive(Debug, Default)]
struct Taken {
    ids: BTreeSet<u64>,
    deliveries: u64,
    last: Option<Span>,
}

/// A backend that runs until the test ends.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    /// Calls that arrived, each as often as it did.
    pub(crate) arrived: watch::Receiver<u64>,
}

struct Keeper(Arc<Mutex<Taken>>, watch::Sender<u64>);

#[tonic::async_trait]
impl TraceService for Keeper {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        let deliveries = {
            let mut taken = self.0.lock().unwrap();
            for span in spans::calls(&request) {
                taken.ids.insert(spans::id(span));
                taken.deliveries += 1;
                taken.last = Some(span.clone());
            }
            taken.deliveries
        };
        self.1.send_replace(deliveries);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (taken, (sender, arrived)) = (Arc::default(), watch::channel(0));
        let service = TraceServiceServer::new(Keeper(Arc::clone(&taken), sender));
        let server = Server::builder().add_service(service.accept_compressed(CompressionEncoding::Gzip));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Self { address, taken, arrived }
    }

    /// Calls that were acknowledged: how many there are, and how often they came.
    pub(crate) fn acknowledged(&self) -> (u64, u64) {
        let taken = self.taken.lock().unwrap();
        (taken.ids.len() as u64, taken.deliveries)
    }

    /// The call that came last.
    pub(crate) fn last(&self) -> Option<Span> {
        self.taken.lock().unwrap().last.clone()
    }
}
