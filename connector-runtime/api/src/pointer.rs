//! JSON pointers (RFC 6901): locations in a document, such as `/tables/0/columns/a~1b`.

use std::borrow::Cow;

/// A name as a token of a pointer: `~` becomes `~0`, `/` becomes `~1`.
pub fn escape(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) {
        name.replace('~', "~0").replace('/', "~1").into()
    } else {
        name.into()
    }
}

/// The pointer to a member of the object at `pointer`.
pub fn member(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", escape(name))
}

/// Extends `pointer` by the name of a member.
pub fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    pointer.push_str(&escape(name));
}

/// The unescaped tokens of a pointer; the empty pointer has none.
pub fn tokens(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(|token| {
        if token.contains('~') {
            // In this order: `~01` is `~1`, not `/`.
            token.replace("~1", "/").replace("~0", "~").into()
        } else {
            token.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{member, tokens};

    #[test]
    fn names_survive_a_pointer() {
        let cases = [
            ("", "/"),
            ("a", "/a"),
            ("a/b", "/a~1b"),
            ("m~n", "/m~0n"),
            ("~1", "/~01"),
            ("~/~", "/~0~1~0"),
        ];
        for (name, expected) in cases {
            let pointer = member("", name);
            assert_eq!(pointer, expected);
            let nested = member(&pointer, "0");
            assert_eq!(tokens(&nested).collect::<Vec<_>>(), [name, "0"]);
        }
        assert_eq!(tokens("").count(), 0);
    }
}
