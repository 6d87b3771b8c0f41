//! Names of tables and columns, and their quoting in SQL.

/// The longest identifier. PostgreSQL silently truncates longer ones, so that two tables could become one.
pub(crate) const LONGEST: usize = 63;

/// `"name"`, with any characters escaped.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `'text'`, for statements without parameters.
pub(crate) fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Why a name cannot be an identifier.
pub(crate) fn problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a name is empty".into());
    }
    if name.contains('\0') {
        return Some("a name contains the character U+0000".into());
    }
    (name.len() > LONGEST).then(|| {
        format!(
            "`{name}` has {} bytes, and PostgreSQL truncates names to {LONGEST}",
            name.len()
        )
    })
}

/// A table as it is written in a configuration: `name` or `schema.name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TableName {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl TableName {
    /// Splits at the dot. A part that contains a dot or a quote is written in double quotes, as in SQL. Case is kept.
    pub(crate) fn parse(text: &str) -> Result<TableName, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let (part, after) = first_part(rest).map_err(|reason| format!("`{text}`: {reason}"))?;
            if let Some(reason) = problem(&part) {
                return Err(reason);
            }
            parts.push(part);
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => break,
                None => {
                    return Err(format!(
                        "`{text}`: a dot was expected after the closing quote"
                    ));
                }
            }
        }
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next(), parts.next()) {
            (Some(name), None, _) => Ok(TableName { schema: None, name }),
            (Some(schema), Some(name), None) => Ok(TableName {
                schema: Some(schema),
                name,
            }),
            _ => Err(format!(
                "`{text}` has more than one dot; write `schema.name`, and a name that contains a dot in double quotes"
            )),
        }
    }

    /// The name for SQL.
    pub(crate) fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quote(schema), quote(&self.name)),
            None => quote(&self.name),
        }
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(schema) = &self.schema {
            write!(formatter, "{schema}.")?;
        }
        formatter.write_str(&self.name)
    }
}

fn first_part(text: &str) -> Result<(String, &str), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        let (part, after) = text.split_at(end);
        return if part.contains('"') {
            Err("a quote inside a name; put the whole name into double quotes".into())
        } else {
            Ok((part.to_owned(), after))
        };
    };
    let mut part = String::new();
    loop {
        let (before, after) = rest
            .split_once('"')
            .ok_or_else(|| String::from("a quote is not closed"))?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                part.push('"');
                rest = next;
            }
            None => return Ok((part, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn table_names() {
        let long = "x".repeat(64);
        let cases = [
            ("sales", Ok(r#""sales""#)),
            ("Shop.Sales", Ok(r#""Shop"."Sales""#)),
            (r#""a.b""#, Ok(r#""a.b""#)),
            (r#"s."a""b""#, Ok(r#""s"."a""b""#)),
            ("x; DROP TABLE y", Ok(r#""x; DROP TABLE y""#)),
            ("", Err("a name is empty")),
            ("a.", Err("a name is empty")),
            (".a", Err("a name is empty")),
            ("a.b.c", Err("more than one dot")),
            (r#""a"#, Err("a quote is not closed")),
            (r#"a"b"#, Err("a quote inside a name")),
            (r#""a"b"#, Err("a dot was expected")),
            ("a\0", Err("U+0000")),
            (&long, Err("has 64 bytes")),
        ];
        for (text, expected) in cases {
            match (TableName::parse(text), expected) {
                (Ok(name), Ok(quoted)) => assert_eq!(name.quoted(), quoted, "{text}"),
                (Err(found), Err(part)) => assert!(found.contains(part), "{text}: {found}"),
                (found, expected) => panic!("{text}: {found:?} instead of {expected:?}"),
            }
        }
    }
}
