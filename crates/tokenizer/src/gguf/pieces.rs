//! A SentencePiece vocabulary inside a GGUF file: spellings, scores and kinds, without the files beside a `tokenizer.model`.

use gguf::Header;

use crate::bytes::TokenBytes;
use crate::error::Error;
use crate::sentencepiece::{AddedToken, Bpe, Piece, PieceKind, SentencePiece, Whitespace};
use crate::special::is_fim_name;

/// The model of a file whose `tokenizer.ggml.model` is `llama`, and the bytes of its tokens.
///
/// Control and user-defined tokens are matched before the text between them is cut, and each run of text gets the dummy
/// prefix unless `add_space_prefix` is off.
pub(super) fn read(header: &Header) -> Result<(SentencePiece, TokenBytes), Error> {
    let refuse = |reason: String| Error::Load { path: header.path().display().to_string(), reason };
    let pieces = read_pieces(header)?;
    let added = (0..).zip(&pieces).filter_map(|(id, piece)| added_token(id, piece)).collect();
    let adds_bos = adds_bos(header)?;
    let bos = header.integer("tokenizer.ggml.bos_token_id")?.filter(|_| adds_bos);
    let bpe = Bpe::new(&pieces).map_err(refuse)?;
    SentencePiece::from_parts(
        bpe,
        &pieces,
        whitespace(header)?,
        added,
        bos.and_then(|id| id.try_into().ok()),
    )
    .map_err(refuse)
}

pub(super) fn whitespace(header: &Header) -> Result<Whitespace, Error> {
    Ok(Whitespace {
        add_dummy_prefix: header.bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(true),
        remove_extra: header.bool("tokenizer.ggml.remove_extra_whitespaces")?.unwrap_or(false),
        escape: true,
    })
}

/// Texts begin with the token for it.
pub(super) fn adds_bos(header: &Header) -> Result<bool, Error> {
    Ok(header.bool("tokenizer.ggml.add_bos_token")?.unwrap_or(true))
}

pub(super) fn read_pieces(header: &Header) -> Result<Vec<Piece>, Error> {
    let refuse = |reason: String| Error::Load { path: header.path().display().to_string(), reason };
    const TOKENS: &str = "tokenizer.ggml.tokens";
    let tokens = header.require(TOKENS, header.texts(TOKENS)?)?;
    const SCORES: &str = "tokenizer.ggml.scores";
    let scores = header.require(SCORES, header.floats(SCORES)?)?;
    const KINDS: &str = "tokenizer.ggml.token_type";
    let kinds = header.require(KINDS, header.integers(KINDS)?)?;
    let n_tokens = tokens.len();
    if scores.len() != n_tokens || kinds.len() != n_tokens {
        return Err(refuse(format!(
            "{n_tokens} tokens have {} scores and {} types",
            scores.len(),
            kinds.len()
        )));
    }
    let piece = |(id, ((token, score), kind)): (usize, ((&str, f64), i128))| {
        let known = i32::try_from(kind).ok().and_then(PieceKind::from_number);
        let kind =
            known.ok_or_else(|| refuse(format!("token {id} is of the unknown type {kind}")))?;
        Ok(Piece { text: token.to_owned(), score: score as f32, kind })
    };
    tokens.into_iter().zip(scores).zip(kinds).enumerate().map(piece).collect()
}

/// Some models ship their infilling tokens as user-defined ones, so their names count as well.
fn added_token(id: u32, piece: &Piece) -> Option<AddedToken> {
    let is_special = match piece.kind {
        PieceKind::Control | PieceKind::Unknown => true,
        PieceKind::UserDefined => is_fim_name(&piece.text),
        PieceKind::Normal | PieceKind::Unused | PieceKind::Byte => return None,
    };
    let content = piece.text.clone();
    Some(AddedToken { id, content, is_special, strips_left: false, strips_right: false })
}
