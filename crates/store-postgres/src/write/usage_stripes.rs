//! A tenant's usage in stripes, so that the commits of several hosts do not wait for each other.
//!
//! A tenant's usage is the sum of its stripes. A writer locks and changes its own stripe, within the headroom that the stripe has. If that does not suffice, the
//! writer locks all stripes: then the sum is exact, and it decides. What is left of the quotas is given out to the stripes as headroom again. So in each quantity,
//! the sum of the stripes and of their headroom is at most the quota by which headroom was given out, whichever writers use up theirs at once.
//! The tables' columns `part` and `room_…` are a stripe's number and its headroom.

use std::collections::BTreeMap;
use store::{OverQuota, Quotas, Usage, UsageChange};
use tokio_postgres::Row;
use workflow::TenantId;

/// The number of stripes. Writers beyond it share stripes, and wait for each other.
pub(crate) const STRIPES: i16 = 8;

/// Instances, requests that wait, bytes; and requests made in an hour, of which a stripe has only headroom.
type Amounts = [i64; 4];

/// The index of the requests made in an hour.
const REQUESTS: usize = 3;

/// A stripe's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CounterStripe {
    /// The stripe's share of the tenant's usage. Negative if what another writer has added was removed here.
    pub(crate) used: [i64; 3],
    /// By how much it may still grow.
    pub(crate) headroom: Amounts,
    /// The quotas by which the headroom was given out.
    pub(crate) most: Amounts,
    /// The minute from which requests were counted.
    pub(crate) since: i64,
}

/// A new row, as the database makes it: without headroom, so that no quota has to bound it.
impl Default for CounterStripe {
    fn default() -> Self {
        Self { used: [0; 3], headroom: [0; 4], most: [i64::MAX; 4], since: 0 }
    }
}

/// Why a change is not counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChargeError {
    /// The headroom of the writer's stripe does not suffice: all stripes have to be locked.
    Headroom,
    Quota(OverQuota),
}

/// What a writer has locked of a tenant's usage.
#[derive(Debug, Clone, Default)]
pub(crate) struct TenantUsage {
    own: CounterStripe,
    /// Whether the writer's stripe has a row. Without one, nothing is locked, and no change could be written.
    has_own: bool,
    /// Every other stripe; `None` if they are not locked.
    others: Option<BTreeMap<i16, CounterStripe>>,
    /// The quotas of the last write that had some.
    quotas: Option<Amounts>,
    /// The tenant's requests from that minute on, if they were counted with all stripes locked.
    counted: Option<(i64, i64)>,
}

impl TenantUsage {
    /// Of a tenant all of whose stripes are locked.
    pub(crate) fn fully_locked() -> Self {
        Self { others: Some(BTreeMap::new()), ..Self::default() }
    }

    /// Whether all stripes are locked.
    pub(crate) fn is_fully_locked(&self) -> bool {
        self.others.is_some()
    }

    /// Adds a row that was read: the writer's own, or another one if all are locked.
    pub(crate) fn read(&mut self, number: i16, own: i16, stripe: CounterStripe) {
        match &mut self.others {
            _ if number == own => (self.own, self.has_own) = (stripe, true),
            Some(others) => drop(others.insert(number, stripe)),
            None => {}
        }
    }

    /// Counts a change.
    pub(crate) fn charge(
        &mut self,
        tenant: &TenantId,
        change: UsageChange,
        quotas: Option<&Quotas>,
    ) -> Result<(), ChargeError> {
        self.check(tenant, change, quotas)?;
        self.quotas = quotas.map(amounts).or(self.quotas);
        for (index, more) in [change.instances, change.pending, change.bytes].into_iter().enumerate() {
            self.own.used[index] = self.own.used[index].saturating_add(more);
            self.own.headroom[index] = self.own.headroom[index].saturating_sub(more);
        }
        Ok(())
    }

    /// Whether a change can be counted. Amounts that do not grow are not checked.
    pub(crate) fn check(
        &self,
        tenant: &TenantId,
        change: UsageChange,
        quotas: Option<&Quotas>,
    ) -> Result<(), ChargeError> {
        if self.is_fully_locked() {
            let growth = change.growth();
            let checked = quotas.map_or(Ok(()), |quotas| quotas.check(tenant, &self.usage(), &growth));
            return checked.map_err(ChargeError::Quota);
        }
        let most = quotas.map(amounts);
        let changes = [change.instances, change.pending, change.bytes];
        let fits = |(index, more): (usize, i64)| match more.signum() {
            0 => true,
            -1 => self.has_own,
            _ => self.has_headroom(index, more, most),
        };
        match changes.into_iter().enumerate().all(fits) {
            true => Ok(()),
            false => Err(ChargeError::Headroom),
        }
    }

    /// Counts a request that is made, whose hour begins with the minute `since`. `asked` is the number of requests from then on, which is exact if
    /// all stripes are locked.
    pub(crate) fn ask(
        &mut self,
        tenant: &TenantId,
        quotas: &Quotas,
        (since, asked): (i64, u64),
    ) -> Result<(), ChargeError> {
        if self.is_fully_locked() {
            quotas.check_rate(tenant, asked).map_err(ChargeError::Quota)?;
            self.quotas = Some(amounts(quotas));
            self.counted = match self.counted {
                Some((first, count)) if first <= since => Some((first, count.saturating_add(1))),
                _ => Some((since, signed(asked).saturating_add(1))),
            };
            return Ok(());
        }
        if since < self.own.since || !self.has_headroom(REQUESTS, 1, Some(amounts(quotas))) {
            return Err(ChargeError::Headroom);
        }
        self.own.headroom[REQUESTS] -= 1;
        Ok(())
    }

    /// Headroom that was given out by a higher quota than the write's does not count.
    fn has_headroom(&self, index: usize, more: i64, most: Option<Amounts>) -> bool {
        self.has_own
            && self.own.headroom[index] >= more
            && most.is_none_or(|most| self.own.most[index] <= most[index])
    }

    /// The sum of the stripes that are locked.
    fn usage(&self) -> Usage {
        let [instances, pending_approvals, stored_bytes] =
            [0, 1, 2].map(|index| self.sum(index).unsigned_abs());
        Usage { instances, pending_approvals, stored_bytes }
    }

    fn sum(&self, index: usize) -> i64 {
        let others = self.others.iter().flat_map(BTreeMap::values);
        let sum: i128 = others.chain([&self.own]).map(|stripe| i128::from(stripe.used[index])).sum();
        i64::try_from(sum.max(0)).unwrap_or(i64::MAX)
    }

    /// The rows to write. If all stripes are locked, what is left of the quotas is given out: half of it to the writer, as it is the one that needs headroom.
    pub(crate) fn rows(&self, own: i16) -> Vec<(i16, CounterStripe)> {
        let mut rows: Vec<(i16, CounterStripe)> =
            self.others.iter().flatten().map(|(number, stripe)| (*number, *stripe)).collect();
        rows.push((own, self.own));
        if !self.is_fully_locked() {
            return rows;
        }
        for index in 0..REQUESTS {
            // Of a stripe that was added since headroom was given out, it is the greatest number.
            let known = rows.iter().map(|(_, stripe)| stripe.most[index]).min().unwrap_or(0);
            let most = self.quotas.map_or(known, |quotas| quotas[index]);
            distribute(&mut rows, index, (most, self.sum(index)));
        }
        if let (Some((since, count)), Some(quotas)) = (self.counted, self.quotas) {
            distribute(&mut rows, REQUESTS, (quotas[REQUESTS], count));
            rows.iter_mut().for_each(|(_, stripe)| stripe.since = since);
        }
        rows
    }
}

/// Gives out the difference between a quota and what is used of it. The last row is the writer's own. Of a quota that is exceeded, a stripe that shrinks
/// has headroom up to what is used now, which no write with that quota may use.
fn distribute(rows: &mut [(i16, CounterStripe)], index: usize, (most, used): (i64, i64)) {
    let most = most.max(used);
    let left = most - used;
    let Some(((_, own), others)) = rows.split_last_mut() else { return };
    let each = i64::try_from(others.len()).ok().and_then(|count| (left / 2).checked_div(count)).unwrap_or(0);
    let given = each.saturating_mul(others.len().cast_signed() as i64);
    (own.headroom[index], own.most[index]) = (left - given, most);
    for (_, other) in others {
        (other.headroom[index], other.most[index]) = (each, most);
    }
}

fn amounts(quotas: &Quotas) -> Amounts {
    let Quotas { instances, pending_approvals, stored_bytes, requests_per_hour, .. } = quotas;
    [*instances, *pending_approvals, *stored_bytes, *requests_per_hour].map(signed)
}

/// A quota as the database has it.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A stripe, from twelve columns.
pub(crate) fn stripe(row: &Row, column: usize) -> CounterStripe {
    let numbers = |first: usize| std::array::from_fn(|index| row.get::<_, i64>(column + first + index));
    let [used_instances, used_pending, used_bytes, _]: Amounts = numbers(0);
    CounterStripe {
        used: [used_instances, used_pending, used_bytes],
        headroom: numbers(3),
        most: numbers(7),
        since: row.get(column + 11),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTAS: [u64; 4] = [20, 10, 1_000, 15];

    fn quotas() -> Quotas {
        let [instances, pending_approvals, stored_bytes, requests_per_hour] = QUOTAS;
        Quotas { instances, pending_approvals, stored_bytes, requests_per_hour, ..Quotas::default() }
    }

    /// A tenant's rows, as the database has them, and its requests in the hour.
    #[derive(Default)]
    struct Tenant {
        rows: BTreeMap<i16, CounterStripe>,
        asked: u64,
    }

    impl Tenant {
        fn usage(&self, own: i16, is_fully_locked: bool) -> TenantUsage {
            let mut usage =
                if is_fully_locked { TenantUsage::fully_locked() } else { TenantUsage::default() };
            self.rows.iter().for_each(|(number, stripe)| usage.read(*number, own, *stripe));
            usage
        }

        fn save(&mut self, own: i16, usage: &TenantUsage) {
            self.rows.extend(usage.rows(own));
        }

        /// A write by the writer of that stripe, as the store makes it: with its stripe, and if that does not suffice with all.
        fn write(
            &mut self,
            own: i16,
            act: impl Fn(&mut TenantUsage, u64) -> Result<(), ChargeError>,
        ) -> bool {
            for is_fully_locked in [false, true] {
                let mut usage = self.usage(own, is_fully_locked);
                match act(&mut usage, self.asked) {
                    Ok(()) => {
                        self.save(own, &usage);
                        return true;
                    }
                    Err(ChargeError::Headroom) => {
                        assert!(!is_fully_locked, "with all stripes the sum decides")
                    }
                    Err(ChargeError::Quota(_)) => {
                        assert!(is_fully_locked, "one stripe is no reason for a refusal");
                        return false;
                    }
                }
            }
            false
        }

        fn used(&self, index: usize) -> i64 {
            self.rows.values().map(|stripe| stripe.used[index]).sum()
        }
    }

    fn tenant() -> TenantId {
        "acme".parse().unwrap()
    }

    fn change(index: usize, by: i64) -> UsageChange {
        let [instances, pending, bytes] = std::array::from_fn(|at| if at == index { by } else { 0 });
        UsageChange { instances, pending, bytes }
    }

    /// Numbers that are the same in each run.
    fn numbers() -> impl FnMut(u64) -> u64 {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        }
    }

    #[test]
    fn writers_of_all_stripes_reach_a_quota_and_never_exceed_it() {
        let (mut tenant_rows, mut number) = (Tenant::default(), numbers());
        let (quotas, mut refusals, mut by_stripe) = (quotas(), [0; 3], 0);
        for _ in 0..20_000 {
            let own = i16::try_from(number(u64::from(STRIPES.unsigned_abs()))).unwrap();
            let index = usize::try_from(number(3)).unwrap();
            let (most, used) = (signed(QUOTAS[index]), tenant_rows.used(index));
            // An instance may end, and a request be closed, on another host than that which counted it.
            let by = match number(3) {
                0 => -i64::try_from(number(8)).unwrap().min(used),
                _ => i64::try_from(1 + number(7)).unwrap(),
            };
            let fits = |usage: &mut TenantUsage, _| usage.charge(&tenant(), change(index, by), Some(&quotas));
            by_stripe += i32::from(fits(&mut tenant_rows.usage(own, false), 0).is_ok());
            let is_written = tenant_rows.write(own, fits);
            assert_eq!(is_written, by <= 0 || used + by <= most, "{used} and {by} of {most}");
            refusals[index] += i32::from(!is_written);
            for (index, quota) in QUOTAS.into_iter().enumerate().take(REQUESTS) {
                let headroom: i64 = tenant_rows.rows.values().map(|stripe| stripe.headroom[index]).sum();
                assert!(tenant_rows.used(index) + headroom <= signed(quota), "{:?}", tenant_rows.rows);
            }
        }
        assert!(refusals.iter().all(|count| *count > 100) && by_stripe > 2_000, "{refusals:?} {by_stripe}");
    }

    #[test]
    fn a_change_that_no_quota_bounds_takes_the_headroom_of_others() {
        let (mut tenant_rows, quotas) = (Tenant::default(), quotas());
        for own in [0, 1] {
            assert!(tenant_rows.write(own, |usage, _| usage.charge(&tenant(), change(2, 10), Some(&quotas))));
        }
        assert!(tenant_rows.usage(0, false).check(&tenant(), change(2, 100), Some(&quotas)).is_ok());
        assert!(tenant_rows.write(1, |usage, _| usage.charge(&tenant(), change(2, 5_000), None)));
        assert!(!tenant_rows.write(0, |usage, _| usage.charge(&tenant(), change(2, 1), Some(&quotas))));
        assert!(tenant_rows.write(0, |usage, _| usage.charge(&tenant(), change(2, -4_021), None)));
        assert!(tenant_rows.write(1, |usage, _| usage.charge(&tenant(), change(2, 1), Some(&quotas))));
    }

    #[test]
    fn a_stripe_without_a_row_counts_nothing() {
        let (mut tenant_rows, quotas) = (Tenant::default(), quotas());
        assert!(tenant_rows.write(0, |usage, _| usage.charge(&tenant(), change(1, 5), Some(&quotas))));
        let mut without = tenant_rows.usage(1, false);
        assert_eq!(without.charge(&tenant(), change(1, -2), None), Err(ChargeError::Headroom));
        assert_eq!(without.charge(&tenant(), change(1, 2), None), Err(ChargeError::Headroom));
        assert_eq!(without.charge(&tenant(), change(1, 0), Some(&quotas)), Ok(()));
        assert!(tenant_rows.write(1, |usage, _| usage.charge(&tenant(), change(1, -2), None)));
        assert_eq!((tenant_rows.used(1), tenant_rows.rows.len()), (3, 2));
        assert!(tenant_rows.usage(1, false).check(&tenant(), change(1, -1), None).is_ok());
        // The headroom is that by the quota, which the new stripe does not have.
        let headroom: i64 = tenant_rows.rows.values().map(|stripe| stripe.headroom[1]).sum();
        assert_eq!(headroom, signed(QUOTAS[1]) - 3);
    }

    #[test]
    fn a_lower_quota_counts_at_once() {
        let (mut tenant_rows, high) = (Tenant::default(), quotas());
        let low = Quotas { instances: 2, requests_per_hour: 1, ..quotas() };
        let add =
            |usage: &mut TenantUsage, quotas: &Quotas| usage.charge(&tenant(), change(0, 1), Some(quotas));
        assert!(tenant_rows.write(0, |usage, _| add(usage, &high)));
        assert!(tenant_rows.write(0, |usage, _| add(usage, &low)));
        assert!(!tenant_rows.write(0, |usage, _| add(usage, &low)), "there is headroom by the higher one");
        assert!(tenant_rows.write(0, |usage, _| add(usage, &high)));
        assert!(tenant_rows.write(0, |usage, asked| usage.ask(&tenant(), &high, (7, asked))));
        tenant_rows.asked += 1;
        assert!(!tenant_rows.write(0, |usage, asked| usage.ask(&tenant(), &low, (7, asked))));
    }

    #[test]
    fn as_many_requests_are_made_in_an_hour_as_the_quota_says() {
        let (mut tenant_rows, mut number, quotas) = (Tenant::default(), numbers(), quotas());
        let mut by_stripe = 0;
        for round in 0..60_u64 {
            let own = i16::try_from(number(3)).unwrap();
            let ask = |usage: &mut TenantUsage, asked| usage.ask(&tenant(), &quotas, (100, asked));
            by_stripe += i32::from(ask(&mut tenant_rows.usage(own, false), 0).is_ok());
            let is_written = tenant_rows.write(own, ask);
            assert_eq!(is_written, round < QUOTAS[3]);
            tenant_rows.asked += u64::from(is_written);
        }
        assert!(by_stripe > 3, "{by_stripe}");
        // An hour that began earlier may have more requests than were counted.
        let (mut other, earlier) = (Tenant::default(), 99);
        assert!(other.write(0, |usage, _| usage.ask(&tenant(), &quotas, (100, 0))));
        assert_eq!(other.usage(0, false).ask(&tenant(), &quotas, (earlier, 0)), Err(ChargeError::Headroom));
        // One that began later has no more.
        assert_eq!(other.usage(0, false).ask(&tenant(), &quotas, (101, 0)), Ok(()));
    }
}
