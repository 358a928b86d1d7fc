//! The book of a process: which budgets are in force, what each has consumed, and what of it waits to be kept.
//! Knows numbers and time, which is passed in; nothing of who shares it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::calls::{CallId, Calls};
use super::clock::{Clock, ClockNews};
use super::entry::{Entry, Waiting};
use super::state::State;
use super::{BudgetSettings, Consumption, Firing, News, Status, UnixMs};

#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) settings: BTreeMap<String, BudgetSettings>,
    /// By name, also of budgets that are not in force: one that comes back goes on.
    pub(super) states: BTreeMap<String, State>,
    /// By name, of those that somebody asked for.
    pub(super) exceeded: BTreeMap<String, Arc<AtomicBool>>,
    pub(super) calls: Calls,
    clock: Clock,
    /// Where something is kept.
    pub(super) waiting: Option<Waiting>,
    /// What ended with budgets that are gone.
    pub(super) removed: Vec<News>,
    /// The number of the last booking.
    pub(super) booking: u64,
}

impl Book {
    pub(super) fn apply(&mut self, settings: Vec<BudgetSettings>, now: UnixMs) -> Vec<String> {
        self.clock.saw(now);
        let settings: BTreeMap<_, _> = settings.into_iter().map(|budget| (budget.name.clone(), budget)).collect();
        let before = std::mem::take(&mut self.settings);
        let mut anew = Vec::new();
        let gone: Vec<_> = { self.states.iter() }
            .filter(|(name, state)| settings.get(*name).is_none_or(|it| !state.fits(it)))
            .map(|(name, state)| (name.clone(), before.get(name).cloned().unwrap_or_else(|| state.settings(name))))
            .collect();
        for (name, budget) in gone {
            anew.extend(settings.contains_key(&name).then_some(name));
            self.end(&budget, now);
        }
        for (name, budget) in &settings {
            match self.states.get_mut(name) {
                Some(state) if state.fits(budget) => {
                    if !state.go_on(budget, now) {
                        continue;
                    }
                }
                _ => drop(self.states.insert(name.clone(), State::new(budget, now))),
            }
            self.keep_whole(name);
        }
        self.settings = settings;
        self.forget(now);
        anew
    }

    /// What a budget that goes had fired is over, also where that was in a run before this.
    fn end(&mut self, budget: &BudgetSettings, now: UnixMs) {
        let Some(state) = self.states.get_mut(&budget.name) else { return };
        if let Some(flag) = self.exceeded.get(&budget.name) {
            flag.store(false, Ordering::Relaxed);
        }
        if state.firing().next().is_none() {
            return;
        }
        let status = state.status(budget, now);
        let news = |change| News { budget: budget.clone(), status: status.clone(), change, at: now };
        self.removed.extend(state.silence().into_iter().map(news));
        self.keep_standing(&budget.name);
    }

    /// Lets go of budgets that are gone and of which nothing would be left if they came back.
    fn forget(&mut self, now: UnixMs) {
        let Self { states, settings, waiting, .. } = self;
        states.retain(|name, state| {
            let stays = settings.contains_key(name) || !state.is_over(now);
            if let (false, Some(waiting)) = (stays, waiting.as_mut()) {
                waiting.push(Entry::Gone(name.clone()));
            }
            stays
        });
        self.exceeded.retain(|name, flag| settings.contains_key(name) || Arc::strong_count(flag) > 1);
    }

    /// Whether a call was not booked before; it is known from now on.
    pub(super) fn is_new(&mut self, call: Option<CallId>, now: UnixMs) -> bool {
        let Some(call) = call else { return true };
        let is_new = self.calls.insert(call, now);
        if let (true, Some(waiting)) = (is_new, &mut self.waiting) {
            waiting.call(call, now);
        }
        is_new
    }

    pub(super) fn add(&mut self, consumption: &Consumption<'_>, now: UnixMs) {
        self.clock.saw(now);
        for budget in consumption.budgets.iter().filter_map(|name| self.settings.get(&**name)) {
            let (amount, who) = (budget.of(consumption), (consumption.model, consumption.service));
            if let Some(state) = self.states.get_mut(&budget.name) {
                state.add(amount, who, now);
            }
            if let Some(waiting) = &mut self.waiting {
                waiting.book(&budget.name, who, amount, now);
            }
        }
    }

    /// Looks at the clock, and goes back with it once it is believed: the whole book is kept anew then.
    pub(super) fn look_at_clock(&mut self, now: UnixMs) -> Option<ClockNews> {
        let news = self.clock.look(now);
        if let Some(ClockNews::IsBelieved(by_ms)) = news {
            self.states.values_mut().for_each(|state| state.set_back(by_ms));
            self.calls.set_back(by_ms);
            self.waiting.iter_mut().for_each(Waiting::fall_short);
        }
        news
    }

    pub(super) fn status(&mut self, name: &str, now: UnixMs) -> Option<(BudgetSettings, Status)> {
        self.clock.saw(now);
        let budget = self.settings.get(name)?;
        Some((budget.clone(), self.states.get_mut(name)?.status(budget, now)))
    }

    pub(super) fn changes(&mut self, name: &str, now: UnixMs) -> Vec<News> {
        self.clock.saw(now);
        let (Some(budget), Some(state)) = (self.settings.get(name), self.states.get_mut(name)) else {
            return Vec::new();
        };
        let before = state.standing().began;
        let (changes, status) = state.changes(budget, now);
        if let Some(flag) = self.exceeded.get(name) {
            flag.store(status.consumed >= budget.limit.get(), Ordering::Relaxed);
        }
        let is_new_period = state.standing().began != before;
        let news = |change| News { budget: budget.clone(), status: status.clone(), change, at: now };
        let news: Vec<_> = changes.into_iter().map(news).collect();
        if !news.is_empty() || is_new_period {
            self.keep_standing(name);
        }
        news
    }

    pub(super) fn firing(&mut self, name: &str, now: UnixMs) -> Vec<Firing> {
        self.clock.saw(now);
        let (Some(budget), Some(state)) = (self.settings.get(name), self.states.get_mut(name)) else {
            return Vec::new();
        };
        if state.firing().next().is_none() {
            return Vec::new();
        }
        let status = state.status(budget, now);
        let firing = |(what, since)| Firing { budget: budget.clone(), status: status.clone(), what, since };
        state.firing().map(firing).collect()
    }

    /// The whole of one budget, of which nothing waits any more.
    pub(super) fn whole(&mut self, name: &str) -> Option<Entry> {
        let state = self.states.get(name)?;
        if let Some(waiting) = &mut self.waiting {
            waiting.drop_budget(name);
        }
        Some(Entry::Budget(name.to_owned(), Box::new(state.clone())))
    }

    pub(super) fn restore(&mut self, entry: Entry) {
        match entry {
            Entry::Budget(name, state) => {
                self.clock.saw(state.latest());
                self.states.insert(name, *state);
            }
            Entry::Booked(booked) => {
                self.clock.saw(booked.at());
                for (name, who, amount) in booked.shares() {
                    if let Some(state) = self.states.get_mut(name) {
                        state.add(amount, who, booked.at());
                    }
                }
                for call in booked.calls() {
                    self.calls.insert(*call, booked.at());
                }
            }
            Entry::Stands(name, standing) => {
                if let Some(state) = self.states.get_mut(&name) {
                    state.stand(standing);
                }
            }
            Entry::Gone(name) => drop(self.states.remove(&name)),
        }
    }

    fn keep_whole(&mut self, name: &str) {
        if let (Some(waiting), Some(state)) = (&mut self.waiting, self.states.get(name)) {
            waiting.drop_budget(name);
            waiting.push(Entry::Budget(name.to_owned(), Box::new(state.clone())));
        }
    }

    fn keep_standing(&mut self, name: &str) {
        if let (Some(waiting), Some(state)) = (&mut self.waiting, self.states.get(name)) {
            waiting.push(Entry::Stands(name.to_owned(), state.standing().clone()));
        }
    }
}
