//! The bytes behind every token id of a vocabulary.

use std::collections::HashMap;

use tokenizers::{DecoderWrapper, ModelWrapper};

/// Tokens of a byte-level BPE spell each byte as one printable character. This is the way back: bytes that are
/// printable in Latin-1 stand for themselves, all others follow from U+0100 on, in order.
fn byte_of(spelling: char) -> Option<u8> {
    let code = u32::from(spelling);
    match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u8::try_from(code).ok(),
        0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        0x121..=0x142 => u8::try_from(code - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    }
}

/// Whether tokens are decoded by [`byte_of`] alone; another decoder would need the neighbours of a token.
pub(crate) fn check_supported(tokenizer: &tokenizers::Tokenizer) -> Result<(), String> {
    if !matches!(tokenizer.get_model(), ModelWrapper::BPE(_)) {
        return Err(
            "the model is not a BPE; only byte-level BPE tokenizers are supported".to_owned()
        );
    }
    match tokenizer.get_decoder() {
        Some(DecoderWrapper::ByteLevel(_)) => Ok(()),
        Some(DecoderWrapper::Sequence(sequence))
            if matches!(sequence.get_decoders(), [DecoderWrapper::ByteLevel(_)]) =>
        {
            Ok(())
        }
        _ => {
            Err("the decoder is not ByteLevel; only byte-level BPE tokenizers are supported"
                .to_owned())
        }
    }
}

/// No vocabulary comes near; the table below is as long as the largest id.
pub(crate) const MAX_IDS: usize = 1 << 22;

/// Bytes of all tokens, back to back.
#[derive(Debug)]
pub(crate) struct TokenBytes {
    bytes: Vec<u8>,
    /// Where each id's bytes end; they begin where those of the id before end.
    ends: Vec<usize>,
    /// Ids of the tokens that are one byte, by byte.
    single: Vec<Option<u32>>,
}

impl TokenBytes {
    /// `literal` are the ids whose spelling is their text, with their spelling: added tokens.
    pub(crate) fn new(
        tokenizer: &tokenizers::Tokenizer,
        literal: &HashMap<u32, String>,
    ) -> Result<Self, String> {
        let mut spellings: Vec<(u32, String)> = tokenizer
            .get_vocab(false)
            .into_iter()
            .map(|(spelling, id)| (id, spelling))
            .filter(|(id, _)| !literal.contains_key(id))
            .collect();
        spellings.extend(literal.iter().map(|(id, spelling)| (*id, spelling.clone())));
        spellings.sort_unstable();

        let mut table = Self { bytes: Vec::new(), ends: Vec::new(), single: vec![None; 256] };
        for (id, spelling) in spellings {
            let index = usize::try_from(id).unwrap_or(usize::MAX);
            if index >= MAX_IDS {
                return Err(format!("token id {id} is not below {MAX_IDS}"));
            }
            // An id that the file leaves out has no bytes.
            table.ends.resize(table.ends.len().max(index), table.bytes.len());
            if literal.contains_key(&id) {
                table.bytes.extend_from_slice(spelling.as_bytes());
            } else {
                let mut buffer = [0; 4];
                for spelled in spelling.chars() {
                    match byte_of(spelled) {
                        Some(byte) => table.bytes.push(byte),
                        None => table
                            .bytes
                            .extend_from_slice(spelled.encode_utf8(&mut buffer).as_bytes()),
                    }
                }
            }
            table.ends.push(table.bytes.len());
            if let &[byte] = table.get(id)
                && !literal.contains_key(&id)
                && let Some(slot) = table.single.get_mut(usize::from(byte))
            {
                *slot = Some(id);
            }
        }
        Ok(table)
    }

    /// From the bytes of every token, by id, and the tokens that are one byte, by byte.
    pub(crate) fn from_texts(texts: &[Vec<u8>], single: &[u32]) -> Self {
        let mut table = Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            single: single.iter().copied().map(Some).collect(),
        };
        for text in texts {
            table.bytes.extend_from_slice(text);
            table.ends.push(table.bytes.len());
        }
        table
    }

    /// Largest id and one.
    pub(crate) fn n_ids(&self) -> usize {
        self.ends.len()
    }

    /// Empty for an unknown id.
    pub(crate) fn get(&self, id: u32) -> &[u8] {
        let Ok(index) = usize::try_from(id) else { return &[] };
        let Some(end) = self.ends.get(index) else { return &[] };
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).unwrap_or(&0);
        self.bytes.get(*start..*end).unwrap_or(&[])
    }

    /// The token that is just this byte.
    pub(crate) fn single(&self, byte: u8) -> Option<u32> {
        self.single.get(usize::from(byte)).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::byte_of;

    #[test]
    fn spelling_agrees_with_the_alphabet_of_the_library() {
        let alphabet = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let mut bytes: Vec<u8> = alphabet.into_iter().filter_map(byte_of).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=u8::MAX).collect::<Vec<_>>());
        assert_eq!(byte_of('Ġ'), Some(b' '));
        assert_eq!(byte_of('Ċ'), Some(b'\n'));
        assert_eq!(byte_of('あ'), None);
    }
}
