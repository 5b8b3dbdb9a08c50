//! A model that says one given text whatever it is asked: a checkpoint like any other, so that everything between the
//! prompt and the answer is the real thing.
//!
//! Each piece of the text is a token of its own, its embedding a unit vector, and the head sends the vector of one piece
//! to the next; the layers add nothing. Every other token begins the text.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Map, Value, json};

use crate::byte_level::{byte_level_character, byte_level_tokenizer};
use crate::checkpoint::{END_OF_TEXT, SPECIAL_TOKENS};

/// Special tokens of chat models, beside those of every test vocabulary; the text may spell each once.
const CHAT_TOKENS: [&str; 6] =
    ["<|im_start|>", "<think>", "</think>", "<tool_call>", "</tool_call>", "</s>"];

/// The form of LoopCoder-V2's template, as far as it is known.
pub const LOOPCODER: &str =
    include_str!("../../../tests/fixtures/loopcoder-v2/chat_template.jinja");

/// Each of them may end a text, as with LoopCoder-V2.
const ENDS_OF_TEXT: [&str; 3] = ["<|endoftext|>", "<|im_end|>", "</s>"];

const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}";

const HEAD_DIM: usize = 32;
const INTERMEDIATE: usize = 32;

/// Characters of a piece, unless that would make it the same as an earlier one.
const PIECE: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptedModel {
    pub text: String,
    /// A chat template, as a model that follows instructions has one.
    pub template: Option<&'static str>,
    pub n_context: usize,
}

impl ScriptedModel {
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), template: None, n_context: 1 << 17 }
    }

    pub fn chat(text: &str) -> Self {
        Self { template: Some(CHATML), ..Self::new(text) }
    }

    /// As [`Self::chat`], with the template and the ends of text of LoopCoder-V2.
    pub fn loopcoder(text: &str) -> Self {
        Self { template: Some(LOOPCODER), ..Self::new(text) }
    }

    /// Writes the files of the checkpoint.
    #[track_caller]
    pub fn write(&self, directory: &Path) {
        let write = |name: &str, bytes: &[u8]| {
            fs::write(directory.join(name), bytes).expect("a file of the checkpoint")
        };
        let pieces = pieces(&self.text);
        let specials: Vec<&str> = specials().collect();
        let first_piece = 256 + specials.len();
        // A special token is itself wherever the text spells it.
        let ids: Vec<usize> = (first_piece..)
            .zip(&pieces)
            .map(|(id, piece)| {
                specials.iter().position(|name| name == piece).map_or(id, |at| 256 + at)
            })
            .collect();
        let vocab_size = first_piece + pieces.len();
        let hidden = (pieces.len() + 1).next_multiple_of(HEAD_DIM);
        write("config.json", self.config(vocab_size, hidden).to_string().as_bytes());
        write("tokenizer.json", tokenizer(&specials, &pieces).to_string().as_bytes());
        write("model.safetensors", &weights(&ids, vocab_size, hidden));
        if let Some(template) = self.template {
            write("chat_template.jinja", template.as_bytes());
        }
    }

    fn config(&self, vocab_size: usize, hidden: usize) -> Value {
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": vocab_size,
            "hidden_size": hidden,
            "intermediate_size": INTERMEDIATE,
            "num_hidden_layers": 1,
            "num_attention_heads": hidden / HEAD_DIM,
            "num_key_value_heads": 1,
            "head_dim": HEAD_DIM,
            "hidden_act": "silu",
            "max_position_embeddings": self.n_context,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10_000.0,
            "tie_word_embeddings": false,
            "torch_dtype": "float32",
            "eos_token_id": ENDS_OF_TEXT.map(special_id),
        })
    }
}

fn specials() -> impl Iterator<Item = &'static str> {
    SPECIAL_TOKENS.into_iter().chain(CHAT_TOKENS)
}

fn special_id(name: &str) -> usize {
    256 + specials().position(|special| special == name).expect("a special token")
}

/// `text` cut into special tokens and pieces of which no two are the same.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces: Vec<&str> = Vec::new();
    let mut seen = HashSet::new();
    let mut rest = text;
    while !rest.is_empty() {
        let special = specials().find(|name| rest.starts_with(name));
        let next_special =
            specials().filter_map(|name| rest.find(name)).min().unwrap_or(rest.len());
        let length = special.map(str::len).or_else(|| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.skip(PIECE)
                .take_while(|&end| end <= next_special)
                .find(|&end| !seen.contains(&rest[..end]))
        });
        // What is left may be too short to differ from every other piece; then the one before takes it in.
        let length = length.unwrap_or(next_special);
        let mut piece = &rest[..length];
        while !seen.insert(piece) || (special.is_none() && piece.len() == 1) {
            let before = pieces.pop().expect("the text begins with more than one character");
            let start = before.as_ptr() as usize - text.as_ptr() as usize;
            let end = piece.as_ptr() as usize - text.as_ptr() as usize + piece.len();
            piece = &text[start..end];
        }
        pieces.push(piece);
        rest = &rest[length..];
    }
    pieces
}

/// Single bytes, special tokens, pieces.
fn tokenizer(specials: &[&str], pieces: &[&str]) -> Value {
    let spelled =
        |bytes: &[u8]| bytes.iter().copied().map(byte_level_character).collect::<String>();
    let mut vocab: Map<String, Value> =
        (0..=255_u8).map(|byte| (spelled(&[byte]), json!(byte))).collect();
    // An added token that the vocabulary does not hold would get an id behind it.
    vocab.extend((256..).zip(specials).map(|(id, name)| ((*name).to_owned(), json!(id))));
    for (id, piece) in (256 + specials.len()..).zip(pieces) {
        let name = if specials.contains(piece) {
            format!("unused {id}")
        } else {
            spelled(piece.as_bytes())
        };
        vocab.insert(name, json!(id));
    }
    byte_level_tokenizer(vocab, (256..).zip(specials.iter().copied()))
}

fn weights(ids: &[usize], vocab_size: usize, hidden: usize) -> Vec<u8> {
    let mut embedding = vec![0.0_f32; vocab_size * hidden];
    for token in 0..vocab_size {
        let next = ids.iter().position(|&id| id == token).map_or(0, |at| at + 1);
        embedding[token * hidden + next] = 1.0;
    }
    let mut head = vec![0.0_f32; vocab_size * hidden];
    for (at, &id) in ids.iter().chain([&(END_OF_TEXT as usize)]).enumerate() {
        head[id * hidden + at] = 1.0;
    }
    let layer = "model.layers.0";
    let tensors = [
        ("model.embed_tokens.weight".to_owned(), vec![vocab_size, hidden], embedding),
        ("lm_head.weight".to_owned(), vec![vocab_size, hidden], head),
        ("model.norm.weight".to_owned(), vec![hidden], vec![1.0; hidden]),
    ]
    .into_iter()
    .chain(
        ["input_layernorm", "post_attention_layernorm"]
            .map(|name| (format!("{layer}.{name}.weight"), vec![hidden], vec![1.0; hidden])),
    )
    .chain(
        [
            ("self_attn.q_proj", [hidden, hidden]),
            ("self_attn.k_proj", [HEAD_DIM, hidden]),
            ("self_attn.v_proj", [HEAD_DIM, hidden]),
            ("self_attn.o_proj", [hidden, hidden]),
            ("mlp.gate_proj", [INTERMEDIATE, hidden]),
            ("mlp.up_proj", [INTERMEDIATE, hidden]),
            ("mlp.down_proj", [hidden, INTERMEDIATE]),
        ]
        .map(|(name, [rows, columns])| {
            (format!("{layer}.{name}.weight"), vec![rows, columns], vec![0.0; rows * columns])
        }),
    );
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .map(|(name, shape, values)| {
            (name, shape, values.into_iter().flat_map(f32::to_le_bytes).collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name.as_str(), view.expect("bytes that fill the shape"))
    });
    safetensors::serialize(views, None).expect("a file in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str) {
        let pieces = pieces(text);
        assert_eq!(pieces.concat(), text);
        assert_eq!(pieces.iter().collect::<HashSet<_>>().len(), pieces.len(), "{pieces:?}");
        assert!(pieces.iter().all(|piece| 1 < piece.len()));
    }

    #[test]
    fn no_two_pieces_are_the_same() {
        check("aaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        check("fn f() {\n    a();\n    a();\n    a();\n}\n");
        check("<think>a thing</think>an é thing\n");
        check("ab");
        check("");
    }
}
