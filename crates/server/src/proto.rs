//! Between the wire's types and ours, by hand: what comes in, what goes out, and the messages of our own.

pub(crate) mod action;
pub(crate) mod dialect;
pub(crate) mod ext;
pub(crate) mod from;
pub(crate) mod to;
