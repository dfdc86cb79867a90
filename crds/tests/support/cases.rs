//! Cases as text: a title, changes to a manifest, and the sentences that come back.

use serde_json::Value;

/// One case of `wrong.txt`.
pub struct Case {
    /// The title and the changes, as written.
    pub text: String,
    pub title: String,
    pub base: String,
    /// Changes to the base; with `update`, what is created before.
    pub changes: Vec<String>,
    pub update: Option<Vec<String>>,
}

/// The comment on top, and the cases.
pub fn parse(text: &str) -> (String, Vec<Case>) {
    let mut parts = text.split("\n== ");
    let head = parts.next().unwrap_or_default().to_string();
    (head, parts.map(parse_case).collect())
}

fn parse_case(text: &str) -> Case {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("-> ") && !line.trim().is_empty()).collect();
    let mut case = Case {
        text: lines.join("\n"),
        title: lines[0].to_string(),
        base: "table.yaml".to_string(),
        changes: Vec::new(),
        update: None,
    };
    for line in &lines[1..] {
        match (*line, &mut case.update) {
            ("stream" | "question" | "app", _) => case.base = format!("{line}.yaml"),
            ("then", update) => *update = Some(Vec::new()),
            (change, Some(update)) => update.push(change.to_string()),
            (change, None) => case.changes.push(change.to_string()),
        }
    }
    case
}

/// Makes changes such as `spec.sources[0].key: [id]` and `remove spec.query` in a manifest.
pub fn change(manifest: &mut Value, changes: &[String]) {
    for change in changes {
        if let Some(path) = change.strip_prefix("remove ") {
            let (parent, last) = path.rsplit_once('.').unwrap_or_else(|| panic!("no field in {change}"));
            let removed = at(manifest, parent).as_object_mut().and_then(|object| object.remove(last));
            assert!(removed.is_some(), "{path} is not there to be removed");
        } else {
            let (path, value) = change.split_once(": ").unwrap_or_else(|| panic!("{change} is not path: value"));
            *at(manifest, path) =
                serde_yaml::from_str(value).unwrap_or_else(|error| panic!("{value} in {change}: {error}"));
        }
    }
}

/// The place of a path, made if it is not there.
fn at<'a>(manifest: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('.').fold(manifest, |place, part| {
        let (name, index) = match part.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let place = &mut place[name];
        match (index, &mut *place) {
            (None, _) => place,
            (Some(index), Value::Array(items)) if index == items.len() => {
                items.push(Value::Null);
                &mut place[index]
            }
            (Some(index), _) => &mut place[index],
        }
    })
}
