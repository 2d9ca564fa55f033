//! Intervals, and how many alerts a day.

use super::*;

#[test]
fn the_first_failure_goes_out_at_once_and_the_next_ones_wait_ever_longer() {
    let mut pacing = Pacing::default();
    assert_eq!(pacing.due(Moment(0), &policy()), Due::Nothing);
    let mut sent = Vec::new();
    for minute in 0..3000 {
        remote(&mut pacing, minute * MINUTE, "root", AccountKind::Root);
        sent.extend(sent_until(&mut pacing, minute * MINUTE, minute * MINUTE));
    }
    assert_eq!(sent, [0, 10, 30, 70, 150, 310, 630, 990, 1350, 1710, 2070, 2430, 2790]);
}

#[test]
fn what_was_sent_at_another_pace_is_as_many_alerts_at_this_one() {
    let at = |max_per_day: u32| Policy::from(&Alerts { max_per_day, ..Alerts::default() });
    for (before, after) in [(1, 48), (5, 48), (48, 5), (10_000, 48), (48, 10_000), (48, 48)] {
        let (mut changed, mut never) = (Pacing::default(), Pacing::default());
        for _ in 0..2 {
            changed.bucket.take(Claim::Common, Moment(0), &at(before));
            never.bucket.take(Claim::Common, Moment(0), &at(after));
        }
        let (now, token) = (Moment(0), at(after).refill().as_millis() as u64);
        for claim in [Claim::Common, Claim::Here, Claim::Account, Claim::BreakIn, Claim::BreakInLogged] {
            let next = |pacing: &Pacing| pacing.bucket.when(claim, now, &at(after)).0;
            // A small bucket had to take from what is kept for others.
            assert!(next(&changed) <= next(&never) + 2 * token, "{before} {after} {claim:?}");
            assert_eq!(changed.has(claim, now, &at(after)), next(&changed) == now.0);
        }
        assert!(changed.has(Claim::BreakIn, now, &at(after)), "{before} {after}");
    }
}

/// Whoever sends what is allowed, at paces that change to and fro, across restarts.
#[test]
fn whatever_the_pace_is_changed_to_no_day_has_more_than_the_largest_and_break_ins_keep_what_is_theirs() {
    let of = |(max_per_day, burst)| Policy::from(&Alerts { max_per_day, burst, ..Alerts::default() });
    let paces =
        [(1, 1), (5, 5), (12, 10), (23, 10), (24, 10), (48, 10), (48, 1), (49, 11), (200, 30)].map(of);
    let others = [Claim::Common, Claim::Logged, Claim::Here, Claim::Account];
    let break_ins = [Claim::BreakIn, Claim::BreakInAgain, Claim::BreakInSeen, Claim::BreakInLogged];
    let mut seed = 3_u64;
    let mut below = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    for round in 0..400 {
        let used: Vec<&Policy> = (0..2 + round % 2).map(|_| &paces[below(paces.len())]).collect();
        let (mut bucket, mut policy, mut now, mut sent) =
            (Bucket::default(), used[0], Moment(9_000_000), vec![]);
        let step = [1, 60_000, 1_800_000][below(3)];
        for _ in 0..600 {
            now = Moment(now.0 + below(2) as u64 * step);
            if below(8) == 0 {
                policy = used[below(used.len())];
                bucket = serde_json::from_str(&serde_json::to_string(&bucket).unwrap()).unwrap();
                // A pass that has nothing to send, or none before the next change.
                (0..below(2)).for_each(|_| bucket.settle(now, policy));
            }
            let claims = if round % 2 == 0 { &others } else { &break_ins };
            let claim = if below(4) == 0 { claims[below(4)] } else { others[below(4)] };
            if bucket.has(claim, now, policy) {
                bucket.take(claim, now, policy);
                sent.push(now.0);
            }
            if round % 2 == 0 {
                assert!(used.iter().all(|policy| bucket.has(Claim::BreakIn, now, policy)), "{round}");
            }
        }
        let holds = used.iter().map(|policy| policy.capacity()).max().unwrap();
        let comes = used.iter().map(|policy| 86_400_000 / policy.refill().as_millis() as u64).max().unwrap();
        for (n, from) in sent.iter().enumerate() {
            let within = sent[n..].partition_point(|at| *at < from + 86_400_000);
            assert!(within as u64 <= holds + comes, "{round}: {within}, {holds} and {comes}");
        }
    }
}

#[test]
fn a_pace_that_was_raised_holds_from_then_on_though_nothing_more_happens() {
    let at = |max_per_day: u32| Policy::from(&Alerts { max_per_day, ..Alerts::default() });
    for (before, after) in [(1, 48), (5, 48), (5, 10_000)] {
        let (before, after) = (at(before), at(after));
        let mut pacing = Pacing::default();
        (0..20).for_each(|_| pacing.bucket.take(Claim::BreakIn, Moment(0), &before));
        assert!(pacing.settle(Moment(0), &after));
        let next = pacing.bucket.when(Claim::BreakIn, Moment(0), &after);
        assert!(next.0 <= 2 * after.refill().as_millis() as u64, "{next:?}");
        assert!(!pacing.settle(next, &after) && pacing.has(Claim::BreakIn, next, &after));
    }
}

#[test]
fn a_longest_wait_that_was_lowered_holds_for_a_break_in_that_waits_already() {
    let lower = Policy { max_interval: Duration::from_secs(600), ..policy() };
    for from in [6 * 60 * MINUTE, u64::MAX] {
        let turn: Turn = serde_json::from_str(&format!(r#"{{"since":60000,"from":{from}}}"#)).unwrap();
        let until = Moment(11 * MINUTE);
        for minute in 1..=11 {
            assert_eq!(turn.from(Moment(minute * MINUTE), &lower), until, "{minute}");
        }
        assert!(turn.from(until, &policy()) > until);
    }
}

#[test]
fn quiet_resets_the_wait() {
    // Two and a half times 160 minutes are more than four hours, two and a half times ten are not.
    for (alerts, gap, next) in [(1, 240, 10), (1, 239, 20), (5, 400, 10), (5, 399, 320)] {
        let mut pacing = Pacing::default();
        let mut now = 0;
        for i in 0..alerts {
            now += (10 * MINUTE) << i;
            remote(&mut pacing, now, "root", AccountKind::Root);
            assert_eq!(pacing.due(Moment(now), &policy()), Due::Now);
            pacing.sent(Moment(now), &policy());
        }
        now += gap * MINUTE;
        remote(&mut pacing, now, "root", AccountKind::Root);
        assert_eq!(pacing.due(Moment(now), &policy()), Due::Now);
        pacing.sent(Moment(now), &policy());
        assert_eq!(pacing.interval(&policy()), Duration::from_secs(next * 60), "{alerts} {gap}");
    }
}

/// One failure every so many minutes, for days: what an attacker does who hides below thresholds.
#[test]
fn a_slow_attack_of_any_pace_makes_at_most_twenty_alerts_a_day() {
    for gap in 1..=400u64 {
        let mut pacing = Pacing::default();
        let mut sent = Vec::new();
        for i in 0..(10 * 1440 / gap) {
            sent.extend(sent_until(&mut pacing, i.saturating_sub(1) * gap * MINUTE, i * gap * MINUTE));
            remote(&mut pacing, i * gap * MINUTE, "root", AccountKind::Root);
            sent.extend(sent_until(&mut pacing, i * gap * MINUTE, i * gap * MINUTE));
        }
        assert!(busiest(&sent) <= 20, "one in {gap} minutes: {sent:?}");
    }
}

/// The worst that somebody can do who knows the rule: wait exactly as long as it takes each time.
#[test]
fn whoever_knows_the_rule_gets_no_more_than_twenty_alerts_a_day() {
    for steps in 1..8 {
        let mut pacing = Pacing::default();
        let (mut now, mut sent) = (0, Vec::new());
        while now < 5 * DAY.as_millis() as u64 {
            for _ in 0..steps {
                now = now.max(pacing.turn(Moment(now), &policy()).0);
                remote(&mut pacing, now, "root", AccountKind::Root);
                sent.extend(sent_until(&mut pacing, now, now));
            }
            now += policy().quiet(pacing.interval(&policy())).as_millis() as u64;
        }
        assert!(busiest(&sent) <= 20, "{steps}: {sent:?}");
    }
}

#[test]
fn an_empty_bucket_makes_the_next_alert_wait_and_never_loses_it() {
    let mut pacing = Pacing::default();
    let mut sent = Vec::new();
    for second in 0..7200u64 {
        pacing.on_failure(Moment(second * 1000), &su(1000 + second as u32), AccountKind::Root, &policy());
        sent.extend(sent_until(&mut pacing, second * 1000, second * 1000));
    }
    assert_eq!(sent[..6], [0, 0, 0, 0, 0, 38], "four, and the one that is kept for the machine itself");
    assert!(sent.len() < 10, "{sent:?}");
    let Due::At(at) = pacing.due(Moment(7_199_000), &policy()) else { panic!() };
    assert!(at <= Moment(7_199_000).plus(policy().refill() * 4), "{at:?}");
}

#[test]
fn what_a_refused_alert_covered_waits_its_turn_again() {
    let mut pacing = Pacing::default();
    remote(&mut pacing, 0, "root", AccountKind::Root);
    pacing.sent(Moment(0), &policy());
    pacing.mark_pending(Moment(MINUTE));
    assert_eq!(pacing.due(Moment(MINUTE), &policy()), Due::At(Moment(10 * MINUTE)));
}

/// Failures of every kind at random moments, a look every minute: the promises hold.
#[test]
fn none_waits_longer_than_max_interval_and_no_day_has_more_than_max_per_day() {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for round in 0..60 {
        let policy = match round % 3 {
            0 => policy(),
            1 => Policy { max_per_day: 1 + next(60) as u32, burst: 1 + next(8) as u32, ..policy() },
            _ => Policy {
                group_interval: Duration::from_secs(1 + next(7200)),
                max_interval: Duration::from_secs(7200 + next(100_000)),
                ..policy()
            },
        };
        // While what is kept fills, what is common comes slower: at worst in four times its time.
        let longest = policy.max_interval.max(policy.refill() * 4);
        let mut pacing = Pacing::default();
        let (mut now, mut oldest, mut sent) = (0, None, Vec::<u64>::new());
        let pace = [1_000, 60_000, 1_800_000, 40_000_000][next(4) as usize];
        for _ in 0..1500 {
            let arrival = now + next(pace);
            // Everything that becomes due before the next failure arrives.
            while let (Some(since), Due::At(at)) = (oldest, pacing.due(Moment(now), &policy)) {
                assert!(at > Moment(now));
                if at.0 > arrival {
                    break;
                }
                now = at.0;
                assert_eq!(pacing.due(at, &policy), Due::Now);
                assert!(at.since(Moment(since)) <= longest, "{policy:?} {pacing:?}");
                pacing.sent(at, &policy);
                sent.push(at.0);
                oldest = None;
            }
            now = arrival;
            let (user, standing) = match next(4) {
                0 => ("root".into(), AccountKind::Root),
                1 => ("?".into(), AccountKind::Unknown),
                _ => (format!("user{}", next(40)), AccountKind::Existing),
            };
            let rhost = if next(20) == 0 { "" } else { "192.0.2.7" };
            // The time in the failure is years off: it must not matter.
            let old = Event { service: "login".into(), ..failure(-(next(1 << 30) as i64), &user, rhost) };
            pacing.on_failure(Moment(now), &old, standing, &policy);
            oldest.get_or_insert(now);
            if pacing.due(Moment(now), &policy) == Due::Now {
                pacing.sent(Moment(now), &policy);
                sent.push(now);
                oldest = None;
            }
        }
        let day = DAY.as_millis() as u64;
        for (i, start) in sent.iter().enumerate() {
            let within = sent[i..].iter().take_while(|at| **at < start + day).count();
            assert!(within <= policy.max_per_day as usize, "{within} in a day: {policy:?}");
        }
    }
}
