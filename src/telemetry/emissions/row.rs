//! The sums of one set of labels.
//! Knows numbers; nothing of caps or of how they are written.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use smallvec::SmallVec;

use super::{Booking, Exemplar, Figure};
use crate::units::Sum;

/// One set of labels with its sums. Cheap to copy: it is copied whole for every reading.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) labels: Arc<RowLabels>,
    energy_j: Option<Sum>,
    co2e_g: Option<[Sum; 3]>,
    embodied_co2e_g: Option<Sum>,
    tokens: SmallVec<[(&'static str, Sum); 5]>,
    calls: SmallVec<[(&'static str, Sum); 2]>,
    exemplar: Option<(Exemplar, SystemTime)>,
}

/// Labels as readers want them.
#[derive(Debug)]
pub(super) struct RowLabels {
    /// Of those that not every row has.
    pub(super) names: Arc<[Box<str>]>,
    /// Of the fixed labels and then of `names`.
    pub(super) values: Vec<Box<str>>,
    /// As the text formats have them, without braces.
    pub(super) rendered: Box<str>,
}

impl RowLabels {
    /// Whether these are their labels.
    pub(super) fn are(&self, names: &Arc<[Box<str>]>, values: &[Cow<'_, str>]) -> bool {
        (Arc::ptr_eq(&self.names, names) || self.names == *names)
            && self.values.len() == values.len()
            && self.values.iter().zip(values).all(|(one, other)| **one == **other)
    }
}

/// One figure of a row, by a further label where the family has one.
pub(super) type Sample = (Option<(&'static str, &'static str)>, f64);

impl Row {
    pub(super) fn new(labels: RowLabels) -> Self {
        Self {
            labels: Arc::new(labels),
            energy_j: None,
            co2e_g: None,
            embodied_co2e_g: None,
            tokens: SmallVec::new(),
            calls: SmallVec::new(),
            exemplar: None,
        }
    }

    pub(super) fn add(&mut self, booking: &Booking<'_>, now: SystemTime) {
        let merge = |sum: &mut Option<Sum>, terms: Option<Sum>| {
            if let Some(terms) = terms {
                sum.get_or_insert_default().merge(terms);
            }
        };
        merge(&mut self.energy_j, booking.energy_j);
        merge(&mut self.embodied_co2e_g, booking.embodied_co2e_g);
        if let Some(terms) = booking.co2e_g {
            let sums = self.co2e_g.get_or_insert_default();
            sums.iter_mut().zip(terms).for_each(|(sum, terms)| sum.merge(terms));
        }
        booking.tokens.iter().for_each(|&(class, tokens)| add(&mut self.tokens, class, tokens));
        booking.calls.iter().for_each(|&(status, calls)| add(&mut self.calls, status, calls));
        self.exemplar = booking.exemplar.map(|exemplar| (exemplar, now)).or(self.exemplar);
    }

    /// What stands in a family; nothing where nothing is known.
    pub(super) fn samples(&self, figure: Figure) -> SmallVec<[Sample; 5]> {
        let one = |sum: Option<Sum>| sum.map(|sum| (None, sum.value())).into_iter().collect();
        let by = |label: &'static str, sums: &[(&'static str, Sum)]| {
            sums.iter().map(|(value, sum)| (Some((label, *value)), sum.value())).collect()
        };
        match figure {
            Figure::Energy => one(self.energy_j),
            Figure::Co2e(end) => one(self.co2e_g.and_then(|sums| sums.get(end).copied())),
            Figure::Embodied => one(self.embodied_co2e_g),
            Figure::Tokens => by("class", &self.tokens),
            Figure::Calls => by("status", &self.calls),
        }
    }

    /// A call to look at where the family is about what it took: its trace and span, its part, and when it was booked.
    pub(super) fn exemplar(&self, figure: Figure) -> Option<(&Exemplar, f64, SystemTime)> {
        let (exemplar, booked) = self.exemplar.as_ref()?;
        let part = match figure {
            Figure::Energy => exemplar.energy_j?,
            Figure::Co2e(0) => exemplar.co2e_g,
            Figure::Co2e(_) | Figure::Embodied | Figure::Tokens | Figure::Calls => return None,
        };
        Some((exemplar, part, *booked))
    }
}

/// In the order in which they came: whoever reads them sorts rows, not these.
fn add<const N: usize>(sums: &mut SmallVec<[(&'static str, Sum); N]>, label: &'static str, term: f64) {
    match sums.iter_mut().find(|(known, _)| *known == label) {
        Some((_, sum)) => sum.add(term),
        None => {
            let mut sum = Sum::default();
            sum.add(term);
            sums.push((label, sum));
        }
    }
}
