//! A member of a fleet that lies.

use super::*;

#[test]
fn a_member_that_lies_hurries_no_more_than_its_share_and_leaves_the_others_theirs() {
    let (policy, mut pacing) = (policy(), Pacing::default());
    let of = |member: &str, user: &str, number: u64| Event {
        host: member.into(),
        origin: Some(format!("fleet:0000000000000007:{number}:eu")),
        ..failure(0, user, "192.0.2.7")
    };
    let mut hurried = 0;
    for second in 0..DAY.as_secs() / 10 {
        let now = Moment(second * 10_000);
        pacing.on_failure(now, &of("web1", &format!("user{second}"), second), AccountKind::Existing, &policy);
        if pacing.urgent {
            hurried += 1;
            pacing.urgent = false;
        }
    }
    assert!((1..=(policy.max_per_day / SHARES).max(1)).contains(&hurried), "{hurried}");
    pacing.on_failure(
        Moment(DAY.as_millis() as u64),
        &of("web2", "alice", 1),
        AccountKind::Existing,
        &policy,
    );
    assert!(pacing.urgent);
}

#[test]
fn a_member_that_lies_about_where_others_log_in_from_has_one_message_in_a_group_interval() {
    let (mut pacing, mut waiting) = (Pacing::default(), Findings::default());
    let (mut by_lies, mut covered) = (0, 0);
    for second in (0..2 * DAY.as_secs()).step_by(20) {
        let (at, n) = (second * 1000, second / 20);
        // Whoever logs in anywhere, root too, in the same second as others; the same accounts over and over.
        for more in 0..3 {
            let user = if n % 5 == 0 { "root".into() } else { format!("user{}", n % 40) };
            let lie = break_in_from(&format!("198.51.{}.{more}", n % 250), &user, more != 1);
            let lie = told_by("web9", at_host(&format!("web{}", n % 8), lie));
            let turn = pacing.on_finding(Moment(at), &lie, Kind::BreakIn, &policy());
            waiting.add(&lie, Kind::BreakIn, turn, (AccountKind::Existing, AccountKind::Unknown));
        }
        let told = tell(&mut pacing, &mut waiting, at, None);
        by_lies += told.len();
        covered += told.iter().map(|found| 1 + found.content.more).sum::<u64>();
        if n % 600 == 599 {
            // What a machine saw itself, of accounts of which it lied, and what another member tells.
            let user = format!("user{}", 7 * (n / 600) % 40);
            let own = at_host(&format!("web{}", n / 600), break_in(&user, true));
            let spread = told_by(&format!("db{n}"), break_in(&format!("carol{n}"), true));
            let by_log = break_in(&user, false);
            for (what, truth) in [("own", own), ("spread", spread), ("by log", by_log)] {
                let told = tell(&mut pacing, &mut waiting, at, Some(&truth));
                let is_it = |found: &Proven| found.content.login.user == truth.login.user;
                assert!(told.iter().any(is_it), "{what} {n} {told:?}");
            }
        }
    }
    assert!(by_lies <= 2 * 24 * 6 && covered > 20_000, "{by_lies} {covered}");
}

#[test]
fn one_member_that_lies_spends_what_is_kept_for_what_is_certain_once_a_day() {
    for lie in [|member: &str, finding| at_host(member, finding), told_by] {
        let (mut pacing, mut waiting) = (Pacing::default(), Findings::default());
        let mut told = Vec::new();
        for n in 0..40 {
            let finding = lie("web9", break_in(&format!("user{n}"), true));
            let turn = pacing.on_finding(Moment(0), &finding, Kind::BreakIn, &policy());
            waiting.add(&finding, Kind::BreakIn, turn, (AccountKind::Existing, AccountKind::Unknown));
        }
        for second in 0..600 {
            told.extend(tell(&mut pacing, &mut waiting, second * 1000, None));
        }
        let certain =
            told.iter().filter(|found| matches!(found.turn.claim, Claim::BreakIn | Claim::BreakInAgain));
        assert_eq!(certain.count(), 1, "{told:?}");
    }
}

#[test]
fn lies_take_the_place_of_nothing_that_waits() {
    let mut waiting = Findings::default();
    let turn = |pacing: &Pacing, finding: &Finding| pacing.repeats.turn(Moment(0), finding, &policy());
    let pacing = Pacing::default();
    let kinds = (AccountKind::Existing, AccountKind::Unknown);
    for n in 0..30 {
        let findings = [
            told_by("web9", break_in(&format!("lie{n}"), true)),
            at_host("web9", break_in(&format!("own{n}"), true)),
        ];
        for finding in findings {
            waiting.add(&finding, Kind::BreakIn, Some(turn(&pacing, &finding)), kinds);
        }
    }
    let seen = Finding { seen: true, ..break_in("seen", false) };
    let certain = at_host("web1", break_in("certain", true));
    let truths = [certain, seen, break_in("by log", false), told_by("web2", break_in("told", true))];
    for truth in &truths {
        waiting.add(truth, Kind::BreakIn, Some(turn(&pacing, truth)), kinds);
    }
    let told = waiting.take_break_ins(&mut Pacing::default(), (Moment(0), &policy()), true, usize::MAX);
    for truth in &truths {
        let is_it = |found: &&Proven| found.content.login.user == truth.login.user;
        assert!(told.iter().any(|found| is_it(&found)) || waiting_has(&waiting, truth), "{truth:?}");
    }
}

#[test]
fn what_a_member_tells_of_is_one_message_and_hides_nothing_that_others_saw() {
    let (mut pacing, mut waiting) = (Pacing::default(), Findings::default());
    let at_web1 = |user: &str| at_host("web1", break_in_from("192.0.2.7", user, true));
    let lies = [at_web1("alice"), at_host("web2", break_in("bob", true)), at_web1("carol")]
        .map(|lie| told_by("web9", lie));
    for finding in lies.iter().chain([&at_web1("dave")]) {
        let turn = pacing.on_finding(Moment(0), finding, Kind::BreakIn, &policy());
        waiting.add(finding, Kind::BreakIn, turn, (AccountKind::Existing, AccountKind::Unknown));
    }
    let told = tell(&mut pacing, &mut waiting, 0, None);
    let of: Vec<_> =
        told.iter().map(|found| (found.content.login.user.as_str(), found.content.more)).collect();
    assert_eq!(of, [("dave", 0), ("alice", 2)]);
    // It was a lie; now she is in whom nobody should be.
    assert!(is_told(&mut pacing, MINUTE, &told_by("web3", at_host("web1", break_in("alice", true)))));
    assert!(is_told(&mut pacing, MINUTE, &at_host("web4", break_in("alice", true))));
    let own = break_in("erin", true);
    assert!(
        is_told(&mut pacing, 2 * MINUTE, &told_by("web5", own.clone()))
            && is_told(&mut pacing, 3 * MINUTE, &own)
    );
}
