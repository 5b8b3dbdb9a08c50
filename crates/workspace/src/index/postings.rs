//! Lists of chunks and counts, delta-coded: most entries take two bytes.

/// Appends `(chunk, count)` pairs in ascending order of chunks.
pub(crate) fn encode(pairs: impl Iterator<Item = (u32, u32)>, out: &mut Vec<u8>) {
    let mut previous = 0;
    for (chunk, count) in pairs {
        write_number(chunk.wrapping_sub(previous), out);
        write_number(count, out);
        previous = chunk;
    }
}

/// Reads what [`encode`] wrote; ends early where the bytes do.
pub(crate) fn decode(mut bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    let mut chunk = 0_u32;
    std::iter::from_fn(move || {
        chunk = chunk.wrapping_add(read_number(&mut bytes)?);
        Some((chunk, read_number(&mut bytes)?))
    })
}

fn write_number(mut number: u32, out: &mut Vec<u8>) {
    while 0x80 <= number {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
