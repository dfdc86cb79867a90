//! A page of a listing: which rows a client asks for, in the query of a URL.

use std::collections::HashMap;

use crate::input::Invalid;

/// Rows with an id above `after`, in id order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub after: i64,
    pub limit: i64,
}

const LARGEST: i64 = 500;
const USUAL: i64 = 50;

impl Page {
    pub fn parse(query: &HashMap<String, String>) -> Result<Page, Invalid> {
        if let Some(unknown) = query.keys().find(|name| !["after", "limit"].contains(&name.as_str())) {
            return Err(Invalid::new(unknown, "an unknown parameter", "only after and limit"));
        }
        let number = |name: &str, otherwise: i64, least: i64, most: i64, expected: &str| match query.get(name) {
            None => Ok(otherwise),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| Invalid::new(name, format!("{text:?}"), expected)),
        };
        Ok(Page {
            after: number("after", 0, 0, i64::MAX, "the id after which the page starts")?,
            limit: number("limit", USUAL, 1, LARGEST, "a whole number from 1 to 500")?,
        })
    }

    /// Where the next page starts, given the ids of this one: a page that is not full is the last.
    pub fn next(&self, ids: impl ExactSizeIterator<Item = i64>) -> Option<i64> {
        (ids.len() as i64 == self.limit).then(|| ids.last()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: Result<Page, &str>) {
        let query = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(Page::parse(&query).map_err(|invalid| invalid.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn a_page_is_fifty_rows_from_the_start_unless_said_otherwise() {
        check("", Ok(Page { after: 0, limit: 50 }));
        check("after=7&limit=500", Ok(Page { after: 7, limit: 500 }));
        check("limit=501", Err(r#"limit: found "501"; expected a whole number from 1 to 500"#));
        check("limit=0", Err(r#"limit: found "0"; expected a whole number from 1 to 500"#));
        check("after=일곱", Err(r#"after: found "일곱"; expected the id after which the page starts"#));
        check("page=2", Err("page: found an unknown parameter; expected only after and limit"));
    }

    #[test]
    fn a_full_page_says_where_the_next_one_starts() {
        let page = Page { after: 0, limit: 2 };
        assert_eq!(page.next([3, 9].into_iter()), Some(9));
        assert_eq!(page.next([3].into_iter()), None);
    }
}
