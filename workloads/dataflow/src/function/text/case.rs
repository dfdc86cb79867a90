//! Upper and lower case as C.UTF-8 has it: one character for one, so ß stays ß.

pub(in crate::function) fn lower(text: &str) -> String {
    text.chars().map(lower_character).collect()
}

pub(in crate::function) fn upper(text: &str) -> String {
    text.chars().map(upper_character).collect()
}

/// A word is a run of letters and digits.
pub(super) fn initcap(text: &str) -> String {
    let mut in_word = false;
    text.chars()
        .map(|character| {
            let changed = if in_word { lower_character(character) } else { upper_character(character) };
            in_word = changed.is_alphanumeric();
            changed
        })
        .collect()
}

/// Letters that got their other case in Unicode 16 and 17, later than the C library of Postgres 15 knows.
macro_rules! too_new {
    () => {
        '\u{19b}' | '\u{264}' | '\u{1c89}' | '\u{1c8a}' | '\u{a7cb}'..='\u{a7cf}' | '\u{a7d2}'..='\u{a7d5}'
            | '\u{a7da}'..='\u{a7dc}' | '\u{10d50}'..='\u{10d85}' | '\u{16ea0}'..='\u{16ed3}'
    };
}

fn lower_character(character: char) -> char {
    match character {
        too_new!() => character,
        // Its lower case with a dot above is two characters.
        'İ' => 'i',
        other => only(other.to_lowercase()).unwrap_or(other),
    }
}

fn upper_character(character: char) -> char {
    match character {
        too_new!() => character,
        // Their upper case in running text is two characters; alone they have one.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            char::from_u32(character as u32 + 8).unwrap_or(character)
        }
        'ᾳ' => 'ᾼ',
        'ῃ' => 'ῌ',
        'ῳ' => 'ῼ',
        other => only(other.to_uppercase()).unwrap_or(other),
    }
}

fn only(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}
