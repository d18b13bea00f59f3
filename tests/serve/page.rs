//! The page on which people decide.

/// The routes of the page. They take a session, or on a demonstration nothing.
pub const ROUTES: &[(&str, &str)] = &[];
