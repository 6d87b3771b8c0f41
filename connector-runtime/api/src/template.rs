//! Templates: text with placeholders, such as the path of an object or the name of a topic.

use std::fmt;
use std::sync::Arc;

use crate::leaf::leaf_type;

/// Text with placeholders: `{topic}/date={timestamp:%Y-%m-%d}/{partition}`. `{{` and `}}` are braces. Which names a
/// placeholder can have, and what they mean, is up to the plugin.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    text: Arc<str>,
    parts: Arc<[TemplatePart]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplatePart {
    Literal(String),
    Placeholder {
        name: String,
        /// What follows the first colon; a path such as `$.a` has none.
        format: Option<String>,
    },
}

impl Template {
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(brace) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(brace);
            literal.push_str(before);
            rest = if let Some(behind) = from_brace.strip_prefix("{{") {
                literal.push('{');
                behind
            } else if let Some(behind) = from_brace.strip_prefix("}}") {
                literal.push('}');
                behind
            } else if let Some(opened) = from_brace.strip_prefix('{') {
                let Some((inside, behind)) = opened.split_once('}') else {
                    return Err(format!(
                        "`{text}`: `{{` opens a placeholder that no `}}` closes"
                    ));
                };
                if !literal.is_empty() {
                    parts.push(TemplatePart::Literal(std::mem::take(&mut literal)));
                }
                parts.push(placeholder(text, inside)?);
                behind
            } else {
                return Err(format!("`{text}`: write `}}}}` for a brace"));
            };
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(TemplatePart::Literal(literal));
        }
        Ok(Template {
            text: text.into(),
            parts: parts.into(),
        })
    }

    /// The text with every placeholder replaced by what `value` says for its name and format.
    pub fn fill<E>(
        &self,
        mut value: impl FnMut(&str, Option<&str>) -> Result<String, E>,
    ) -> Result<String, E> {
        let mut filled = String::with_capacity(self.text.len());
        for part in self.parts.iter() {
            match part {
                TemplatePart::Literal(literal) => filled.push_str(literal),
                TemplatePart::Placeholder { name, format } => {
                    filled.push_str(&value(name, format.as_deref())?);
                }
            }
        }
        Ok(filled)
    }

    /// The names of the placeholders, with their formats, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Literal(_) => None,
            TemplatePart::Placeholder { name, format } => Some((&**name, format.as_deref())),
        })
    }
}

fn placeholder(text: &str, inside: &str) -> Result<TemplatePart, String> {
    let (name, format) = match inside.split_once(':') {
        Some((name, format)) => (name, Some(format.to_owned())),
        None => (inside, None),
    };
    if name.is_empty() {
        return Err(format!(
            "`{text}`: a placeholder has a name, such as {{topic}}"
        ));
    }
    Ok(TemplatePart::Placeholder {
        name: name.to_owned(),
        format,
    })
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

leaf_type!(Template {
    const FORMAT: &'static str = "template";
    const ABOUT: &'static str = "Text with placeholders: `{topic}/{timestamp:%Y-%m-%d}`; `{{` and `}}` are braces.";
    const EXPECTED: &'static str = "text with placeholders such as \"{topic}-{timestamp:%Y%m%d}\"";
    const STAND_IN: Option<&'static str> = Some("x");
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{a}", "<a>"),
            ("x{a}{b:%H:%M}y", "x<a><b|%H:%M>y"),
            ("{{a}}{a}}}", "{a}<a>}"),
            ("ü{$.k}ß", "ü<$.k>ß"),
        ] {
            let template = Template::parse(text).expect("a template");
            let filled = template.fill(|name, format| {
                Ok::<_, ()>(match format {
                    Some(format) => format!("<{name}|{format}>"),
                    None => format!("<{name}>"),
                })
            });
            assert_eq!(filled.as_deref(), Ok(expected), "{text}");
            assert_eq!(template.to_string(), text);
        }
    }

    #[test]
    fn braces_that_do_not_match_are_refused() {
        for (text, message) in [
            ("{a", "no `}` closes"),
            ("a}", "write `}}` for a brace"),
            ("{}", "has a name"),
            ("{:x}", "has a name"),
        ] {
            let reason = Template::parse(text).expect_err("a reason");
            assert!(reason.contains(message), "{text}: {reason}");
        }
    }
}
