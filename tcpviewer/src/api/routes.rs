//! Which part of the API answers a request. In: any request on the port. Out: the gRPC services by content type
//! (native or gRPC-Web), else the dashboard; a refusal for requests that the guard does not let pass.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
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

use super::{
    ApiContext, ApiError,
    guard::{Hosts, Refusal},
    page, service,
};
use crate::proto::{DESCRIPTORS, tcp_viewer_service_server::TcpViewerServiceServer};

/// Time for the head of an answer, which covers the body of every request but not the streams that follow.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// No request of the contract comes near.
const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// Smaller files are sent as they are.
const COMPRESSED_FROM_BYTES: u64 = 1_024;

/// All routes; streams end when `stopped` becomes true.
pub(super) async fn routes(
    context: ApiContext,
    hosts: Hosts,
    stopped: watch::Receiver<bool>,
) -> Result<Router, ApiError> {
    let page = Router::new().fallback(page::answer).layer(compression());
    let dispatch = Dispatch {
        grpc: grpc(context, stopped).await?,
        page,
    };
    let routes = Router::new().fallback(answer).with_state(dispatch);
    Ok(routes.layer(from_fn_with_state(hosts, admit)))
}

/// The gRPC services, natively and as gRPC-Web; what they do not know is UNIMPLEMENTED in either form.
async fn grpc(context: ApiContext, stopped: watch::Receiver<bool>) -> Result<Router, ApiError> {
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
    Ok(routes.into_axum_router().layer(GrpcWebLayer::new()))
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

async fn admit(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let native = is_grpc(&request) && !content_type(&request).starts_with("application/grpc-web");
    if let Err(refusal) = hosts.check(&request) {
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

fn refused(native: bool, refusal: &Refusal) -> Response {
    if native {
        Status::permission_denied(refusal.to_string()).into_http::<Body>()
    } else {
        (StatusCode::FORBIDDEN, format!("{refusal}\n")).into_response()
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
