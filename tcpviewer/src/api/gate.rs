//! The gate in front of all data. In: a request, and what is known of the one who sends it. Out: the request, passed
//! on if the access file covers it, or a refusal in the form that its caller understands: a status of gRPC, or a code
//! of HTTP with a JSON object.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Extension,
    body::to_bytes,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, WWW_AUTHENTICATE},
};
use serde_json::json;
use tokio::{sync::watch, time::timeout};
use tonic::Status;
use tracing::debug;

use super::{
    access::{self, Access, Identity, Refusal},
    refusals::Refusals,
    revocable::{Grounds, while_allowed},
    server::Caller,
};

/// Time for the body of a request that is refused.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// No request of the contract comes near.
pub(super) const MAX_REQUEST_BYTES: usize = 64 * 1024;

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

    /// Whether a request may pass, and as whose. One that may not is read to its end.
    async fn decide(&self, caller: &Caller, request: Request) -> Result<(Identity, Request), Refusal> {
        let path = request.uri().path();
        let decided = {
            let access = self.access.borrow();
            access.decide(&caller.peer, request.headers(), path, SystemTime::now())
        };
        match decided {
            Ok(identity) => {
                if let Some(name) = &identity.name {
                    debug!("{name} at {} calls {path}", caller.peer);
                }
                Ok((identity, request))
            }
            Err(refusal) => {
                self.refusals.count(&caller.peer, refusal);
                drain(request).await;
                Err(refusal)
            }
        }
    }
}

/// Lets calls of gRPC pass that the access file covers, and their answers for as long as it does.
pub(super) async fn permit(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let (identity, request) = match gate.decide(&caller, request).await {
        Ok(decided) => decided,
        Err(refusal) => return status(refusal).into_http(),
    };
    // Who needed no name cannot lose what comes with it.
    if identity.name.is_none() {
        return next.run(request).await;
    }
    let grounds = Grounds {
        headers: access::shown(request.headers()),
        path: request.uri().path().to_owned(),
        peer: caller.peer,
    };
    let response = next.run(request).await;
    response.map(|body| while_allowed(body, grounds, gate.access, status))
}

/// Lets requests for JSON pass that the access file covers. Their answers end by themselves.
pub(super) async fn permit_plain(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    match gate.decide(&caller, request).await {
        Ok((_identity, request)) if of_another_page(request.headers()) => {
            drain(request).await;
            problem(
                StatusCode::FORBIDDEN,
                "a web page of another origin may not ask for this",
            )
        }
        Ok((_identity, request)) => next.run(request).await,
        Err(refusal) => {
            let message = refusal.to_string();
            match refusal {
                Refusal::Unauthenticated => (
                    [(WWW_AUTHENTICATE, "Bearer")],
                    problem(StatusCode::UNAUTHORIZED, &message),
                )
                    .into_response(),
                Refusal::OtherUser | Refusal::Role { .. } => problem(StatusCode::FORBIDDEN, &message),
            }
        }
    }
}

/// A refusal, or what is wrong with a request, for programs that read JSON.
pub(super) fn problem(code: StatusCode, message: &str) -> Response {
    let body = format!("{}\n", json!({ "error": message }));
    (code, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Reads the body of a request that is refused. Some clients do not look at an answer that comes before they have
/// said everything.
pub(super) async fn drain(request: Request) {
    // One that is larger or slower than any good request is cut off.
    timeout(DRAIN_TIMEOUT, to_bytes(request.into_body(), MAX_REQUEST_BYTES))
        .await
        .ok();
}

/// Whether a browser asks on behalf of a page that is not the daemon's own: images and scripts come without an
/// `Origin`, which the guard would see.
fn of_another_page(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

fn status(refusal: Refusal) -> Status {
    let message = refusal.to_string();
    match refusal {
        Refusal::Unauthenticated => Status::unauthenticated(message),
        Refusal::OtherUser | Refusal::Role { .. } => Status::permission_denied(message),
    }
}
