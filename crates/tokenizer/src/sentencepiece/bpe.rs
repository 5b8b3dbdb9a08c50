//! Byte-pair encoding as the sentencepiece library does it: of all neighbours that make a piece, those of the highest
//! score are merged first, the leftmost of equals, with a heap.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, HashSet};

use crate::sentencepiece::proto::{Piece, PieceKind};
use crate::sentencepiece::units::Units;

/// The pieces of a model, by their spelling.
#[derive(Debug)]
pub(crate) struct Bpe {
    /// Pieces that merging may make: normal, user-defined and unused ones.
    merged: HashMap<String, u32>,
    /// All others. A spelling may be in both, and then this one decides on the id.
    reserved: HashMap<String, u32>,
    /// By id.
    scores: Vec<f32>,
    /// Pieces that are only steps to others and are taken apart again in the end.
    unused: HashSet<u32>,
    unknown: u32,
    /// By byte.
    bytes: Vec<u32>,
    units: Units,
    /// Of the pieces in `merged`, in bytes.
    longest: usize,
}

/// Stretch of the text that is one piece so far.
struct Symbol {
    start: usize,
    /// 0 after it became part of its left neighbour.
    n_bytes: usize,
    previous: Option<usize>,
    next: Option<usize>,
    /// A user-defined symbol, which merges with nothing.
    is_frozen: bool,
}

/// Two neighbours that make a piece. Outdated when their lengths do not add up any more.
struct Merge {
    score: f32,
    left: usize,
    right: usize,
    n_bytes: usize,
}

/// A negative zero is the lesser of two zeros, as to sentencepiece 0.2.3; 0.2.0 took them for equal.
impl Ord for Merge {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.left.cmp(&self.left))
    }
}

impl PartialOrd for Merge {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Merge {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Merge {}

impl Bpe {
    /// Or in words why no model has such pieces.
    pub(crate) fn new(pieces: &[Piece]) -> Result<Self, String> {
        let mut merged = HashMap::new();
        let mut reserved = HashMap::new();
        let mut scores = Vec::with_capacity(pieces.len());
        let mut unused = HashSet::new();
        let mut unknown = None;
        let mut bytes = vec![None; 256];
        for (id, piece) in (0..).zip(pieces) {
            if piece.text.is_empty() {
                return Err(format!("piece {id} is empty"));
            }
            if piece.score.is_nan() {
                return Err(format!("the score of piece {id} is not a number"));
            }
            scores.push(piece.score);
            let by_text = match piece.kind {
                PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused => &mut merged,
                PieceKind::Unknown | PieceKind::Control | PieceKind::Byte => &mut reserved,
            };
            if by_text.insert(piece.text.clone(), id).is_some() {
                return Err(format!("piece {id}, {:?}, is there twice", piece.text));
            }
            match piece.kind {
                PieceKind::Unused => {
                    unused.insert(id);
                }
                PieceKind::Unknown => {
                    if unknown.replace(id).is_some() {
                        return Err(format!("piece {id} is a second unknown piece"));
                    }
                }
                PieceKind::Byte => {
                    let slot = byte_of(&piece.text).and_then(|byte| bytes.get_mut(byte));
                    let Some(slot) = slot else {
                        return Err(format!("piece {id}, {:?}, names no byte", piece.text));
                    };
                    *slot = Some(id);
                }
                PieceKind::Normal | PieceKind::Control | PieceKind::UserDefined => {}
            }
        }
        let Some(unknown) = unknown else {
            return Err("there is no unknown piece".to_owned());
        };
        let bytes: Option<Vec<u32>> = bytes.into_iter().collect();
        let Some(bytes) = bytes else {
            return Err("byte_fallback is on, but not every byte has a piece".to_owned());
        };
        let user_defined: Vec<&str> = pieces
            .iter()
            .filter(|piece| piece.kind == PieceKind::UserDefined)
            .map(|piece| piece.text.as_str())
            .collect();
        Ok(Self {
            longest: merged.keys().map(String::len).max().unwrap_or_default(),
            units: Units::new(&user_defined)?,
            merged,
            reserved,
            scores,
            unused,
            unknown,
            bytes,
        })
    }

    pub(crate) fn units(&self) -> &Units {
        &self.units
    }

    /// The token of each byte, by byte.
    pub(crate) fn bytes(&self) -> &[u32] {
        &self.bytes
    }

    /// Id of the piece spelled `text`.
    pub(crate) fn id(&self, text: &str) -> Option<u32> {
        self.reserved.get(text).or_else(|| self.merged.get(text)).copied()
    }

    /// Appends the ids of normalised text.
    pub(crate) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        let mut symbols = self.symbols(text);
        let mut agenda = BinaryHeap::new();
        let mut steps = HashMap::new();
        for right in 1..symbols.len() {
            self.propose(text, &symbols, Some(right - 1), Some(right), &mut agenda, &mut steps);
        }
        while let Some(merge) = agenda.pop() {
            let Ok([left, right]) = symbols.get_disjoint_mut([merge.left, merge.right]) else {
                continue;
            };
            if left.n_bytes == 0
                || right.n_bytes == 0
                || left.n_bytes + right.n_bytes != merge.n_bytes
            {
                continue;
            }
            left.n_bytes = merge.n_bytes;
            right.n_bytes = 0;
            left.next = right.next;
            let (previous, next) = (left.previous, left.next);
            if let Some(after) = next.and_then(|next| symbols.get_mut(next)) {
                after.previous = Some(merge.left);
            }
            let merged = Some(merge.left);
            self.propose(text, &symbols, previous, merged, &mut agenda, &mut steps);
            self.propose(text, &symbols, merged, next, &mut agenda, &mut steps);
        }
        for symbol in symbols.iter().filter(|symbol| symbol.n_bytes != 0) {
            let end = symbol.start + symbol.n_bytes;
            self.finish(text.get(symbol.start..end).unwrap_or_default(), &steps, ids);
        }
    }

    fn symbols(&self, text: &str) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        let mut start = 0;
        self.units.visit(text, |unit| {
            let idx = symbols.len();
            symbols.push(Symbol {
                start,
                n_bytes: unit.text.len(),
                previous: idx.checked_sub(1),
                next: Some(idx + 1),
                is_frozen: unit.is_user_defined,
            });
            start += unit.text.len();
        });
        if let Some(last) = symbols.last_mut() {
            last.next = None;
        }
        symbols
    }

    /// Puts two neighbours on the agenda if they make a piece. `steps` tells how unused pieces were made: the
    /// spelling, and the length of its left part.
    fn propose<'t>(
        &self,
        text: &'t str,
        symbols: &[Symbol],
        left: Option<usize>,
        right: Option<usize>,
        agenda: &mut BinaryHeap<Merge>,
        steps: &mut HashMap<&'t str, usize>,
    ) {
        let (Some(left), Some(right)) = (left, right) else { return };
        let (Some(first), Some(second)) = (symbols.get(left), symbols.get(right)) else { return };
        let n_bytes = first.n_bytes + second.n_bytes;
        if first.is_frozen || second.is_frozen || self.longest < n_bytes {
            return;
        }
        let spelling = text.get(first.start..first.start + n_bytes).unwrap_or_default();
        let Some(&id) = self.merged.get(spelling) else { return };
        let score = usize::try_from(id).ok().and_then(|id| self.scores.get(id));
        agenda.push(Merge { score: score.copied().unwrap_or_default(), left, right, n_bytes });
        if self.unused.contains(&id) {
            steps.insert(spelling, first.n_bytes);
        }
    }

    /// Appends the ids of a piece: its own, those of its parts if it is unused, or those of its bytes.
    /// An unused character has no parts; sentencepiece 0.2.3 spells it in bytes, where 0.2.0 kept it.
    fn finish<'t>(&self, spelling: &'t str, steps: &HashMap<&'t str, usize>, ids: &mut Vec<u32>) {
        let mut rest = vec![spelling];
        while let Some(spelling) = rest.pop() {
            let id = self.id(spelling).unwrap_or(self.unknown);
            let is_unused = self.unused.contains(&id);
            let left = steps.get(spelling).filter(|_| is_unused);
            if let Some((left, right)) = left.and_then(|at| spelling.split_at_checked(*at)) {
                rest.extend([right, left]);
            } else if is_unused || id == self.unknown {
                ids.extend(spelling.bytes().filter_map(|byte| self.bytes.get(usize::from(byte))));
            } else {
                ids.push(id);
            }
        }
    }
}

/// The byte that `<0x0A>` and its like name.
pub(crate) fn byte_of(text: &str) -> Option<usize> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_spelled_as_expected =
        digits.len() == 2 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
    is_spelled_as_expected.then(|| usize::from_str_radix(digits, 16).ok()).flatten()
}
