//! The contents of a `tokenizer.model`: sentencepiece's `ModelProto`, as far as encoding and decoding need it.

use prost::Message;

/// Of sentencepiece's model types.
const BPE: i32 = 2;

/// Field numbers and defaults are those of `sentencepiece_model.proto` (proto2), hence the many options.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pub(super) pieces: Vec<PieceProto>,
    #[prost(message, optional, tag = "2")]
    pub(super) trainer_spec: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    pub(super) normalizer_spec: Option<NormalizerSpec>,
    #[prost(message, optional, tag = "5")]
    pub(super) denormalizer_spec: Option<NormalizerSpec>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PieceProto {
    #[prost(string, optional, tag = "1")]
    pub(super) piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    pub(super) score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    pub(super) kind: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TrainerSpec {
    #[prost(int32, optional, tag = "3")]
    pub(super) model_type: Option<i32>,
    #[prost(bool, optional, tag = "24")]
    pub(super) treat_whitespace_as_suffix: Option<bool>,
    #[prost(bool, optional, tag = "35")]
    pub(super) byte_fallback: Option<bool>,
    #[prost(string, optional, tag = "46")]
    pub(super) bos_piece: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NormalizerSpec {
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) precompiled_charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3")]
    pub(super) add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    pub(super) remove_extra_whitespaces: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub(super) escape_whitespaces: Option<bool>,
}

impl NormalizerSpec {
    fn rewrites_characters(&self) -> bool {
        self.precompiled_charsmap.as_ref().is_some_and(|map| !map.is_empty())
    }
}

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

impl PieceKind {
    /// As sentencepiece numbers them, and ggml after it.
    const NUMBERS: [(i32, Self); 6] = [
        (1, Self::Normal),
        (2, Self::Unknown),
        (3, Self::Control),
        (4, Self::UserDefined),
        (5, Self::Unused),
        (6, Self::Byte),
    ];

    pub(crate) fn from_number(number: i32) -> Option<Self> {
        Self::NUMBERS.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind)
    }

    pub(crate) fn number(self) -> Option<i32> {
        Self::NUMBERS.iter().find(|(_, kind)| *kind == self).map(|(number, _)| *number)
    }
}

/// An entry of the vocabulary; its id is its position.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) score: f32,
    pub(crate) kind: PieceKind,
}

/// How white space is treated before text is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whitespace {
    /// A space is put before every run of text.
    pub(crate) add_dummy_prefix: bool,
    /// Spaces at both ends go, and of several in a row one stays.
    pub(crate) remove_extra: bool,
    /// Spaces are spelled U+2581.
    pub(crate) escape: bool,
}

/// A BPE with byte fallback, of which no more is known yet than that its description is one.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) whitespace: Whitespace,
    /// Spelling of the control piece that begins a text.
    pub(crate) bos: String,
}

/// The description in the bytes of a `tokenizer.model`, or in words why it is none or not supported.
pub(crate) fn read(bytes: &[u8]) -> Result<Description, String> {
    let model = ModelProto::decode(bytes)
        .map_err(|error| format!("not a SentencePiece model, or cut short: {error}"))?;
    if model.pieces.is_empty() {
        return Err("not a SentencePiece model: it holds no pieces".to_owned());
    }
    let Some(trainer) = model.trainer_spec else {
        return Err("cut short or no SentencePiece model: trainer_spec is missing".to_owned());
    };
    let Some(normalizer) = model.normalizer_spec else {
        return Err("cut short or no SentencePiece model: normalizer_spec is missing".to_owned());
    };
    match trainer.model_type.unwrap_or(1) {
        BPE => {}
        other => return Err(format!("model_type is {}; only BPE is supported", type_name(other))),
    }
    if !trainer.byte_fallback.unwrap_or(false) {
        return Err("byte_fallback is off; without it not every text can be spelled".to_owned());
    }
    if trainer.treat_whitespace_as_suffix.unwrap_or(false) {
        return Err("treat_whitespace_as_suffix is not supported".to_owned());
    }
    if normalizer.rewrites_characters() {
        return Err(
            "normalizer_spec rewrites characters (precompiled_charsmap); only the identity rule is supported"
                .to_owned(),
        );
    }
    if model.denormalizer_spec.is_some_and(|spec| spec.rewrites_characters()) {
        return Err(
            "denormalizer_spec rewrites characters (precompiled_charsmap), which is not supported"
                .to_owned(),
        );
    }
    Ok(Description {
        pieces: model
            .pieces
            .into_iter()
            .enumerate()
            .map(|(id, piece)| read_piece(id, piece))
            .collect::<Result<_, _>>()?,
        whitespace: Whitespace {
            add_dummy_prefix: normalizer.add_dummy_prefix.unwrap_or(true),
            remove_extra: normalizer.remove_extra_whitespaces.unwrap_or(true),
            escape: normalizer.escape_whitespaces.unwrap_or(true),
        },
        bos: trainer.bos_piece.unwrap_or_else(|| "<s>".to_owned()),
    })
}

/// The bytes of a `tokenizer.model`: what [`read`] reads, and no more of how it was trained.
pub(crate) fn write(pieces: &[Piece], whitespace: Whitespace) -> Vec<u8> {
    let piece = |piece: &Piece| PieceProto {
        piece: Some(piece.text.clone()),
        score: Some(piece.score),
        kind: piece.kind.number(),
    };
    let model = ModelProto {
        pieces: pieces.iter().map(piece).collect(),
        trainer_spec: Some(TrainerSpec {
            model_type: Some(BPE),
            treat_whitespace_as_suffix: None,
            byte_fallback: Some(true),
            bos_piece: None,
        }),
        normalizer_spec: Some(NormalizerSpec {
            precompiled_charsmap: None,
            add_dummy_prefix: Some(whitespace.add_dummy_prefix),
            remove_extra_whitespaces: Some(whitespace.remove_extra),
            escape_whitespaces: Some(whitespace.escape),
        }),
        denormalizer_spec: None,
    };
    model.encode_to_vec()
}

fn read_piece(id: usize, piece: PieceProto) -> Result<Piece, String> {
    let number = piece.kind.unwrap_or(1);
    let kind = PieceKind::from_number(number)
        .ok_or_else(|| format!("piece {id} is of the unknown type {number}"))?;
    Ok(Piece {
        text: piece.piece.unwrap_or_default(),
        score: piece.score.unwrap_or_default(),
        kind,
    })
}

fn type_name(model_type: i32) -> String {
    match model_type {
        1 => "UNIGRAM".to_owned(),
        3 => "WORD".to_owned(),
        4 => "CHAR".to_owned(),
        other => format!("{other}, which is unknown"),
    }
}
