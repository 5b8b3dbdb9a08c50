//! Text to token ids and back: tokenizer.json, special tokens by name, streaming decode.

mod bytes;
mod error;
mod special;
mod stream;
mod tokenizer;

pub use error::Error;
pub use special::FimTokens;
pub use stream::DecodeStream;
pub use tokenizer::Tokenizer;
