//! The files that the tokenizer of a GGUF file would be published with in a directory.

use std::path::Path;

use gguf::Header;
use serde_json::{Value, json};

use super::{Kind, describe, pieces, spelling};
use crate::error::Error;
use crate::sentencepiece::{PieceKind, write_proto};
use crate::special::is_fim_name;

/// Names and contents of the files from which [`Tokenizer::from_directory`](crate::Tokenizer::from_directory) and
/// [`ChatTemplate::from_directory`](crate::ChatTemplate::from_directory) make what their `from_gguf` makes of the GGUF
/// file `path`.
pub fn files_of_gguf(path: &Path) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
    let header = Header::read(path)?;
    let mut config = json!({});
    for (name, key) in [("bos_token", "bos_token_id"), ("eos_token", "eos_token_id")] {
        if let Some(token) = spelling(&header, &format!("tokenizer.ggml.{key}"))? {
            config[name] = token.into();
        }
    }
    let mut files = vec![match Kind::of(&header)? {
        Kind::ByteLevel => {
            config["tokenizer_class"] = "PreTrainedTokenizerFast".into();
            ("tokenizer.json", describe(&header)?.to_string().into_bytes())
        }
        Kind::SentencePiece => {
            config["tokenizer_class"] = "LlamaTokenizer".into();
            // Each run of text gets the dummy prefix, not the first alone.
            config["legacy"] = true.into();
            config["add_bos_token"] = pieces::adds_bos(&header)?.into();
            let pieces = pieces::read_pieces(&header)?;
            let added = pieces.iter().enumerate();
            let added = added.filter(|(_, piece)| piece.kind == PieceKind::UserDefined);
            config["added_tokens_decoder"] = added
                .map(|(id, piece)| {
                    let is_special = is_fim_name(&piece.text);
                    (id.to_string(), json!({"content": piece.text, "special": is_special}))
                })
                .collect::<serde_json::Map<String, Value>>()
                .into();
            ("tokenizer.model", write_proto(&pieces, pieces::whitespace(&header)?))
        }
    }];
    files.push(("tokenizer_config.json", config.to_string().into_bytes()));
    if let Some(template) = header.text("tokenizer.chat_template")? {
        files.push(("chat_template.jinja", template.as_bytes().to_vec()));
    }
    Ok(files)
}
