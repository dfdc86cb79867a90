//! The name of a view in Postgres: schema.name.

use std::{fmt, str::FromStr};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewName {
    schema: String,
    name: String,
}

impl ViewName {
    /// For use in SQL text.
    pub fn quoted(&self) -> String {
        let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

impl fmt::Display for ViewName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.schema, self.name)
    }
}

impl FromStr for ViewName {
    type Err = String;

    fn from_str(text: &str) -> Result<ViewName, String> {
        match text.split_once('.') {
            Some((schema, name)) if !schema.is_empty() && !name.is_empty() && !name.contains('.') => {
                Ok(ViewName { schema: schema.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("found {text:?}; expected schema.name, such as shop.user_view")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_name_has_two_parts_and_is_quoted_in_sql() {
        assert_eq!("shop.user_view".parse::<ViewName>().unwrap().quoted(), r#""shop"."user_view""#);
        assert_eq!(r#"shop.x" y"#.parse::<ViewName>().unwrap().quoted(), r#""shop"."x"" y""#);
        for wrong in ["user_view", ".x", "x.", "a.b.c", ""] {
            assert!(wrong.parse::<ViewName>().unwrap_err().contains("expected schema.name"), "{wrong}");
        }
    }
}
