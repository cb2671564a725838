//! Which part of the API answers a request. In: any request on the port. Out: the gRPC services by content type
//! (native or gRPC-Web), JSON for scripts below `/api/`, else the dashboard; a refusal for requests that the guard or
//! the gate does not let pass.

use std::time::Duration;

use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
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
    gate::{Gate, MAX_REQUEST_BYTES, drain, permit, permit_plain, problem},
    guard, page,
    server::Caller,
    service,
    streamed::service::TcpViewerServiceServer,
    traffic::{self, Traffic},
};
use crate::proto::DESCRIPTORS;

/// Time for the head of an answer, which covers the body of every request but not the streams that follow.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Smaller files are sent as they are.
const COMPRESSED_FROM_BYTES: u64 = 1_024;

/// All routes; streams end when `stopped` becomes true.
pub(super) async fn routes(
    context: ApiContext,
    gate: Gate,
    stopped: watch::Receiver<bool>,
) -> Result<Router, ApiError> {
    // The only part without data, and so without the gate.
    let page = Router::new().fallback(page::answer).layer(compression());
    let service = service::Service::new(context, stopped);
    let dispatch = Dispatch {
        json: json(service.traffic(), gate.clone()),
        grpc: grpc(service, gate).await?,
        page,
    };
    let routes = Router::new().fallback(answer).with_state(dispatch);
    Ok(routes.layer(from_fn(admit)))
}

/// The gRPC services, natively and as gRPC-Web; what they do not know is UNIMPLEMENTED in either form.
async fn grpc(service: service::Service, gate: Gate) -> Result<Router, ApiError> {
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

/// What scripts get without gRPC.
fn json(traffic: Traffic, gate: Gate) -> Router {
    Router::new()
        .route(traffic::PATH, get(traffic::answer))
        .fallback(async || problem(StatusCode::NOT_FOUND, "not found"))
        .with_state(traffic)
        .layer(from_fn_with_state(gate, permit_plain))
        .layer(compression())
}

#[derive(Clone)]
struct Dispatch {
    grpc: Router,
    json: Router,
    page: Router,
}

/// gRPC does not go through compression, which would hold back the messages of a gRPC-Web stream.
async fn answer(State(dispatch): State<Dispatch>, request: Request) -> Response {
    let router = if is_grpc(&request) {
        dispatch.grpc
    } else if request.uri().path().starts_with("/api/") {
        dispatch.json
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

fn refused(native: bool, refusal: &guard::Refusal) -> Response {
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
