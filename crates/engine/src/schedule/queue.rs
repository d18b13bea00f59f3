//! Instances that can be driven now: a queue a tenant, and whose turn it is.

use std::collections::{HashMap, HashSet, VecDeque};
use store::InstanceKey;
use workflow::TenantId;

/// Queues, each at most once in the round.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    queues: HashMap<TenantId, VecDeque<InstanceKey>>,
    round: VecDeque<TenantId>,
    within: HashSet<InstanceKey>,
}

impl ReadyQueue {
    /// Adds an instance. Returns false if the queue already has it.
    pub(super) fn push(&mut self, key: InstanceKey) -> bool {
        if !self.within.insert(key.clone()) {
            return false;
        }
        if !self.queues.contains_key(&key.tenant) {
            self.round.push_back(key.tenant.clone());
        }
        self.queues.entry(key.tenant.clone()).or_default().push_back(key);
        true
    }

    /// The next of the next tenant that may have another drive.
    pub(super) fn pop(&mut self, may: impl Fn(&TenantId) -> bool) -> Option<InstanceKey> {
        let turn = self.round.iter().position(may)?;
        let tenant = self.round.remove(turn)?;
        let queue = self.queues.get_mut(&tenant)?;
        let key = queue.pop_front()?;
        match queue.is_empty() {
            true => drop(self.queues.remove(&tenant)),
            false => self.round.push_back(tenant),
        }
        self.within.remove(&key);
        Some(key)
    }

    /// The number of a tenant's ready instances.
    pub(super) fn of(&self, tenant: &TenantId) -> usize {
        self.queues.get(tenant).map_or(0, VecDeque::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str, instance: &str) -> InstanceKey {
        InstanceKey { tenant: tenant.parse().unwrap(), instance: instance.parse().unwrap() }
    }

    fn order(ready: &mut ReadyQueue, may: impl Fn(&TenantId) -> bool) -> Vec<String> {
        std::iter::from_fn(|| ready.pop(&may)).map(|key| key.to_string()).collect()
    }

    #[test]
    fn tenants_take_turns_and_each_has_its_own_order() {
        let mut ready = ReadyQueue::default();
        for name in ["1", "2", "3", "4"] {
            ready.push(key("big", name));
        }
        ready.push(key("small", "1"));
        ready.push(key("big", "2"));
        let all = order(&mut ready, |_| true);
        assert_eq!(all, ["big/1", "small/1", "big/2", "big/3", "big/4"], "once each, in turns");
        assert_eq!((ready.of(&"big".parse().unwrap()), ready.round.len(), ready.within.len()), (0, 0, 0));
    }

    #[test]
    fn who_may_not_is_passed_over_and_keeps_its_place() {
        let mut ready = ReadyQueue::default();
        for tenant in ["a", "b", "c"] {
            ready.push(key(tenant, "1"));
            ready.push(key(tenant, "2"));
        }
        assert_eq!(order(&mut ready, |tenant| tenant.as_str() == "b"), ["b/1", "b/2"]);
        assert_eq!(order(&mut ready, |_| true), ["a/1", "c/1", "a/2", "c/2"]);
    }
}
