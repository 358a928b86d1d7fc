//! `gramtrace.v1.TraceService`, and reflection beside it: the same answers as over HTTP.
//! Knows the generated service; nothing of how answers come about.

use std::sync::Arc;

use axum::Router;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::v1::list_traces_request::Sort as AskedSort;
use super::v1::trace_service_server::{TraceService, TraceServiceServer};
use super::{Lookup, Refusal, Sort, limit, v1};
use crate::enrich::ComparisonSettings;

/// Who says the reasons, for `google.rpc.ErrorInfo`.
const DOMAIN: &str = "gramtrace";

struct Asked {
    lookup: Lookup,
    comparison: Arc<ComparisonSettings>,
}

/// The service's own paths, and those of reflection.
pub(super) fn routes(lookup: Lookup, comparison: Arc<ComparisonSettings>) -> Router {
    let routes = Router::new()
        .route_service("/gramtrace.v1.TraceService/{method}", TraceServiceServer::new(Asked { lookup, comparison }));
    let reflection =
        || tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(v1::DESCRIPTOR);
    // The description was held to the source by a test; without it there is no reflection, and nothing else is lost.
    let routes = match reflection().build_v1() {
        Ok(service) => routes.route_service("/grpc.reflection.v1.ServerReflection/{method}", service),
        Err(_) => routes,
    };
    match reflection().build_v1alpha() {
        Ok(service) => routes.route_service("/grpc.reflection.v1alpha.ServerReflection/{method}", service),
        Err(_) => routes,
    }
}

#[tonic::async_trait]
impl TraceService for Asked {
    async fn get_trace(&self, request: Request<v1::GetTraceRequest>) -> Result<Response<v1::GetTraceResponse>, Status> {
        let trace = self.lookup.trace(&request.get_ref().trace_id, &self.comparison).map_err(status)?;
        Ok(Response::new(v1::GetTraceResponse { trace: Some(trace) }))
    }

    async fn list_traces(
        &self,
        request: Request<v1::ListTracesRequest>,
    ) -> Result<Response<v1::ListTracesResponse>, Status> {
        let asked = request.get_ref();
        let sort = match AskedSort::try_from(asked.sort) {
            Ok(AskedSort::Unspecified | AskedSort::Recent) => Sort::Recent,
            Ok(AskedSort::Co2e) => Sort::Co2e,
            Err(_) => return Err(status(Refusal::Invalid(format!("there is no `sort` {}", asked.sort)))),
        };
        let limit = limit(Some(asked.limit.into()).filter(|limit| *limit != 0)).map_err(status)?;
        Ok(Response::new(v1::ListTracesResponse { traces: self.lookup.traces(sort, limit).await }))
    }

    async fn get_conversation(
        &self,
        request: Request<v1::GetConversationRequest>,
    ) -> Result<Response<v1::GetConversationResponse>, Status> {
        self.lookup.conversation(&request.get_ref().conversation_id).map(Response::new).map_err(status)
    }
}

fn status(refusal: Refusal) -> Status {
    let code = match refusal {
        Refusal::Invalid(_) => Code::InvalidArgument,
        Refusal::Absent(..) => Code::NotFound,
    };
    let details = ErrorDetails::with_error_info(refusal.reason(), DOMAIN, std::collections::HashMap::new());
    Status::with_error_details(code, refusal.to_string(), details)
}
