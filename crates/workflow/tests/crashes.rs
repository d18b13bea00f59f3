//! Random programs on hosts that die at random.

use crate::common::origin;
use crate::common::shell::{run, run_straight, run_within};
use crate::prefixes::{check_same, cuts};
use crate::strategies::program;
use proptest::collection::vec;
use proptest::prelude::*;
use workflow::Limits;

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
    /// A limit on calls that may or may not be enough, and deaths.
    #[test]
    fn any_program_ends_the_same_within_any_number_of_calls(
        program in program(),
        calls in 0_u32..8,
        lives in vec(0_usize..4, 0..6),
    ) {
        let limits = Limits { calls, ..Limits::default() };
        let straight = run_within(&limits, &program, &origin(), &[]);
        check_same(&run_within(&limits, &program, &origin(), &lives), &straight);
    }
}
