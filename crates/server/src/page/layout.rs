//! The frame of every page.

use crate::page::{Viewer, go};
use crate::problem::Problem;
use crate::request::RequestContext;
use ::receipt::{Digest, Timestamp};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use engine::{Clock as _, SystemClock};
use maud::{DOCTYPE, Markup, html};
use workflow::RequestId;

/// An entry of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NavItem {
    Inbox,
    Instances,
    Receipts,
    Deciders,
    /// The page has no entry in the navigation.
    None,
}

/// A whole page.
pub(crate) fn page(viewer: Option<&Viewer>, current: NavItem, title: &str, content: &Markup) -> Response {
    with_status(StatusCode::OK, viewer, current, title, content)
}

fn with_status(
    status: StatusCode,
    viewer: Option<&Viewer>,
    current: NavItem,
    title: &str,
    content: &Markup,
) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Permission Protocol" }
                link rel="stylesheet" href="/assets/pp.css";
                script src="/assets/pp.js" defer {}
            }
            body data-now=(SystemClock.now().as_millis()) {
                a.skip href="#main" { "Skip to the content" }
                (bar(viewer, current))
                main id="main" { (content) }
                (foot(viewer))
            }
        }
    };
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
    (status, kind, markup.into_string()).into_response()
}

fn bar(viewer: Option<&Viewer>, current: NavItem) -> Markup {
    let places = [
        (NavItem::Inbox, "/", "Inbox"),
        (NavItem::Instances, "/instances", "Instances"),
        (NavItem::Receipts, "/receipts", "Receipts"),
        (NavItem::Deciders, "/deciders", "Deciders"),
    ];
    html! {
        header.bar { div {
            a.name href="/" { "Permission Protocol" }
            @if let Some(viewer) = viewer {
                nav aria-label="Main" {
                    @for (at, path, name) in places {
                        a href=(path) aria-current=[(at == current).then_some("page")] { (name) }
                    }
                }
                @match viewer {
                    Viewer::Decider(session) => {
                        form method="post" action="/sign-out" {
                            span.who { (session.person) }
                            button.plain type="submit" { "Sign out" }
                        }
                    }
                    Viewer::Demonstration => { span class="pill warn" { "Demonstration" } }
                }
            }
        } }
    }
}

fn foot(viewer: Option<&Viewer>) -> Markup {
    let words = match viewer {
        Some(Viewer::Demonstration) => {
            "No decider is registered yet: decisions are of scope demo, and no production gate accepts them."
        }
        _ => {
            "A decision is a signature by your own key. The host verifies it again before it acts, and anyone else can verify it too."
        }
    };
    html! { footer.foot { div { p { (words) } } } }
}

/// A problem, for a person. `context` is that of the request, if the request has reached its handler.
pub(crate) fn refusal(problem: &Problem, context: Option<&RequestContext>) -> Response {
    if problem.status == StatusCode::UNAUTHORIZED {
        let request = context.and_then(|context| context.part::<RequestId>("request").ok());
        return match request {
            Some(request) => go(&format!("/sign-in?next=/approvals/{request}")),
            None => go("/sign-in"),
        };
    }
    let viewer = context.and_then(|context| context.viewer().ok().flatten());
    let heading = match problem.status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::CONFLICT => "No longer possible",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "Too busy",
        status if status.is_server_error() => "Something failed",
        _ => "That did not work",
    };
    let content = html! {
        h1 { (heading) }
        p.lead { (sentence(&problem.detail)) }
        p { a href="/" { "Back to the inbox" } }
        p.small { "Code for programs and reports: " code { (problem.code) } }
    };
    with_status(problem.status, viewer.as_ref(), NavItem::None, heading, &content)
}

/// A mark of the content of the page at this path. The page's script polls the mark, and reloads the page if the mark
/// has changed.
pub(crate) fn version(path: &str, of: &str) -> Markup {
    html! { span hidden data-path=(path) data-version=(Digest::of(of.as_bytes())) {} }
}

/// An error as a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let whole = format!("{first}{}", characters.as_str());
    if whole.ends_with(['.', '!', '?']) { whole } else { whole + "." }
}

/// A time for people: to the second, in UTC, with the exact one for programs.
pub(crate) fn time(at: Timestamp) -> Markup {
    let exact = at.to_string();
    html! { time datetime=(exact) { (plain(&exact)) } }
}

/// The time left until then, by the server's clock.
pub(crate) fn countdown(until: Timestamp) -> Markup {
    let left = left(until.as_millis() - SystemClock.now().as_millis());
    html! { span data-until=(until.as_millis()) { (left) } ", until " (time(until)) }
}

/// A duration in milliseconds, in words.
fn left(millis: i64) -> String {
    match millis.div_euclid(60_000) {
        ..0 => "lapsed".to_owned(),
        0 => "less than a minute left".to_owned(),
        minutes @ 1..60 => format!("{minutes} min left"),
        minutes => format!("{} h {:02} min left", minutes / 60, minutes % 60),
    }
}

fn plain(exact: &str) -> String {
    let seconds = exact.split('.').next().unwrap_or(exact);
    format!("{} UTC", seconds.replace('T', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_lapsed_has_no_minute_left() {
        for (seconds, words) in [
            (-1, "lapsed"),
            (59, "less than a minute left"),
            (119, "1 min left"),
            (3_599, "59 min left"),
            (3_660, "1 h 01 min left"),
        ] {
            assert_eq!(left(seconds * 1_000), words, "{seconds} s");
        }
    }
}
