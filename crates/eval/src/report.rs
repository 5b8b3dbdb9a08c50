//! Answers summed up: by language, by kind of hole and in all, and one way of asking against another.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::hole::Hole;
use crate::interval::{Estimate, mean, quantile, share};
use crate::run::Answer;

/// Shares of the suggestions that are kept in [`Report::thresholds`], the most confident ones.
const COVERAGES: [f64; 7] = [1.0, 0.9, 0.75, 0.5, 0.35, 0.25, 0.1];

/// All figures of one way of asking.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub all: Summary,
    pub languages: BTreeMap<&'static str, Summary>,
    pub kinds: BTreeMap<&'static str, Summary>,
    /// By language, then by kind.
    pub languages_and_kinds: BTreeMap<&'static str, BTreeMap<&'static str, Summary>>,
    /// Why nothing was shown, and how often.
    pub reasons: BTreeMap<&'static str, usize>,
    /// What ended the texts, and how often.
    pub stopped_by: BTreeMap<&'static str, usize>,
    /// What it would be like to show confident suggestions alone, from all of them to few.
    pub thresholds: Vec<Threshold>,
}

/// Figures of some holes. A hole for which nothing was shown counts as answered by the empty text, except in
/// `parse_rate`, `over_generation` and `exact_when_shown`, which are of the suggestions that were shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub holes: usize,
    pub shown: Option<Estimate>,
    pub exact_match: Option<Estimate>,
    pub exact_when_shown: Option<Estimate>,
    pub edit_similarity: Option<Estimate>,
    pub identifier_f1: Option<Estimate>,
    pub parse_rate: Option<Estimate>,
    /// Characters shown for each character of the references; above 1 the suggestions say too much.
    pub over_generation: Option<f64>,
    pub latency_ms: Percentiles,
    pub prefill_ms: Percentiles,
    pub decode_ms: Percentiles,
    pub prompt_tokens: Option<f64>,
    pub generated_tokens: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Percentiles {
    pub p50: Option<f64>,
    pub p95: Option<f64>,
}

/// Suggestions at or above `confidence`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Threshold {
    pub confidence: f32,
    /// Share of the suggestions that are kept.
    pub coverage: f64,
    /// Share of them that are exact.
    pub precision: Estimate,
    pub edit_similarity: f64,
}

/// What another way of asking gains, hole by hole: its figures less those of the first.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    pub exact_match: Option<Estimate>,
    pub edit_similarity: Option<Estimate>,
    pub identifier_f1: Option<Estimate>,
    pub prompt_tokens: Option<Estimate>,
    pub latency_ms: Option<Estimate>,
}

/// `answers` are those of `holes`, in the same order.
pub fn report(holes: &[Hole], answers: &[Answer]) -> Report {
    let all: Vec<_> = holes.iter().zip(answers).collect();
    let mut languages: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut kinds: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut both: BTreeMap<_, BTreeMap<_, Vec<_>>> = BTreeMap::new();
    let mut reasons = BTreeMap::new();
    let mut stopped_by = BTreeMap::new();
    for &(hole, answer) in &all {
        let (language, kind) = (hole.language.name(), hole.kind.name());
        languages.entry(language).or_default().push((hole, answer));
        kinds.entry(kind).or_default().push((hole, answer));
        both.entry(language).or_default().entry(kind).or_default().push((hole, answer));
        *stopped_by.entry(answer.stopped_by).or_default() += 1;
        if let Some(reason) = answer.reason {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let summaries = |groups: BTreeMap<&'static str, Vec<(&Hole, &Answer)>>| {
        groups.into_iter().map(|(name, group)| (name, summary(&group))).collect::<BTreeMap<_, _>>()
    };
    Report {
        all: summary(&all),
        languages: summaries(languages),
        kinds: summaries(kinds),
        languages_and_kinds: both
            .into_iter()
            .map(|(name, kinds)| (name, summaries(kinds)))
            .collect(),
        reasons,
        stopped_by,
        thresholds: thresholds(answers),
    }
}

/// What `answers` gain over `first`, for the same holes.
pub fn difference(first: &[Answer], answers: &[Answer]) -> Difference {
    let pairs = || answers.iter().zip(first);
    let gain = |of: &dyn Fn(&Answer) -> Option<f64>| {
        let gains: Vec<f64> =
            pairs().filter_map(|(other, one)| Some(of(other)? - of(one)?)).collect();
        mean(&gains)
    };
    Difference {
        exact_match: gain(&|answer| Some(f64::from(u8::from(answer.score.exact)))),
        edit_similarity: gain(&|answer| Some(answer.score.similarity)),
        identifier_f1: gain(&|answer| answer.score.identifiers),
        prompt_tokens: gain(&|answer| Some(answer.outcome?.n_prompt as f64)),
        latency_ms: gain(&|answer| Some(milliseconds(answer.latency))),
    }
}

fn summary(group: &[(&Hole, &Answer)]) -> Summary {
    let answers = || group.iter().map(|(_, answer)| *answer);
    let shown = || answers().filter(|answer| answer.text.is_some());
    let similarities: Vec<f64> = answers().map(|answer| answer.score.similarity).collect();
    let identifiers: Vec<f64> = answers().filter_map(|answer| answer.score.identifiers).collect();
    let (n_written, n_reference) = shown().fold((0, 0), |(written, reference), answer| {
        (written + answer.score.n_written, reference + answer.score.n_reference)
    });
    let outcomes = || answers().filter_map(|answer| answer.outcome.as_ref());
    let average = |total: usize| match outcomes().count() {
        0 => None,
        n => Some(total as f64 / n as f64),
    };
    Summary {
        holes: group.len(),
        shown: share(answers().map(|answer| answer.text.is_some())),
        exact_match: share(answers().map(|answer| answer.score.exact)),
        exact_when_shown: share(shown().map(|answer| answer.score.exact)),
        edit_similarity: mean(&similarities),
        identifier_f1: mean(&identifiers),
        parse_rate: share(shown().map(|answer| answer.score.parses)),
        over_generation: (n_reference != 0).then(|| n_written as f64 / n_reference as f64),
        latency_ms: percentiles(answers().map(|answer| answer.latency)),
        prefill_ms: percentiles(outcomes().map(|outcome| outcome.prefill)),
        decode_ms: percentiles(outcomes().map(|outcome| outcome.decode)),
        prompt_tokens: average(outcomes().map(|outcome| outcome.n_prompt).sum()),
        generated_tokens: average(outcomes().map(|outcome| outcome.n_generated).sum()),
    }
}

fn percentiles(durations: impl Iterator<Item = Duration>) -> Percentiles {
    let mut sorted: Vec<Duration> = durations.collect();
    sorted.sort_unstable();
    let at = |share| quantile(&sorted, share).map(milliseconds);
    Percentiles { p50: at(0.5), p95: at(0.95) }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn thresholds(answers: &[Answer]) -> Vec<Threshold> {
    let mut shown: Vec<(f32, &Answer)> = answers
        .iter()
        .filter(|answer| answer.text.is_some())
        .filter_map(|answer| answer.confidence.map(|confidence| (confidence, answer)))
        .collect();
    shown.sort_by(|one, other| other.0.total_cmp(&one.0));
    let threshold = |coverage: f64| {
        let n_kept = (coverage * shown.len() as f64).round() as usize;
        let kept = shown.get(..n_kept)?;
        let confidence = kept.last()?.0;
        let similarity: f64 = kept.iter().map(|(_, answer)| answer.score.similarity).sum();
        Some(Threshold {
            confidence,
            coverage: n_kept as f64 / shown.len() as f64,
            precision: share(kept.iter().map(|(_, answer)| answer.score.exact))?,
            edit_similarity: similarity / n_kept as f64,
        })
    };
    COVERAGES.into_iter().filter_map(threshold).collect()
}

#[cfg(test)]
mod tests;
