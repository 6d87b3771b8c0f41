//! Locates a JSON pointer in a file: serde keeps no locations, so line and column of a problem are searched for here.

use connect_api::pointer;
use jiter::{Jiter, Peek};

/// The offset of the value at `pointer` (RFC 6901). If it does not exist, the offset of its last existing ancestor, for example of
/// the object that lacks a key.
pub(crate) fn offset_of(text: &str, pointer: &str) -> usize {
    let mut jiter = Jiter::new(text.as_bytes());
    let mut reached = 0;
    let mut tokens = pointer::tokens(pointer);
    loop {
        let Ok(peek) = jiter.peek() else {
            return reached;
        };
        reached = jiter.current_index();
        let Some(token) = tokens.next() else {
            return reached;
        };
        let entered = match peek {
            Peek::Object => enter_member(&mut jiter, &token),
            Peek::Array => enter_element(&mut jiter, &token),
            _ => None,
        };
        if entered.is_none() {
            return reached;
        }
    }
}

fn enter_member(jiter: &mut Jiter<'_>, name: &str) -> Option<()> {
    let mut key = jiter.next_object().ok()?.map(|key| key == name);
    while let Some(found) = key {
        if found {
            return Some(());
        }
        jiter.next_skip().ok()?;
        key = jiter.next_key().ok()?.map(|key| key == name);
    }
    None
}

fn enter_element(jiter: &mut Jiter<'_>, place: &str) -> Option<()> {
    let place: usize = place.parse().ok()?;
    let mut next = jiter.next_array().ok()?;
    for _ in 0..place {
        jiter.known_skip(next?).ok()?;
        next = jiter.array_step().ok()?;
    }
    next.map(|_| ())
}

/// Line and column, both from 1, of a byte in `text`; columns count characters.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The pointer to the first `$ref` for which `sought` is true.
pub(crate) fn pointer_of_reference(
    schema: &serde_json::Value,
    sought: &dyn Fn(&str) -> bool,
) -> Option<String> {
    use serde_json::Value as Json;
    match schema {
        Json::Object(members) => members.iter().find_map(|(name, member)| {
            if name == "$ref" && member.as_str().is_some_and(sought) {
                return Some("/$ref".to_owned());
            }
            pointer_of_reference(member, sought).map(|rest| pointer::member("", name) + &rest)
        }),
        Json::Array(elements) => elements.iter().enumerate().find_map(|(place, element)| {
            pointer_of_reference(element, sought).map(|rest| format!("/{place}{rest}"))
        }),
        _ => None,
    }
}
