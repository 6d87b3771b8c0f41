//! The span of each key and value of a file, by JSON pointer, and the notation of a pointer in messages.

use std::collections::BTreeMap;
use std::ops::Range;

use connect_api::pointer;

/// The spans of a file's keys and values by JSON pointer.
#[derive(Debug, Default)]
pub(super) struct Spans(BTreeMap<String, KeyAndValue>);

#[derive(Clone, Debug, Default)]
struct KeyAndValue {
    /// `None` for an element of an array.
    key: Option<Range<usize>>,
    value: Range<usize>,
}

impl Spans {
    pub(super) fn insert(&mut self, pointer: &str, key: Option<Range<usize>>, value: Range<usize>) {
        self.0
            .insert(pointer.to_owned(), KeyAndValue { key, value });
    }

    /// The span of the value; for a value that does not exist, that of the nearest table above it.
    pub(super) fn value(&self, pointer: &str) -> Range<usize> {
        self.nearest(pointer).value.clone()
    }

    /// The span of the key, or of the value if it has no key.
    pub(super) fn key(&self, pointer: &str) -> Range<usize> {
        let spans = self.nearest(pointer);
        spans.key.clone().unwrap_or_else(|| spans.value.clone())
    }

    /// Each value with its pointer, the file itself excluded.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &Range<usize>)> {
        let all = self.0.iter().filter(|(pointer, _)| !pointer.is_empty());
        all.map(|(pointer, spans)| (pointer.as_str(), &spans.value))
    }

    fn nearest(&self, pointer: &str) -> &KeyAndValue {
        const NOWHERE: &KeyAndValue = &KeyAndValue {
            key: None,
            value: 0..0,
        };
        let mut pointer = pointer;
        loop {
            match (self.0.get(pointer), pointer.rfind('/')) {
                (Some(spans), _) => return spans,
                (None, Some(parent)) => pointer = pointer.get(..parent).unwrap_or_default(),
                (None, None) => return NOWHERE,
            }
        }
    }
}

/// `/sinks/0/tables/1/key` as messages write it: `sinks[0].tables[1].key`.
pub(super) fn dotted(pointer: &str) -> String {
    let mut text = String::new();
    for step in pointer::tokens(pointer) {
        if step.parse::<usize>().is_ok() {
            text.push_str(&format!("[{step}]"));
            continue;
        }
        if !text.is_empty() {
            text.push('.');
        }
        let bare = step
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        if bare {
            text.push_str(&step)
        } else {
            text.push_str(&format!("\"{step}\""))
        }
    }
    text
}
