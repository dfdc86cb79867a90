//! Names of views and namespaces, which become parts of an address of the API server.

/// A name as Kubernetes takes it for a view or a namespace; otherwise what to write instead.
pub fn parse_name(text: &str) -> Result<String, String> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let well = !text.is_empty() && text.len() <= 63 && text.bytes().all(inner);
    if well && !text.starts_with('-') && !text.ends_with('-') {
        return Ok(text.to_owned());
    }
    Err("write the name alone, with lower-case letters, digits and - only, a letter or a digit at both ends, such as \
         user-view"
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_without_its_kind() {
        let longest = "a".repeat(63);
        for text in ["user-view", "1", "a--b", &longest] {
            assert_eq!(parse_name(text).as_deref(), Ok(text));
        }
        let longer = "a".repeat(64);
        for text in ["", "mv/user-view", "../secrets", "User", "a b", "-a", "a-", "a.b", "사용자", &longer] {
            let refused = parse_name(text).expect_err(text);
            assert!(refused.contains("such as user-view"), "{refused}");
        }
    }
}
