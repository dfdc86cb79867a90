//! Rules that the API server checks at apply, each with one sentence for the person who applied.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;

/// A rule in CEL, and the sentence that is said when it does not hold.
///
/// In the sentence, `${…}` is a CEL expression for what was found. A found value with a line break cannot be shown (the
/// API server would drop the whole sentence), so the same sentence without the values stands by.
pub fn must(rule: &str, sentence: &str) -> ValidationRule {
    let mut message = String::new();
    let mut format = String::new();
    let mut values = Vec::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once("${") {
        // A sentence is written in this crate; one without its closing brace shows itself in every test.
        let (value, after) = after.split_once('}').unwrap_or((after, ""));
        message.push_str(before);
        message.push('…');
        format.push_str(&before.replace('%', "%%"));
        format.push_str("%s");
        values.push(value);
        rest = after;
    }
    message.push_str(rest);
    format.push_str(&rest.replace('%', "%%"));
    // One call of `format` and no `+`: the API server bounds the cost of an expression by the sizes it can know, and the
    // size of a number or of a filtered list as text is not one of them.
    let format = serde_json::Value::from(format);
    let message_expression = (!values.is_empty()).then(|| format!("{format}.format([{}])", values.join(", ")));
    ValidationRule { rule: rule.to_string(), message: Some(message), message_expression, ..Default::default() }
}

/// As [`must`], said about a field below the one that holds the rule, such as `.key`.
pub fn must_at(field_path: &str, rule: &str, sentence: &str) -> ValidationRule {
    ValidationRule { field_path: Some(field_path.to_string()), ..must(rule, sentence) }
}

/// The rule of every name that becomes an identifier in Postgres.
pub fn name_rules(what: &str, example: &str) -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^[a-z][a-z0-9_]{0,47}$') && !self.startsWith('pg_')",
        &format!(
            "{what} is '${{self}}', but it must begin with a lower-case letter, go on with lower-case letters, digits \
             and _, have at most 48 characters, and not begin with pg_; write for example {example}"
        ),
    )]
}

/// That `text` can be read as a length of time, in CEL.
pub fn is_duration(text: &str) -> String {
    format!("{text}.matches('^([0-9]{{1,5}}h)?([0-9]{{1,5}}m)?([0-9]{{1,5}}s)?$') && {text} != ''")
}

/// The rule of a length of time.
pub fn duration_rules(what: &str, positive: bool, example: &str) -> Vec<ValidationRule> {
    if positive {
        bounded_duration(what, " && duration(self) > duration('0s')", ", and longer than 0s", example)
    } else {
        bounded_duration(what, "", "", example)
    }
}

/// The rule of a length of time that must not be shorter than `least`.
pub fn duration_of_at_least(what: &str, least: &str, example: &str) -> Vec<ValidationRule> {
    let bound = format!(" && duration(self) >= duration('{least}')");
    bounded_duration(what, &bound, &format!(", and at least {least}"), example)
}

fn bounded_duration(what: &str, bound: &str, said: &str, example: &str) -> Vec<ValidationRule> {
    vec![must(
        &format!("{}{bound}", is_duration("self")),
        &format!(
            "{what} is '${{self}}', but it must be hours, minutes and seconds in this order, such as 24h, 90m, \
             1h30m or 30s{said}; write for example {example}"
        ),
    )]
}

/// The rule of a number that must be above 0.
pub fn positive_rules(what: &str, mend: &str) -> Vec<ValidationRule> {
    vec![must("self >= 1", &format!("{what} is ${{self}}, but it must be 1 or more; {mend}"))]
}

/// The rule of a list that must hold something.
pub fn not_empty_rules(what: &str, mend: &str) -> Vec<ValidationRule> {
    vec![must("self.size() >= 1", &format!("{what} is empty, but it must have at least one entry; {mend}"))]
}

/// The rule of a text that says nothing when it is blank.
pub fn not_blank_rules(what: &str, mend: &str) -> Vec<ValidationRule> {
    vec![must("self.matches('[^[:space:]]')", &format!("{what} is blank, but it must have text; {mend}"))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_becomes_an_expression_and_a_text_that_stands_by() {
        let rule = must("self.min <= self.max", r#"min is ${self.min}, "max" is ${self.max} of 100%; raise max"#);
        assert_eq!(rule.message.as_deref(), Some(r#"min is …, "max" is … of 100%; raise max"#));
        assert_eq!(
            rule.message_expression.as_deref(),
            Some(r#""min is %s, \"max\" is %s of 100%%; raise max".format([self.min, self.max])"#)
        );
    }

    #[test]
    fn a_sentence_without_values_needs_no_expression() {
        let rule = must("false", "from has no choice: write from: {earliest: {}}");
        assert_eq!(rule.message.as_deref(), Some("from has no choice: write from: {earliest: {}}"));
        assert_eq!(rule.message_expression, None);
    }
}
