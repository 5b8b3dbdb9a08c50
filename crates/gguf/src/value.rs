//! A metadata value.

use std::io::Read;

use crate::source::Source;

/// Metadata is flat in every known file; the depth keeps a made-up one from exhausting the stack.
const MAX_DEPTH: usize = 4;

/// One value, its width left out: a reader wants a number, not the type some converter chose for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Integer(i128),
    Float(f64),
    Bool(bool),
    Text(String),
    Array(Vec<Value>),
}

impl Value {
    /// What it is, for errors.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Bool(_) => "a bool",
            Self::Text(_) => "a string",
            Self::Array(_) => "an array",
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_integer(&self) -> Option<i128> {
        match self {
            Self::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    pub(crate) fn read<R: Read>(source: &mut Source<R>) -> Result<Self, String> {
        let kind = source.u32()?;
        source.spend(1)?;
        Self::read_kind(source, kind, 0)
    }

    fn read_kind<R: Read>(source: &mut Source<R>, kind: u32, depth: usize) -> Result<Self, String> {
        Ok(match kind {
            0 => Self::Integer(source.array().map(u8::from_le_bytes)?.into()),
            1 => Self::Integer(source.array().map(i8::from_le_bytes)?.into()),
            2 => Self::Integer(source.array().map(u16::from_le_bytes)?.into()),
            3 => Self::Integer(source.array().map(i16::from_le_bytes)?.into()),
            4 => Self::Integer(source.u32()?.into()),
            5 => Self::Integer(source.array().map(i32::from_le_bytes)?.into()),
            6 => Self::Float(source.array().map(f32::from_le_bytes)?.into()),
            7 => Self::Bool(source.array::<1>()? != [0]),
            8 => Self::Text(source.string()?),
            9 => {
                let kind = source.u32()?;
                let count = source.count("array elements", n_bytes(kind)?)?;
                source.spend(count)?;
                if depth == MAX_DEPTH {
                    return Err("arrays of arrays are nested too deep".to_owned());
                }
                let elements = (0..count).map(|_| Self::read_kind(source, kind, depth + 1));
                Self::Array(elements.collect::<Result<_, _>>()?)
            }
            10 => Self::Integer(source.u64()?.into()),
            11 => Self::Integer(source.array().map(i64::from_le_bytes)?.into()),
            12 => Self::Float(source.array().map(f64::from_le_bytes)?),
            _ => return Err(format!("metadata values of type {kind} are not known")),
        })
    }
}

/// Least room that a value of `kind` takes.
fn n_bytes(kind: u32) -> Result<u64, String> {
    Ok(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        8 | 10..=12 => 8,
        9 => 12,
        _ => return Err(format!("metadata values of type {kind} are not known")),
    })
}
