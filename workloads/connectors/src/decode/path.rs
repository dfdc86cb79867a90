//! A tree of the paths that a source uses, laid over a JSON document: used leaves are found, the rest is skipped.

use millrace_contract::{Source, source::Origin};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Where in the document a column's value lies: start and end in bytes.
pub type Found = Option<(usize, usize)>;

/// Every path of a source.
pub struct PathTree(Node);

#[derive(Default)]
struct Node {
    children: Vec<(String, Node)>,
    /// Columns whose path ends here.
    columns: Vec<usize>,
    /// Columns whose path ends here or below.
    below: Vec<usize>,
    /// Whether a child's name may be an index into an array, as in `#>> '{tags,0}'`.
    indexed: bool,
}

impl PathTree {
    pub fn new(source: &Source) -> PathTree {
        let mut root = Node::default();
        for (index, column) in source.columns.iter().enumerate() {
            if let Origin::Path(names) = &column.origin {
                root.add(names, index);
            }
        }
        PathTree(root)
    }

    /// Fills `found` for every path that the document has. The last of equal field names wins. The whole document
    /// must be well-formed.
    pub fn find(&self, document: &str, found: &mut [Found]) -> Result<(), serde_json::Error> {
        let mut walk = Walk { node: &self.0, base: document.as_ptr() as usize, found, careful: false };
        if walk.document(document).is_ok() {
            return Ok(());
        }
        // The quick way stumbles over numbers that no float holds where an object was looked for.
        walk.found.fill(None);
        walk.careful = true;
        walk.document(document)
    }
}

impl Node {
    fn add(&mut self, names: &[String], column: usize) {
        self.below.push(column);
        let Some((first, rest)) = names.split_first() else {
            self.columns.push(column);
            return;
        };
        self.indexed |= array_index(first).is_some();
        let position = self.children.iter().position(|(name, _)| name == first).unwrap_or_else(|| {
            self.children.push((first.clone(), Node::default()));
            self.children.len() - 1
        });
        self.children[position].1.add(rest, column);
    }
}

/// A path's step as an index into an array: C's `strtol`, the whole text.
fn array_index(name: &str) -> Option<i64> {
    let trimmed = name.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    trimmed.parse::<i32>().ok().map(i64::from)
}

struct Walk<'t, 'f> {
    node: &'t Node,
    base: usize,
    found: &'f mut [Found],
    /// Look at every value's extent before going into it.
    careful: bool,
}

impl<'t> Walk<'t, '_> {
    fn document(&mut self, document: &str) -> Result<(), serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(document);
        self.at(self.node).deserialize(&mut deserializer)?;
        deserializer.end()
    }

    fn at<'s>(&'s mut self, node: &'t Node) -> Walk<'t, 's> {
        Walk { node, base: self.base, found: self.found, careful: self.careful }
    }

    fn clear(&mut self) {
        for &column in &self.node.below {
            self.found[column] = None;
        }
    }

    /// Goes into a value whose text is known.
    fn inside<E: serde::de::Error>(mut self, json: &str) -> Result<(), E> {
        if !self.node.children.is_empty() && json.starts_with(['{', '[']) {
            let node = self.node;
            let mut deserializer = serde_json::Deserializer::from_str(json);
            (&mut deserializer).deserialize_any(Children(self.at(node))).map_err(E::custom)?;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        self.clear();
        if self.node.columns.is_empty() && !self.careful {
            return deserializer.deserialize_any(Children(self));
        }
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let start = raw.as_ptr() as usize - self.base;
        for &column in &self.node.columns {
            self.found[column] = Some((start, start + raw.len()));
        }
        self.inside(raw)
    }
}

/// Visits an object's fields or an array's elements; scalars have none.
struct Children<'t, 'f>(Walk<'t, 'f>);

impl<'de> Visitor<'de> for Children<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let node = self.0.node;
        while let Some(child) = map.next_key_seed(FieldName(node))? {
            match child {
                Some(index) => map.next_value_seed(self.0.at(&node.children[index].1))?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let node = self.0.node;
        if !node.indexed {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let mut raws: Vec<&'de RawValue> = Vec::new();
        while let Some(raw) = elements.next_element()? {
            raws.push(raw);
        }
        for (name, child) in &node.children {
            let Some(index) = array_index(name) else { continue };
            let index = if index < 0 { index + raws.len() as i64 } else { index };
            let Some(raw) = usize::try_from(index).ok().and_then(|index| raws.get(index)) else { continue };
            let start = raw.get().as_ptr() as usize - self.0.base;
            for &column in &child.columns {
                self.0.found[column] = Some((start, start + raw.get().len()));
            }
            self.0.at(child).inside::<A::Error>(raw.get())?;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a field's name and looks it up among the children.
struct FieldName<'t>(&'t Node);

impl<'de> DeserializeSeed<'de> for FieldName<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldName<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.children.iter().position(|(child, _)| child == name))
    }
}
