//! Byte-level BPE without merges, as a `tokenizer.json` describes it.

use serde_json::{Map, Value, json};

/// `vocab` from spelling to id, and special tokens by id.
pub(crate) fn byte_level_tokenizer<'a>(
    vocab: Map<String, Value>,
    specials: impl IntoIterator<Item = (u32, &'a str)>,
) -> Value {
    let added: Vec<Value> = specials
        .into_iter()
        .map(|(id, content)| {
            json!({
                "id": id,
                "content": content,
                "single_word": false,
                "lstrip": false,
                "rstrip": false,
                "normalized": false,
                "special": true,
            })
        })
        .collect();
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": byte_level,
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocab,
            "merges": [],
        },
    })
}

/// Byte-level BPE spells a byte as itself where that is a visible Latin-1 character, the others from U+0100 on in order.
pub(crate) fn byte_level_character(byte: u8) -> char {
    let is_visible = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if is_visible(byte) {
        return char::from(byte);
    }
    let n_before = (0..byte).filter(|&other| !is_visible(other)).count() as u32;
    char::from_u32(0x100 + n_before).expect("a character below U+0200")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_byte_has_a_character() {
        let characters: BTreeSet<char> = (0..=255).map(byte_level_character).collect();
        assert_eq!(characters.len(), 256);
        assert_eq!([b'\n', b' ', b'a', 0xad].map(byte_level_character), ['Ċ', 'Ġ', 'a', 'Ń']);
    }
}
