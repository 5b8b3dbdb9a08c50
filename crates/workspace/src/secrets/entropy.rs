//! Whether a value looks drawn at random, or like something a person wrote.

/// Shannon entropy of the bytes, in bits for each.
pub(super) fn bits_per_byte(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let n = value.len() as f64;
    let share = |count: &u32| f64::from(*count) / n;
    -counts.iter().filter(|count| 0 < **count).map(share).map(|p| p * p.log2()).sum::<f64>()
}

/// A value that is assigned to a name that says it is secret, and is not a placeholder, a variable or a call.
pub(super) fn is_secret_value(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let is_placeholder = PLACEHOLDERS.iter().any(|word| lower.contains(word));
    let first = value.chars().next();
    let is_reference = value.contains("${")
        || value.contains("{{")
        || value.contains("$(")
        || value.starts_with(['$', '<', '%', '{'])
        || first.is_some_and(|first| value.chars().all(|character| character == first));
    8 <= value.len() && !is_placeholder && !is_reference && 2.5 <= bits_per_byte(value)
}

/// A token without any name beside it: letters of both cases and digits, well mixed.
pub(super) fn is_random(value: &str) -> bool {
    let has = |test: fn(&u8) -> bool| value.bytes().any(|byte| test(&byte));
    has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && 3.2 <= bits_per_byte(value)
}

const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "dummy",
    "example",
    "placeholder",
    "your_",
    "your-",
    "xxxx",
    "****",
    "....",
    "undefined",
    "getenv",
    "process.env",
    "os.environ",
    "none",
    "null",
    "required",
    "invalid",
];
