//! Text to token ids and back: tokenizer.json, SentencePiece tokenizer.model, GGUF, special tokens by name, streaming decode, chat templates.

mod bytes;
mod chat;
mod conversation;
mod cuts;
mod error;
mod gguf;
mod memo;
mod sentencepiece;
mod special;
mod stream;
mod tokenizer;

pub use chat::{ChatTemplate, Message};
pub use error::Error;
pub use gguf::files_of_gguf;
pub use special::FimTokens;
pub use stream::DecodeStream;
pub use tokenizer::Tokenizer;
