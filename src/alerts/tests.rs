//! Who is told what and when, with times that are passed in; and a real server that is told. What Alertmanager itself makes
//! of it is tested beside it.

use super::*;
use crate::budget::{BudgetSettings, Consumption, Count, Period, Rolling};

const NOW: UnixMs = 1_764_000_000_000;
const MINUTE: i64 = 60_000;

fn budgets() -> Budgets {
    let budgets = Budgets::default();
    let budget = BudgetSettings {
        name: "team".to_owned(),
        limit: "100g".parse().unwrap(),
        period: Period::Rolling(Rolling::Hour),
        thresholds: vec![50.0, 100.0],
        burn_rates: false,
        count: Count::Value,
    };
    budgets.apply(vec![budget], NOW);
    budgets
}

fn book(budgets: &Budgets, grams: f64, now: UnixMs) -> Vec<News> {
    let names = ["team".into()];
    let consumption = Consumption {
        budgets: &names,
        co2e_g: [grams; 3],
        energy_wh: 0.0,
        model: "openai/gpt-4o",
        service: "shop",
        call: None,
    };
    budgets.add([consumption], now);
    budgets.changes(now)
}

#[test]
fn what_is_news_while_others_are_told_is_told_right_behind_them() {
    let budgets = budgets();
    let mut board = Board::default();
    let first = book(&budgets, 60.0, NOW);
    first.iter().for_each(|news| board.note(news));
    assert!(board.is_due(NOW));
    let firing = budgets.firing(NOW);
    book(&budgets, 50.0, NOW + 1).iter().for_each(|news| board.note(news));
    let push = board.push(&firing, NOW + 1);
    board.pushed(&push, true, NOW + 1);
    assert!(push.alerts.len() == 1 && board.is_due(NOW + 2), "100 % are not among them");
}

#[test]
fn an_alert_never_ends_before_it_began_whatever_the_clock_does() {
    let budgets = budgets();
    let mut board = Board::default();
    book(&budgets, 60.0, NOW).iter().for_each(|news| board.note(news));
    let push = board.push(&budgets.firing(NOW), NOW - 60 * MINUTE);
    let [alert] = &push.alerts[..] else { panic!("{:?}", push.alerts) };
    assert_eq!(
        (alert["startsAt"].as_str(), alert["endsAt"].as_str()),
        (Some("2025-11-24T15:04:00Z"), Some("2025-11-24T15:04:00Z"))
    );
}

#[test]
fn what_fires_is_told_at_once_and_every_minute_and_what_is_over_until_it_was_heard() {
    let budgets = budgets();
    let mut board = Board::default();
    board.is_for([("cluster".to_owned(), "eu".to_owned())].into(), Some("https://g.example".into()));
    let first = board.push(&budgets.firing(NOW), NOW);
    assert!(first.alerts.is_empty() && !board.is_due(NOW + 1000));
    book(&budgets, 60.0, NOW + 1000).iter().for_each(|news| board.note(news));
    assert!(board.is_due(NOW + 1000));
    let push = board.push(&budgets.firing(NOW + 1000), NOW + 1000);
    let expected = serde_json::json!([{
        "labels": {
            "alertname": "GramtraceBudgetThreshold", "budget": "team", "cluster": "eu", "severity": "warning", "threshold": "50",
        },
        "annotations": {
            "summary": "the budget team is at 60 % of its limit (threshold 50 %)",
            "description": "60 gCO2e of 100 gCO2e in the last hour, forecast 600 gCO2e; most by model openai/gpt-4o: 60 gCO2e; \
                            most by service shop: 60 gCO2e",
        },
        "startsAt": "2025-11-24T16:00:01Z", "endsAt": "2025-11-24T16:04:01Z",
        "generatorURL": "https://g.example/budgets",
    }]);
    assert_eq!(Value::from(push.alerts.clone()), expected);
    board.pushed(&push, true, NOW + 1000);
    assert!(!board.is_due(NOW + MINUTE) && board.is_due(NOW + 1000 + MINUTE));
    // It is away for an hour: what is over by then is not told, what holds is.
    let mut tries = 0;
    for second in 61..3500 {
        let now = NOW + second * 1000;
        if board.is_due(now) {
            let push = board.push(&budgets.firing(now), now);
            assert_eq!(push.alerts.len(), 1);
            board.pushed(&push, false, now);
            tries += 1;
        }
    }
    assert!((57..75).contains(&tries), "once a minute after the first few: {tries}");
    let back = NOW + 3500 * 1000;
    book(&budgets, 50.0, back).iter().for_each(|news| board.note(news));
    let push = board.push(&budgets.firing(back), back);
    assert_eq!(push.alerts.len(), 2, "50 % and 100 %");
    board.pushed(&push, true, back);
    let over = back + 70 * MINUTE;
    budgets.changes(over).iter().for_each(|news| board.note(news));
    let push = board.push(&budgets.firing(over), over);
    assert_eq!((push.alerts.len(), push.ended()), (2, 2));
    assert!(push.alerts.iter().all(|alert| alert["endsAt"] == message::time(over)));
    board.pushed(&push, false, over);
    assert_eq!(board.push(&[], over + MINUTE).ended(), 2, "until it was heard");
    let push = board.push(&[], over + 2 * MINUTE);
    board.pushed(&push, true, over + 2 * MINUTE);
    assert_eq!(board.push(&[], over + 3 * MINUTE).ended(), 0);
}

#[test]
fn a_webhook_is_tried_again_less_and_less_often_and_only_so_much_waits() {
    let mut outbox = Outbox::default();
    assert_eq!(outbox.holds(3), 0);
    assert!(!outbox.push("1".into()) && !outbox.push("2".into()));
    let mut now = NOW;
    let mut waits = Vec::new();
    for _ in 0..11 {
        let (number, body) = outbox.next(now).unwrap();
        assert_eq!((number, &body[..]), (0, &b"1"[..]));
        outbox.answered(number, &Posted::Failed("away".to_owned(), None), now);
        let wait = (0..).map(|step| step * 500).find(|wait| outbox.next(now + wait).is_some()).unwrap();
        waits.push(wait / 1000);
        now += wait;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    outbox.answered(0, &Posted::Failed("busy".to_owned(), Some(Duration::from_secs(7))), now);
    assert!(!outbox.push("3".into()) && outbox.push("4".into()), "the oldest leaves");
    now += 400_000;
    let (number, body) = outbox.next(now).unwrap();
    assert_eq!(&body[..], b"2");
    outbox.answered(number, &Posted::Refused("no".to_owned()), now);
    let (number, body) = outbox.next(now).unwrap();
    assert_eq!(&body[..], b"3", "what is refused is not sent again");
    outbox.answered(number, &Posted::Taken, now);
    assert_eq!(outbox.len(), 1);
    assert!(outbox.next(NOW - 1_000_000).is_some(), "a clock that was set back");
}

#[test]
fn what_a_webhook_is_told_is_all_that_is_known() {
    let news = book(&budgets(), 60.0, NOW);
    let expected = serde_json::json!({
        "version": 1, "id": "team/threshold/50/1764000000000/firing", "at": "2025-11-24T16:00:00Z",
        "event": "threshold", "state": "firing", "since": "2025-11-24T16:00:00Z", "severity": "warning",
        "summary": "the budget team is at 60 % of its limit (threshold 50 %)", "budget": "team", "threshold_percent": 50.0,
        "period": "last hour", "unit": "g", "limit": 100.0, "consumed": 60.0, "left": 40.0, "percent": 60.0, "forecast": 600.0,
        "models": [{"name": "openai/gpt-4o", "amount": 60.0}], "services": [{"name": "shop", "amount": 60.0}],
        "link": "https://g.example/budgets",
    });
    assert_eq!(message::event(&news[0], Some("https://g.example")), expected);
}

#[test]
fn a_body_is_signed_as_openssl_signs_it() {
    // printf '{"version":1}' | openssl dgst -sha256 -hmac s3cr3t
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cr3t");
    let expected = "sha256=4553a614da2ea1727d0d7cd3bb946302a8dfe6355a2d7e225b0827a49c45ecfb";
    assert_eq!(signed(&key, &Bytes::from_static(b"{\"version\":1}")), expected);
}

/// Nobody listens there.
fn away(name: &str, url: &str) -> PosterSettings {
    let (tls, headers) = (crate::exporter::TlsSettings::default(), crate::exporter::Headers::default());
    PosterSettings { name: name.to_owned(), url: url.to_owned(), tls, headers, timeout: Duration::from_secs(5) }
}

#[tokio::test]
async fn what_waits_for_a_webhook_goes_on_waiting_when_another_target_changes_and_is_counted_when_it_goes() {
    let (budgets, metrics) = (budgets(), Metrics::new());
    let webhook = |url: &str| WebhookSettings { poster: away("hook", url), secret: None, max_waiting: 5 };
    let start = |alertmanager: &str, webhooks: Vec<WebhookSettings>, before: Option<&mut Alerts>| {
        let alertmanagers = vec![AlertmanagerSettings { poster: away("manager", alertmanager), labels: [].into() }];
        let plan = AlertPlan::new(AlertSettings { link: None, alertmanagers, webhooks }).unwrap();
        plan.start(&budgets, &metrics, before)
    };
    let (one, other) = ("http://127.0.0.1:1/one", "http://127.0.0.1:1/other");
    let mut first = start(one, vec![webhook(one)], None);
    first.tell(&book(&budgets, 60.0, NOW));
    assert_eq!(first.waiting(), 1);
    let mut second = start(other, vec![webhook(one), webhook(other)], Some(&mut first));
    drop(first);
    second.tell(&book(&budgets, 45.0, NOW));
    assert_eq!(second.waiting(), 3, "two of one, one of the other");
    let dropped = |metrics: &Metrics| {
        let page = metrics.encode();
        page.lines().any(|line| line == "gramtrace_budget_notifications_total{target=\"hook\",outcome=\"dropped\"} 2")
    };
    assert!(!dropped(&metrics));
    let third = start(other, vec![webhook(other)], Some(&mut second));
    drop(second);
    assert_eq!(third.waiting(), 1);
    assert!(dropped(&metrics), "{}", metrics.encode());
}
