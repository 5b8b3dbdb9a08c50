//! Figures of answers that are known.

use std::collections::BTreeMap;

use syntax::Language;

use super::*;
use crate::hole::Kind;
use crate::score::score;

fn hole(language: Language, kind: Kind) -> Hole {
    Hole {
        id: String::new(),
        language,
        kind,
        prompt: "let x = ".to_owned(),
        suffix: "\n".to_owned(),
        reference: "foo(1);".to_owned(),
        path: None,
        files: BTreeMap::new(),
        root: None,
    }
}

fn answer(hole: &Hole, text: Option<&str>, confidence: f32, milliseconds: u64) -> Answer {
    Answer {
        text: text.map(str::to_owned),
        reason: text.is_none().then_some("empty"),
        stopped_by: "one-line",
        confidence: text.is_some().then_some(confidence),
        score: score(hole, text.unwrap_or_default()),
        latency: Duration::from_millis(milliseconds),
        outcome: None,
    }
}

fn answered() -> (Vec<Hole>, Vec<Answer>) {
    let holes = vec![
        hole(Language::Rust, Kind::WholeLine),
        hole(Language::Rust, Kind::Block),
        hole(Language::Go, Kind::Block),
        hole(Language::Go, Kind::Block),
    ];
    let answers = vec![
        answer(&holes[0], Some("foo(1);"), 0.9, 10),
        answer(&holes[1], Some("foo(1); foo(1);"), 0.4, 20),
        answer(&holes[2], Some("foo(1"), 0.2, 30),
        answer(&holes[3], None, 0.0, 400),
    ];
    (holes, answers)
}

#[test]
fn holes_without_a_suggestion_count() {
    let (holes, answers) = answered();
    let all = report(&holes, &answers).all;
    let mean =
        |estimate: Option<Estimate>| estimate.map(|it| format!("{:.2} of {}", it.mean, it.n));
    assert_eq!(mean(all.shown).as_deref(), Some("0.75 of 4"));
    assert_eq!(mean(all.exact_match).as_deref(), Some("0.25 of 4"));
    assert_eq!(mean(all.exact_when_shown).as_deref(), Some("0.33 of 3"));
    assert_eq!(mean(all.parse_rate).as_deref(), Some("0.67 of 3"));
    // 7 + 14 + 5 characters for 3 times 7.
    assert_eq!(all.over_generation.map(|ratio| format!("{ratio:.3}")).as_deref(), Some("1.238"));
    assert_eq!((all.latency_ms.p50, all.latency_ms.p95), (Some(30.0), Some(400.0)));
}

#[test]
fn groups_are_by_language_and_kind() {
    let (holes, answers) = answered();
    let report = report(&holes, &answers);
    let counts = |summaries: &BTreeMap<&'static str, Summary>| {
        summaries.iter().map(|(name, summary)| (*name, summary.holes)).collect::<Vec<_>>()
    };
    assert_eq!(counts(&report.languages), [("go", 2), ("rust", 2)]);
    assert_eq!(counts(&report.kinds), [("block", 3), ("whole-line", 1)]);
    assert_eq!(counts(&report.languages_and_kinds["rust"]), [("block", 1), ("whole-line", 1)]);
    assert_eq!(report.reasons, BTreeMap::from([("empty", 1)]));
}

#[test]
fn confident_suggestions_come_first() {
    let (holes, answers) = answered();
    let thresholds = report(&holes, &answers).thresholds;
    let found: Vec<_> = thresholds
        .iter()
        .map(|it| format!("{:.1}: {:.2} {:.2}", it.confidence, it.coverage, it.precision.mean))
        .collect();
    assert_eq!(
        found,
        [
            "0.2: 1.00 0.33",
            "0.2: 1.00 0.33",
            "0.4: 0.67 0.50",
            "0.4: 0.67 0.50",
            "0.9: 0.33 1.00",
            "0.9: 0.33 1.00"
        ]
    );
}

#[test]
fn gains_are_paired() {
    let (holes, first) = answered();
    let better: Vec<Answer> =
        holes.iter().map(|hole| answer(hole, Some("foo(1);"), 0.5, 15)).collect();
    let gain = difference(&first, &better);
    assert_eq!(gain.exact_match.map(|it| it.mean), Some(0.75));
    assert_eq!(gain.latency_ms.map(|it| it.mean), Some(15.0 - 115.0));
    let none = difference(&first, &first).exact_match.expect("holes");
    assert_eq!((none.mean, none.low, none.high), (0.0, 0.0, 0.0));
    assert!(gain.prompt_tokens.is_none());
}
