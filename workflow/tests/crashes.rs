//! Random programs on hosts that die at random.

use crate::common::origin;
use crate::common::shell::run;
use crate::common::shell::run_straight;
use crate::prefixes::check_same;
use crate::prefixes::cuts;
use crate::strategies::program;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Several deaths in a row, each after the deed and before its entry.
    #[test]
    fn any_program_survives_any_deaths(program in program(), lives in vec(0_usize..9, 0..8)) {
        check_same(&run(&program, &origin(), &lives), &run_straight(&program));
    }

    /// A cut of the journal, and then deaths.
    #[test]
    fn any_program_survives_a_cut_and_deaths(
        program in program(),
        cut in any::<prop::sample::Index>(),
        lives in vec(0_usize..4, 0..4),
    ) {
        let straight = run_straight(&program);
        let unfinished = &straight.journal[..straight.journal.len() - 1];
        let prefixes: Vec<_> = cuts(unfinished).collect();
        check_same(&run(&program, prefixes[cut.index(prefixes.len())], &lives), &straight);
    }
}
