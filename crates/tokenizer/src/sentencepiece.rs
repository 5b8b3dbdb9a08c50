//! SentencePiece models: `tokenizer.model` with the added tokens beside it, encoded as the sentencepiece library and
//! the slow tokenizers of transformers encode them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use aho_corasick::AhoCorasick;

use crate::bytes::{MAX_IDS, TokenBytes};
use crate::error::Error;
use crate::sentencepiece::added::AddedFiles;
use crate::sentencepiece::bpe::byte_of;
use crate::sentencepiece::normalizer::{SPACE_SYMBOL, normalize};
use crate::sentencepiece::proto::Description;
use crate::sentencepiece::units::matcher;
use crate::special::is_fim_name;

mod added;
mod bpe;
mod normalizer;
mod proto;
mod units;

pub(crate) use crate::sentencepiece::added::AddedToken;
pub(crate) use crate::sentencepiece::bpe::Bpe;
pub(crate) use crate::sentencepiece::proto::{Piece, PieceKind, Whitespace, write as write_proto};

/// Of a `tokenizer.model`; those with 250,000 pieces have 5 MB.
const MAX_FILE_BYTES: u64 = 1 << 26;

/// Which added tokens are looked for in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matching {
    All,
    /// All but special ones.
    Plain,
}

/// A BPE model, its added tokens and how they are found.
#[derive(Debug)]
pub(crate) struct SentencePiece {
    bpe: Bpe,
    whitespace: Whitespace,
    /// Ascending by id.
    added: Vec<AddedToken>,
    /// Ordinary pieces with the name of an infilling token: special, but found within a run of text.
    infilling: Vec<(u32, String)>,
    /// Of `added`, in its order.
    all: Option<AhoCorasick>,
    /// Those of `added` that are not special, in its order.
    plain: Option<AhoCorasick>,
    bos: Option<u32>,
    /// By id: how a token's text begins.
    starts: Vec<Start>,
}

/// What decoding must know of a token beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// A piece that does not begin with a space symbol.
    Text,
    /// A piece that begins with a space symbol.
    Space,
    /// An added token; after it a new run of text begins.
    Added,
}

impl SentencePiece {
    /// `tokenizer.model` of `directory` with the added tokens of the files beside it, and the bytes of all tokens.
    pub(crate) fn from_directory(directory: &Path) -> Result<(Self, TokenBytes), Error> {
        let path = directory.join("tokenizer.model");
        let load_error = |reason| Error::Load { path: path.display().to_string(), reason };
        let bytes = read_bounded(&path).map_err(load_error)?;
        let files = AddedFiles::from_directory(directory)?;
        Self::new(proto::read(&bytes).map_err(load_error)?, &files).map_err(load_error)
    }

    fn new(description: Description, files: &AddedFiles) -> Result<(Self, TokenBytes), String> {
        let Description { pieces, whitespace, bos } = description;
        let bpe = Bpe::new(&pieces)?;
        let controls = (0..)
            .zip(&pieces)
            .filter(|(_, piece)| matches!(piece.kind, PieceKind::Control | PieceKind::Unknown))
            .map(|(id, piece)| (id, piece.text.clone()));
        let added = files
            .tokens(controls.collect(), |content| bpe.id(content))
            .map_err(|reason| format!("in the files beside it: {reason}"))?;
        let bos_name = files.bos().unwrap_or(&bos);
        let bos_token = added.iter().find(|token| token.content == bos_name);
        let bos = bos_token.filter(|_| files.add_bos()).map(|token| token.id);
        Self::from_parts(bpe, &pieces, whitespace, added, bos)
    }

    /// A model of `pieces`, of which `bpe` was made; `added` ascends by id, and `bos` belongs before every prompt.
    /// Or in words why there is no such model.
    pub(crate) fn from_parts(
        bpe: Bpe,
        pieces: &[Piece],
        whitespace: Whitespace,
        added: Vec<AddedToken>,
        bos: Option<u32>,
    ) -> Result<(Self, TokenBytes), String> {
        if MAX_IDS <= pieces.len() {
            return Err(format!("{} pieces are not fewer than {MAX_IDS}", pieces.len()));
        }
        let infilling = (0..)
            .zip(pieces)
            .filter(|(id, piece)| {
                is_fim_name(&piece.text) && added.iter().all(|token| token.id != *id)
            })
            .map(|(id, piece)| (id, piece.text.clone()))
            .collect();

        let mut starts = Vec::with_capacity(pieces.len() + added.len());
        let mut texts = Vec::with_capacity(pieces.len() + added.len());
        for piece in pieces {
            let is_space = piece.text.starts_with(SPACE_SYMBOL);
            starts.push(if is_space { Start::Space } else { Start::Text });
            texts.push(match piece.kind {
                PieceKind::Byte => {
                    let byte = byte_of(&piece.text).and_then(|byte| u8::try_from(byte).ok());
                    byte.into_iter().collect()
                }
                _ => piece.text.replace(SPACE_SYMBOL, " ").into_bytes(),
            });
        }
        for token in &added {
            let idx = usize::try_from(token.id).unwrap_or(usize::MAX);
            if MAX_IDS <= idx {
                return Err(format!(
                    "in the files beside it: added token id {} is not below {MAX_IDS}",
                    token.id
                ));
            }
            let n_ids = starts.len().max(idx + 1);
            starts.resize(n_ids, Start::Text);
            texts.resize(n_ids, Vec::new());
            if let (Some(start), Some(text)) = (starts.get_mut(idx), texts.get_mut(idx)) {
                *start = Start::Added;
                *text = token.content.clone().into_bytes();
            }
        }

        let all: Vec<&str> = added.iter().map(|token| token.content.as_str()).collect();
        let plain: Vec<&str> = added
            .iter()
            .filter(|token| !token.is_special)
            .map(|token| token.content.as_str())
            .collect();
        let table = TokenBytes::from_texts(&texts, bpe.bytes());
        let model = Self {
            all: matcher(&all)?,
            plain: matcher(&plain)?,
            bos,
            bpe,
            whitespace,
            added,
            infilling,
            starts,
        };
        Ok((model, table))
    }

    /// Special tokens with their names.
    pub(crate) fn specials(&self) -> impl Iterator<Item = (&str, u32)> {
        let added = self.added.iter().filter(|token| token.is_special);
        let infilling = self.infilling.iter().map(|(id, text)| (text.as_str(), *id));
        added.map(|token| (token.content.as_str(), token.id)).chain(infilling)
    }

    /// The token that belongs before every prompt.
    pub(crate) fn bos(&self) -> Option<u32> {
        self.bos
    }

    pub(crate) fn set_dummy_prefix(&mut self, is_on: bool) {
        self.whitespace.add_dummy_prefix = is_on;
    }

    /// Whether a new run of text begins after this token.
    pub(crate) fn is_added(&self, id: u32) -> bool {
        self.start(id) == Start::Added
    }

    fn start(&self, id: u32) -> Start {
        let start = usize::try_from(id).ok().and_then(|idx| self.starts.get(idx));
        start.copied().unwrap_or(Start::Text)
    }

    /// Ids of `text`. Added tokens are found first, and each run of text between two of them is cut on its own.
    /// `begins_a_run` is whether no run goes on with `text`, so that its first one may get a dummy prefix.
    pub(crate) fn encode(&self, text: &str, matching: Matching, begins_a_run: bool) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut whitespace = self.whitespace;
        whitespace.add_dummy_prefix &= begins_a_run;
        let is_sought = |token: &&AddedToken| matching == Matching::All || !token.is_special;
        let sought: Vec<&AddedToken> = self.added.iter().filter(is_sought).collect();
        let matcher = match matching {
            Matching::All => &self.all,
            Matching::Plain => &self.plain,
        };
        let mut done = 0;
        let mut strips_right = false;
        for found in matcher.iter().flat_map(|matcher| matcher.find_iter(text)) {
            let Some(token) = sought.get(found.pattern().as_usize()) else { continue };
            let mut run = text.get(done..found.start()).unwrap_or_default();
            if strips_right {
                run = run.trim_start_matches(is_white_space);
            }
            if token.strips_left {
                run = run.trim_end_matches(is_white_space);
            }
            self.encode_run(run, whitespace, &mut ids);
            ids.push(token.id);
            whitespace = self.whitespace;
            strips_right = token.strips_right;
            done = found.end();
        }
        let mut run = text.get(done..).unwrap_or_default();
        if strips_right {
            run = run.trim_start_matches(is_white_space);
        }
        self.encode_run(run, whitespace, &mut ids);
        ids
    }

    fn encode_run(&self, run: &str, whitespace: Whitespace, ids: &mut Vec<u32>) {
        if !run.is_empty() {
            self.bpe.encode(&normalize(run, whitespace, self.bpe.units()), ids);
        }
    }

    /// The part of a token's `bytes` that is text: a run's first space was put there by encoding and goes again.
    /// `expects_space` is whether such a space may still come; true at the start of a text.
    pub(crate) fn text_of<'a>(
        &self,
        id: u32,
        bytes: &'a [u8],
        expects_space: &mut bool,
    ) -> &'a [u8] {
        match self.start(id) {
            Start::Added => {
                *expects_space = true;
                bytes
            }
            Start::Text => {
                *expects_space &= bytes.is_empty();
                bytes
            }
            Start::Space => {
                let is_removed = *expects_space
                    && (self.whitespace.add_dummy_prefix || self.whitespace.remove_extra);
                let text = match bytes.split_first() {
                    Some((_, rest)) if is_removed => rest,
                    _ => bytes,
                };
                // Where extra spaces are removed, all before the first other character are extra.
                *expects_space &= self.whitespace.remove_extra && text.is_empty();
                text
            }
        }
    }
}

/// The pieces of the `tokenizer.model` at `path`, for tests that put them elsewhere.
#[cfg(test)]
pub(crate) fn pieces_of(path: &Path) -> Vec<Piece> {
    read_bounded(path).and_then(|bytes| proto::read(&bytes)).map(|read| read.pieces).unwrap()
}

/// White space as Python's `str.strip` has it, which counts four separators more than Unicode.
fn is_white_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|n_bytes| n_bytes <= MAX_FILE_BYTES) {
        Ok(bytes)
    } else {
        Err(format!("longer than {MAX_FILE_BYTES} bytes, so no SentencePiece model"))
    }
}

#[cfg(test)]
mod tests;
