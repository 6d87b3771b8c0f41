//! Where each part of a file is in its text, and how people write a JSON pointer.

use std::collections::BTreeMap;
use std::ops::Range;

use connect_api::pointer;

/// Where the key and the value of each JSON pointer stand in the text.
#[derive(Debug, Default)]
pub(super) struct Places(pub(super) BTreeMap<String, Spans>);

#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    pub(super) key: Option<Range<usize>>,
    pub(super) value: Range<usize>,
}

impl Places {
    /// The value; for something that is not there, the nearest table that would hold it.
    pub(super) fn value(&self, pointer: &str) -> Range<usize> {
        self.nearest(pointer).value.clone()
    }

    /// The key, or the value if it has none (an element of an array).
    pub(super) fn key(&self, pointer: &str) -> Range<usize> {
        let spans = self.nearest(pointer);
        spans.key.clone().unwrap_or_else(|| spans.value.clone())
    }

    /// The first value below `pointer` that is written as `text`, or the place of `pointer` itself.
    pub(super) fn below(&self, pointer: &str, file: &str, text: &str) -> Range<usize> {
        let below = self
            .0
            .iter()
            .filter(|(place, _)| place.starts_with(pointer));
        let mut values = below.map(|(_, spans)| spans.value.clone());
        values
            .find(|span| file.get(span.clone()) == Some(text))
            .unwrap_or_else(|| self.value(pointer))
    }

    fn nearest(&self, pointer: &str) -> &Spans {
        const NOWHERE: &Spans = &Spans {
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

/// `/sinks/0/tables/1/key` as people write it: `sinks[0].tables[1].key`.
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
