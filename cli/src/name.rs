//! Names of views, apps and namespaces, which become parts of an address of the API server.

/// A name as Kubernetes takes it for a view, an app or a namespace; otherwise what to write instead.
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

/// The name of a view as above, or that of an app behind `sapp/`, as kubectl takes a kind and a name.
pub fn parse_view_or_app(text: &str) -> Result<String, String> {
    parse_name(text.strip_prefix("sapp/").unwrap_or(text)).map(|_| text.to_owned())
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
    #[test]
    fn an_app_is_named_behind_its_kind() {
        for text in ["user-view", "sapp/inventory"] {
            assert_eq!(parse_view_or_app(text).as_deref(), Ok(text));
        }
        for text in ["mv/user-view", "sapp/", "sapp/sapp/a", "sapp/재고"] {
            let refused = parse_view_or_app(text).expect_err(text);
            assert!(refused.contains("such as user-view"), "{refused}");
        }
    }
}
