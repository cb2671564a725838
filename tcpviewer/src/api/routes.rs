//! Which part of the API answers a request. In: any request on the port. Out: the gRPC services by content type
//! (native or gRPC-Web), else the dashboard; a refusal for requests that the guard or the access file does not let
//! pass.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_TYPE};
use tokio::{sync::watch, time::timeout};
use tonic::{Status, service::Routes};
use tonic_web::GrpcWebLayer;
use tower::ServiceExt as _;
use tower_http::compression::{
    CompressionLayer,
    predicate::{NotForContentType, Predicate as _, SizeAbove},
};
use tracing::debug;

use super::{
    ApiContext, ApiError,
    access::{self, Access},
    guard, page,
    refusals::Refusals,
    revocable::{Grounds, while_allowed},
    server::Caller,
    service,
    streamed::service::TcpViewerServiceServer,
};
use crate::proto::DESCRIPTORS;

/// Time for the head of an answer, which covers the body of every request but not the streams that follow.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Time for the body of a request that is refused.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// No request of the contract comes near.
const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// Smaller files are sent as they are.
const COMPRESSED_FROM_BYTES: u64 = 1_024;

/// What decides about data.
#[derive(Clone)]
pub(super) struct Gate {
    access: watch::Receiver<Arc<Access>>,
    refusals: Arc<Refusals>,
}

impl Gate {
    /// A gate that goes by the newest of these rules.
    pub(super) fn new(access: watch::Receiver<Arc<Access>>) -> Self {
        Self {
            access,
            refusals: Arc::default(),
        }
    }
}

/// All routes; streams end when `stopped` becomes true.
pub(super) async fn routes(
    context: ApiContext,
    gate: Gate,
    stopped: watch::Receiver<bool>,
) -> Result<Router, ApiError> {
    // The only part without data, and so without the gate.
    let page = Router::new().fallback(page::answer).layer(compression());
    let dispatch = Dispatch {
        grpc: grpc(context, gate, stopped).await?,
        page,
    };
    let routes = Router::new().fallback(answer).with_state(dispatch);
    Ok(routes.layer(from_fn(admit)))
}

/// The gRPC services, natively and as gRPC-Web; what they do not know is UNIMPLEMENTED in either form.
async fn grpc(context: ApiContext, gate: Gate, stopped: watch::Receiver<bool>) -> Result<Router, ApiError> {
    let service = service::Service::new(context, stopped);
    let service = TcpViewerServiceServer::new(service).max_decoding_message_size(MAX_REQUEST_BYTES);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_serving::<TcpViewerServiceServer<service::Service>>()
        .await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let routes = Routes::new(service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(health);
    // The gate inside, so that its refusals reach the callers of gRPC-Web in their form.
    Ok(routes
        .into_axum_router()
        .layer(from_fn_with_state(gate, permit))
        .layer(GrpcWebLayer::new()))
}

#[derive(Clone)]
struct Dispatch {
    grpc: Router,
    page: Router,
}

/// Only pages go through compression: it would hold back the messages of a gRPC-Web stream.
async fn answer(State(dispatch): State<Dispatch>, request: Request) -> Response {
    let router = if is_grpc(&request) {
        dispatch.grpc
    } else {
        dispatch.page
    };
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn admit(Extension(caller): Extension<Caller>, request: Request, next: Next) -> Response {
    let native = is_grpc(&request) && !content_type(&request).starts_with("application/grpc-web");
    if let Err(refusal) = caller.hosts.check(&request) {
        drain(request).await;
        return refused(native, &refusal);
    }
    match timeout(ANSWER_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) if native => {
            Status::deadline_exceeded("the request did not arrive in time").into_http()
        }
        Err(_elapsed) => (
            StatusCode::REQUEST_TIMEOUT,
            "the request did not arrive in time\n",
        )
            .into_response(),
    }
}

/// Reads the body of a request that is refused. Some clients do not look at an answer that comes before they have
/// said everything.
async fn drain(request: Request) {
    // One that is larger or slower than any good request is cut off.
    timeout(DRAIN_TIMEOUT, to_bytes(request.into_body(), MAX_REQUEST_BYTES))
        .await
        .ok();
}

fn refused(native: bool, refusal: &guard::Refusal) -> Response {
    if native {
        Status::permission_denied(refusal.to_string()).into_http::<Body>()
    } else {
        (StatusCode::FORBIDDEN, format!("{refusal}\n")).into_response()
    }
}

/// Lets calls pass that the access file covers, and their answers for as long as it does.
async fn permit(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let peer = caller.peer;
    let (headers, path) = (request.headers(), request.uri().path());
    let decided = gate.access.borrow().decide(&peer, headers, path);
    let identity = match decided {
        Ok(identity) => identity,
        Err(refusal) => {
            gate.refusals.count(&peer, refusal);
            drain(request).await;
            return status(refusal).into_http();
        }
    };
    // Who needed no name cannot lose what comes with it.
    let Some(name) = identity.name else {
        return next.run(request).await;
    };
    debug!("{name} at {peer} calls {path}");
    let grounds = Grounds {
        headers: access::shown(headers),
        path: path.to_owned(),
        peer,
    };
    let response = next.run(request).await;
    response.map(|body| while_allowed(body, grounds, gate.access, status))
}

fn status(refusal: access::Refusal) -> Status {
    let message = refusal.to_string();
    match refusal {
        access::Refusal::Unauthenticated => Status::unauthenticated(message),
        access::Refusal::OtherUser | access::Refusal::Role { .. } => Status::permission_denied(message),
    }
}

fn is_grpc(request: &Request) -> bool {
    content_type(request).starts_with("application/grpc")
}

fn content_type(request: &Request) -> &str {
    request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn compression() -> CompressionLayer<impl tower_http::compression::Predicate> {
    CompressionLayer::new().compress_when(
        SizeAbove::new(COMPRESSED_FROM_BYTES)
            .and(NotForContentType::IMAGES)
            .and(NotForContentType::const_new("font/")),
    )
}
