//! Failures over time, in no more steps than there is room for.

use jiff::ToSpan;
use jiff::civil::Date;

use super::numbers::OfDay;

/// One step: the day, week or month that begins there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) begin: Date,
    pub(super) label: String,
    pub(super) failures: u64,
}

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Week,
    Month,
    Year,
}

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    fn begin(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => {
                let back = i64::from(day.weekday().to_monday_zero_offset());
                day.checked_sub(back.days()).unwrap_or(day)
            }
            Self::Month => day.first_of_month(),
            Self::Year => day.first_of_year(),
        }
    }

    fn next(self, begin: Date) -> Option<Date> {
        let span = match self {
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
            Self::Year => 1.year(),
        };
        begin.checked_add(span).ok()
    }

    fn label(self, begin: Date) -> String {
        match self {
            Self::Day => begin.strftime("%Y-%m-%d %a").to_string(),
            Self::Week => begin.strftime("%Y-%m-%d").to_string(),
            Self::Month => begin.strftime("%Y-%m").to_string(),
            Self::Year => begin.strftime("%Y").to_string(),
        }
    }
}

/// The days as at most `most` steps, those without a failure between them too; as years there may be more, and then the
/// empty ones are left out.
pub(super) fn steps(days: &[OfDay], most: usize) -> (Unit, Vec<Step>) {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return (Unit::Day, Vec::new()) };
    for unit in [Unit::Day, Unit::Week, Unit::Month] {
        let mut begins = vec![unit.begin(first.day)];
        while let Some(next) = begins.last().and_then(|begin| unit.next(*begin)) {
            if next > last.day || begins.len() > most {
                break;
            }
            begins.push(next);
        }
        if begins.len() <= most {
            return (unit, counted(unit, begins, days));
        }
    }
    let mut begins: Vec<Date> = days.iter().map(|of| Unit::Year.begin(of.day)).collect();
    begins.dedup();
    (Unit::Year, counted(Unit::Year, begins, days))
}

fn counted(unit: Unit, begins: Vec<Date>, days: &[OfDay]) -> Vec<Step> {
    let mut steps: Vec<Step> =
        begins.into_iter().map(|begin| Step { begin, label: unit.label(begin), failures: 0 }).collect();
    for of in days {
        let place = steps.partition_point(|step| step.begin <= of.day);
        if let Some(step) = place.checked_sub(1).and_then(|place| steps.get_mut(place)) {
            step.failures += of.failures;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_span_the_steps_are_few_and_their_sum_is_the_total() {
        for span in [1_i64, 2, 29, 31, 60, 200, 900, 4000, 100_000] {
            let begin: Date = "2024-02-27".parse().unwrap();
            let days: Vec<OfDay> = [0, span / 3, span - 1]
                .into_iter()
                .map(|n| OfDay { day: begin.checked_add(n.days()).unwrap(), failures: 5 })
                .collect();
            let (unit, steps) = steps(&days, 31);
            assert!(steps.len() <= 31 || unit == Unit::Year, "{span}: {}", steps.len());
            assert_eq!(steps.iter().map(|step| step.failures).sum::<u64>(), 15, "{span}");
            assert!(span > 31 || steps.len() == span as usize, "{span}");
        }
        assert_eq!(steps(&[], 31).1, []);
    }
}
