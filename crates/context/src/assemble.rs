//! Parts put together in the order of a layout, within a budget.

use std::ops::Range;

use syntax::Language;
use text::Buffer;
use tokenizer::{FimTokens, Tokenizer};

use crate::choose::choose;
use crate::encoder::Encoder;
use crate::layout::Layout;
use crate::piece::{NoPrompt, Part, Piece, PieceKind, Prompt};
use crate::prefix::prefix;
use crate::settings::Settings;
use crate::snippet::Snippet;
use crate::sources::Sources;
use crate::style::Style;
use crate::suffix::suffix;
use crate::window::Cut;

/// The room for snippets changes in steps of so many tokens, so that it does not change with every word that is typed.
const ROOM_STEP: usize = 64;

/// The caret's file as far as a prompt needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Near<'a> {
    /// As the model is to see it.
    pub(crate) path: &'a str,
    /// Name of the folder that holds it.
    pub(crate) repository: Option<&'a str>,
    pub(crate) language: Option<Language>,
    pub(crate) buffer: &'a Buffer,
    /// A place where a caret can stand.
    pub(crate) offset: usize,
}

/// `candidates` is asked for text from elsewhere once it is known which lines of the file the prompt can show, and how many tokens are left for
/// others.
pub(crate) fn assemble(
    near: Near<'_>,
    tokenizer: &Tokenizer,
    settings: &Settings<'_>,
    candidates: impl FnOnce(Range<usize>, usize) -> Vec<Snippet>,
) -> Result<Prompt, NoPrompt> {
    let Settings { budget, layout, .. } = *settings;
    let fim = match (layout, tokenizer.fim()) {
        (Layout::Continuation, _) => None,
        (_, Some(fim)) => Some(fim),
        (_, None) => return Err(NoPrompt::NoFimTokens),
    };
    let bos: Vec<u32> = tokenizer.bos_to_add().into_iter().collect();
    let n_control = bos.len() + fim.map_or(0, |_| 3);
    let mut n_left = budget.n_prompt.checked_sub(n_control).ok_or(NoPrompt::BudgetTooSmall)?;
    let style = Style::new(layout, fim, near.language);
    let encoder = Encoder::new(tokenizer);

    let path = style.path(near.path, encoder, n_left / 4);
    n_left -= path.as_ref().map_or(0, |path| path.tokens.len());
    let (suffix, caret, held_back) = match fim {
        Some(_) => {
            let n_tokens = budget.n_suffix.min(n_left);
            let suffix = suffix(near.buffer, near.offset, encoder, n_tokens);
            (suffix, near.offset, String::new())
        }
        None => {
            let (caret, held_back) = hold_back(near.buffer, near.offset);
            (Cut::default(), caret, held_back)
        }
    };
    n_left -= suffix.tokens.len();
    // After a comment the text goes on where the comment ends; after a control token it begins anew.
    let prefix_encoder = match (style, &path) {
        (Style::Comments(_), Some(path)) => Encoder::after(tokenizer, &path.tokens),
        _ => encoder,
    };
    let prefix_within =
        |n_tokens: usize| prefix(near.buffer, caret, prefix_encoder, budget.n_prefix.min(n_tokens));
    let mut prefix = prefix_within(n_left);

    let mut elsewhere = Vec::new();
    if settings.sources != Sources::NONE {
        let n_near = prefix.tokens.len().next_multiple_of(ROOM_STEP).min(budget.n_near);
        let n_room = budget.n_snippets.min(n_left.saturating_sub(n_near));
        let repository = style.repository(near.repository, encoder, n_room / 8);
        let n_room = n_room - repository.as_ref().map_or(0, |part| part.tokens.len());
        let candidates = candidates(lines_shown(near, &prefix, &suffix), n_room);
        let snippets = choose(candidates, settings.previous, style, encoder, n_room);
        // The repository's name alone says nothing.
        if !snippets.is_empty() {
            elsewhere.extend(repository);
            elsewhere.extend(snippets);
        }
        n_left -= elsewhere.iter().map(|part| part.tokens.len()).sum::<usize>();
        if n_left < prefix.tokens.len() {
            prefix = prefix_within(n_left);
        }
    }

    let own = |kind, Cut { text, tokens }: Cut| {
        let piece = Piece { n_tokens: tokens.len(), ..Piece::own(kind, near.path, text) };
        Part { piece, tokens }
    };
    let head = elsewhere.into_iter().chain(path);
    let prefix = own(PieceKind::Prefix, prefix);
    let suffix = own(PieceKind::Suffix, suffix);
    let mut prompt = Prompt { tokens: bos, pieces: Vec::new(), held_back };
    match (fim, style) {
        (None, _) => prompt.extend(head.chain([prefix])),
        (Some(fim), Style::Files { .. }) => {
            prompt.extend(head);
            prompt.hole(layout, fim, [prefix], suffix);
        }
        (Some(fim), Style::Comments(_) | Style::Blocks) => {
            prompt.hole(layout, fim, head.chain([prefix]), suffix);
        }
    }
    Ok(prompt)
}

impl Prompt {
    fn extend(&mut self, parts: impl IntoIterator<Item = Part>) {
        for Part { piece, tokens } in parts {
            self.tokens.extend(tokens);
            self.pieces.push(piece);
        }
    }

    fn hole(
        &mut self,
        layout: Layout,
        fim: FimTokens,
        prefix: impl IntoIterator<Item = Part>,
        suffix: Part,
    ) {
        match layout {
            Layout::SuffixFirst => {
                self.tokens.push(fim.suffix);
                self.extend([suffix]);
                self.tokens.push(fim.prefix);
                self.extend(prefix);
            }
            Layout::PrefixFirst | Layout::Repository | Layout::Continuation => {
                self.tokens.push(fim.prefix);
                self.extend(prefix);
                self.tokens.push(fim.suffix);
                self.extend([suffix]);
            }
        }
        self.tokens.push(fim.middle);
    }
}

/// The caret without the space before it, and that space.
fn hold_back(buffer: &Buffer, offset: usize) -> (usize, String) {
    match offset.checked_sub(1) {
        Some(before) if buffer.slice(before..offset) == " " => (before, " ".to_owned()),
        _ => (offset, String::new()),
    }
}

/// Zero-based lines of the file that the two cuts reach over.
fn lines_shown(near: Near<'_>, prefix: &Cut, suffix: &Cut) -> Range<usize> {
    let line_feeds = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
    let line = near.buffer.line_of(near.offset);
    line.saturating_sub(line_feeds(&prefix.text))..line + line_feeds(&suffix.text) + 1
}
