//! Taking OTLP in: sockets, the two transports, and the answers. Every request ends in exactly one count and one
//! answer; a refused one says why and, at a limited rate, is logged. Knows nothing of what is inside a request.

mod admission;
mod answer;
mod auth;
mod body;
mod budget;
mod connection;
mod cors;
mod grpc;
mod http;
mod idle;
mod intake;
mod listener;
mod pings;
mod rejection_log;
mod serving;
mod socket;
mod status;
mod stream;
mod tls;

pub use admission::Admission;
pub use auth::{AuthError, AuthSettings, Authenticator, BasicSettings, BearerSettings, Hidden};
pub use body::{BodyLimits, PLAIN_COST};
pub use budget::{Budget, BudgetSettings};
pub use cors::CorsSettings;
pub use grpc::{GrpcService, GrpcSettings, refused_call};
pub use http::{HttpService, HttpSettings, refused_as_json};
pub use intake::Intake;
pub use listener::{Listener, ListenerSettings, Protocol, Socket};
pub use pings::PingPolicy;
pub use socket::{BindError, LocalAddress, Peer};
pub use tls::{ServerTls, ServerTlsError, ServerTlsSettings, TlsVersion};
