//! The style and the script, which are in the program.

use crate::page::Page;
use crate::request::RequestContext;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;

pub(crate) fn style(_: &RequestContext) -> Page {
    Ok(asset("text/css; charset=utf-8", include_str!("../../assets/pp.css")))
}

pub(crate) fn script(_: &RequestContext) -> Page {
    Ok(asset("text/javascript; charset=utf-8", include_str!("../../assets/pp.js")))
}

/// Browsers request an icon by themselves.
pub(crate) fn nothing(_: &RequestContext) -> Page {
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn asset(kind: &'static str, text: &'static str) -> axum::response::Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}
