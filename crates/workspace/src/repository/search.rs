//! BM25 over the chunks of a repository (Robertson and Zaragoza 2009, section 3).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use crate::index::postings::decode;
use crate::index::segment::ChunkEntry;
use crate::index::terms::count_terms;
use crate::repository::{Chunk, File, Repository, View};

/// How fast repetition of a term in a chunk stops counting.
const K1: f32 = 1.2;

/// How much long chunks are held against them.
const B: f32 = 0.75;

/// In place of the brake of a chunk that is not shown.
const HIDDEN: f32 = -1.0;

/// Terms of one query: a screenful of code has fewer.
const MAX_TERMS: usize = 256;

/// In a repository of more chunks than this, terms in more than a quarter of them say nothing and are passed over.
const FEW_CHUNKS: u64 = 1000;

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// Terms and what each weighs.
    terms: BTreeMap<String, f32>,
}

impl Query {
    /// The identifiers of a piece of code and the words in them; one that is there more often weighs a little more.
    pub fn of_text(text: &str) -> Self {
        let mut query = Self::default();
        query.add(text, 1.0);
        query
    }

    /// Adds the identifiers of another text, each with a weight of its own.
    pub fn add(&mut self, text: &str, weight: f32) {
        for (term, count) in count_terms(text) {
            *self.terms.entry(term).or_default() += weight * (1.0 + (count as f32).ln());
        }
    }

    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

impl<'a> Repository<'a> {
    /// The `n` chunks that are most like the query, best first, among files that `accept` takes; the same for the same files, however they
    /// came into the index.
    pub fn search<'r>(
        &'r self,
        query: &Query,
        n: usize,
        accept: impl Fn(File<'r>) -> bool,
    ) -> Vec<(Chunk<'r>, f32)> {
        self.scores(query).best(self, n, accept)
    }

    /// How much each chunk is like the query, to be asked for the best more than once.
    pub fn scores(&self, query: &Query) -> Scores {
        let n_chunks: u64 = self.parts.iter().map(|view| view.n_chunks).sum();
        let n_terms: u64 = self.parts.iter().map(|view| view.n_terms).sum();
        if n_chunks == 0 {
            return Scores(Vec::new());
        }
        let mean_length = (n_terms as f64 / n_chunks as f64).max(1.0) as f32;
        let mut scores: Vec<Vec<f32>> =
            self.parts.iter().map(|view| vec![0.0; view.segment.chunks.len()]).collect();
        let brakes: Vec<Vec<f32>> =
            self.parts.iter().map(|view| view.brakes(mean_length)).collect();
        let is_common = |n: usize| FEW_CHUNKS < n_chunks && n_chunks < 4 * n as u64;
        let mut matches: Vec<(usize, u32, u32)> = Vec::new();
        for (term, weight) in self.heaviest(query) {
            matches.clear();
            for (part, (view, brakes)) in self.parts.iter().zip(&brakes).enumerate() {
                for (chunk, count) in decode(view.segment.postings(term)) {
                    if brakes.get(chunk as usize).is_some_and(|brake| *brake != HIDDEN) {
                        matches.push((part, chunk, count));
                    }
                }
                if is_common(matches.len()) {
                    break;
                }
            }
            if is_common(matches.len()) {
                continue;
            }
            let n_with = matches.len() as u64;
            let rarity = (n_chunks - n_with.min(n_chunks)) as f32 + 0.5;
            let idf = (1.0 + rarity / (n_with as f32 + 0.5)).ln();
            for (part, chunk, count) in &matches {
                let of_part = (scores.get_mut(*part), brakes.get(*part));
                let (Some(scores), Some(brakes)) = of_part else { continue };
                let of_chunk = (scores.get_mut(*chunk as usize), brakes.get(*chunk as usize));
                let (Some(sum), Some(brake)) = of_chunk else { continue };
                let count = *count as f32;
                *sum += weight * idf * count * (K1 + 1.0) / (count + brake);
            }
        }
        Scores(scores)
    }

    /// In an order of their own, so that sums are the same however the query came about.
    fn heaviest<'q>(&self, query: &'q Query) -> Vec<(&'q str, f32)> {
        let mut terms: Vec<(&str, f32)> =
            query.terms.iter().map(|(term, weight)| (term.as_str(), *weight)).collect();
        terms.sort_by(|left, right| right.1.total_cmp(&left.1).then_with(|| left.0.cmp(right.0)));
        terms.truncate(MAX_TERMS);
        terms
    }
}

impl View<'_> {
    /// What keeps a term from counting in each chunk, the more the longer the chunk is.
    fn brakes(&self, mean_length: f32) -> Vec<f32> {
        let brake = |chunk: &ChunkEntry| match self.shows(chunk.file) {
            true => K1 * (1.0 - B + B * chunk.n_terms as f32 / mean_length),
            false => HIDDEN,
        };
        self.segment.chunks.iter().map(brake).collect()
    }
}

/// How much each chunk of each part is like a query.
#[derive(Debug)]
pub struct Scores(Vec<Vec<f32>>);

impl Scores {
    /// The `n` best chunks, best first, among files that `accept` takes; `repository` is the one that made the scores.
    pub fn best<'r>(
        &self,
        repository: &'r Repository<'r>,
        n: usize,
        accept: impl Fn(File<'r>) -> bool,
    ) -> Vec<(Chunk<'r>, f32)> {
        if n == 0 {
            return Vec::new();
        }
        // The worst of those kept lies on top.
        let mut kept: BinaryHeap<Candidate<'r>> = BinaryHeap::new();
        for (part, scores) in (0_u32..).zip(&self.0) {
            let Some(view) = repository.parts.get(part as usize) else { continue };
            for (score, entry) in scores.iter().zip(&view.segment.chunks) {
                let is_worse =
                    kept.len() == n && kept.peek().is_some_and(|worst| *score < worst.score);
                if *score <= 0.0 || is_worse {
                    continue;
                }
                let file = repository.at(part, entry.file);
                let candidate =
                    Candidate { score: *score, chunk: Chunk { file, span: entry.range } };
                if kept.len() == n && kept.peek().is_some_and(|worst| worst <= &candidate) {
                    continue;
                }
                if accept(file) {
                    kept.push(candidate);
                    if n < kept.len() {
                        kept.pop();
                    }
                }
            }
        }
        kept.into_sorted_vec()
            .into_iter()
            .map(|candidate| (candidate.chunk, candidate.score))
            .collect()
    }
}

struct Candidate<'r> {
    score: f32,
    chunk: Chunk<'r>,
}

/// The better is the less: by score, then by path and place.
impl Ord for Candidate<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .score
            .total_cmp(&self.score)
            .then_with(|| self.chunk.file.cmp(&other.chunk.file))
            .then_with(|| self.chunk.span.cmp(&other.chunk.span))
    }
}

impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate<'_> {}
