//! The dashboard, embedded in the binary from `../web/dist`. In: the path of a request. Out: the file, or the
//! start page where the path is a place within the dashboard, with headers that keep the page to itself.

use std::borrow::Cow;

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use rust_embed::RustEmbed;

/// The dashboard as it was when the binary was built.
#[derive(RustEmbed)]
#[folder = "../web/dist"]
struct Dashboard;

/// The page that the dashboard starts from.
const START: &str = "index.html";
/// Files whose name changes with their content.
const HASHED: &str = "assets/";
const NOT_BUILT: &str = "the dashboard was not built: run cargo xtask run\n";

/// The page talks to its own daemon and to nobody else; styles are set by its components.
const SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(SECURITY_POLICY)),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// A file of the dashboard.
struct File {
    data: Cow<'static, [u8]>,
    hash: [u8; 32],
    content_type: String,
}

/// Finds a file by its path.
type Files = fn(&str) -> Option<File>;

/// Answers what is not gRPC.
pub(super) async fn answer(request: Request) -> Response {
    (HEADERS, answer_from(embedded, &request)).into_response()
}

fn embedded(path: &str) -> Option<File> {
    let file = Dashboard::get(path)?;
    let content_type = match file.metadata.mimetype() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    };
    Some(File {
        hash: file.metadata.sha256_hash(),
        content_type,
        data: file.data,
    })
}

fn answer_from(files: Files, request: &Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    if let Some(found) = files(path) {
        return answer_with(found, path, request);
    }
    // A name with a dot is a file, or a gRPC method that was called without its content type.
    if path.contains('.') {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    }
    match files(START) {
        Some(start) => answer_with(start, START, request),
        None => (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response(),
    }
}

fn answer_with(file: File, path: &str, request: &Request) -> Response {
    let tag: String = file.hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let caching = if path.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = request.headers().get_all(IF_NONE_MATCH).iter().any(|tags| {
        tags.to_str().is_ok_and(|tags| {
            tags.split(',')
                .any(|known| known.trim().trim_start_matches("W/") == tag)
        })
    });
    let headers = [(ETAG, tag), (CACHE_CONTROL, caching.to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (
        headers,
        [(CONTENT_TYPE, file.content_type)],
        Body::from(file.data),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(path: &str) -> Option<File> {
        let (data, content_type): (&'static [u8], &str) = match path {
            "index.html" => (b"<!doctype html>", "text/html"),
            "assets/index-1a2b.js" => (b"start()", "text/javascript"),
            _ => return None,
        };
        Some(File {
            data: data.into(),
            hash: [7; 32],
            content_type: content_type.into(),
        })
    }

    fn not_built(_path: &str) -> Option<File> {
        None
    }

    fn get(path: &str) -> Request {
        Request::builder().uri(path).body(Body::empty()).unwrap()
    }

    #[test]
    fn files_are_found_and_places_within_the_dashboard_get_the_start_page() {
        for (path, status, content_type) in [
            ("/", StatusCode::OK, Some("text/html")),
            ("/index.html", StatusCode::OK, Some("text/html")),
            ("/connections/17?sort=rtt", StatusCode::OK, Some("text/html")),
            ("/assets/index-1a2b.js", StatusCode::OK, Some("text/javascript")),
            ("/assets/index-0000.js", StatusCode::NOT_FOUND, None),
            ("/../Cargo.toml", StatusCode::NOT_FOUND, None),
            (
                "/tcpviewer.v1.TcpViewerService/GetStatus",
                StatusCode::NOT_FOUND,
                None,
            ),
        ] {
            let answer = answer_from(built, &get(path));

            assert_eq!(answer.status(), status, "{path}");
            if let Some(content_type) = content_type {
                assert_eq!(answer.headers()[CONTENT_TYPE], content_type, "{path}");
            }
        }
    }

    #[test]
    fn hashed_files_are_cached_for_good_and_others_are_checked() {
        let script = answer_from(built, &get("/assets/index-1a2b.js"));
        let start = answer_from(built, &get("/"));

        assert_eq!(
            script.headers()[CACHE_CONTROL],
            "public, max-age=31536000, immutable"
        );
        assert_eq!(start.headers()[CACHE_CONTROL], "no-cache");
        let mut again = get("/");
        again
            .headers_mut()
            .insert(IF_NONE_MATCH, start.headers()[ETAG].clone());
        assert_eq!(answer_from(built, &again).status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn without_a_dashboard_the_page_says_how_to_build_it() {
        assert_eq!(
            answer_from(not_built, &get("/")).status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
    }

    #[test]
    fn only_reading_is_allowed() {
        let mut request = get("/");
        *request.method_mut() = Method::OPTIONS;

        assert_eq!(
            answer_from(built, &request).status(),
            StatusCode::METHOD_NOT_ALLOWED
        );
    }
}
