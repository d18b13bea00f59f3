//! The page on which people decide.

use crate::problem::Problem;
use crate::routes::Route;
use axum::response::{IntoResponse as _, Response};

/// The routes of the page.
pub(crate) static ROUTES: [Route; 0] = [];

/// A problem, for a person.
pub(crate) fn refusal(problem: &Problem) -> Response {
    problem.clone().into_response()
}
