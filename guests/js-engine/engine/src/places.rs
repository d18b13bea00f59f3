//! Places in the source, from the stacks that QuickJS prints.

use prepared::Positions;
use prepared::Prepared;
use std::cell::RefCell;

/// A module's name, and where its lines come from.
type Map = (&'static str, &'static [u8]);

thread_local! {
    static MAPS: RefCell<Vec<Map>> = const { RefCell::new(Vec::new()) };
}

/// Where each module's lines come from.
pub(crate) struct Places;

impl Places {
    /// Keeps what is needed to find places in these modules.
    pub(crate) fn keep(prepared: &Prepared<'static>) {
        let maps = prepared.modules.iter().map(|module| (module.name, module.positions)).collect();
        MAPS.with(|kept| *kept.borrow_mut() = maps);
    }

    /// The first place in a stack that lies in the workflow's own modules, as `file:line:column`. Empty where there is none.
    pub(crate) fn first_in(stack: &str) -> String {
        MAPS.with_borrow(|maps| stack.lines().find_map(|line| place(maps, line)).unwrap_or_default())
    }
}

/// A line is `    at name (file:line:column)` or `    at file:line:column`.
fn place(maps: &[Map], line: &str) -> Option<String> {
    let line = line.trim_end().trim_end_matches(')');
    let (rest, column) = line.rsplit_once(':')?;
    let (rest, row) = rest.rsplit_once(':')?;
    let (row, column) = (row.parse().ok()?, column.parse().ok()?);
    let file = rest.rsplit_once('(').map_or_else(|| rest.trim().trim_start_matches("at "), |(_, file)| file);
    let (name, positions) = maps.iter().find(|(name, _)| *name == file)?;
    let (row, column) = match positions.is_empty() {
        true => (row, column),
        false => Positions(positions).source(row, column)?,
    };
    Some(format!("{name}:{row}:{column}"))
}
