//! The URL of a request: a template whose placeholders are filled from the record, percent-encoded.

use connect_api::{Cause, Key, Record, Reference, Resolved, Template, time};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::Per;

/// Everything but the unreserved characters of RFC 3986, section 2.3: what a record holds stays within its segment.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A checked template.
pub(crate) struct UrlTemplate {
    template: Template,
    references: Vec<(String, Source)>,
}

/// What a placeholder means.
#[derive(Clone, Debug)]
enum Source {
    Topic,
    Partition,
    Offset,
    Reference(Reference),
}

impl UrlTemplate {
    /// `Err` says which placeholder cannot be there.
    pub(crate) fn new(template: &Template, per: Per) -> Result<UrlTemplate, String> {
        let text = template.to_string();
        let before = text.split_once('{').map_or(&*text, |(before, _)| before);
        let host = before.split_once("://").map_or("", |(_, rest)| rest);
        if text.contains('{') && !host.contains(['/', '?']) {
            return Err(
                "`url` has a placeholder before its path; a record never chooses the host".into(),
            );
        }
        let mut references = Vec::new();
        for (name, format) in template.placeholders() {
            let source = source_of(name, format)?;
            if per == Per::Batch && !matches!(source, Source::Topic | Source::Partition) {
                return Err(format!(
                    "`{{{name}}}` differs from record to record; with per = \"batch\" a URL has {{topic}} and {{partition}}"
                ));
            }
            references.push((name.to_owned(), source));
        }
        Ok(UrlTemplate {
            template: template.clone(),
            references,
        })
    }

    /// The URL of an imaginary record.
    pub(crate) fn example(&self) -> String {
        let filled = self.template.fill(|_, _| Ok::<_, ()>("x".to_owned()));
        filled.expect("the example of a placeholder is always there")
    }

    pub(crate) fn of_record(&self, record: &Record) -> Result<String, Cause> {
        self.template.fill(|name, _| {
            let text = self.text(name, record)?;
            // Clients resolve such segments, also encoded: the request would go to another path.
            if matches!(&*text, "" | "." | "..") {
                return Err(Cause::new(format!(
                    "`{{{name}}}` of the URL is {text:?}, which no segment of a path can be"
                )));
            }
            Ok(utf8_percent_encode(&text, RESERVED).to_string())
        })
    }

    fn text(&self, name: &str, record: &Record) -> Result<String, Cause> {
        let source = self.references.iter().find(|(known, _)| known == name);
        let (_, source) = source.expect("every placeholder has been checked");
        let origin = &record.origin;
        let reference = match source {
            Source::Topic => return Ok(origin.topic.to_string()),
            Source::Partition => return Ok(origin.partition.to_string()),
            Source::Offset => return Ok(origin.offset.to_string()),
            Source::Reference(reference) => reference,
        };
        let resolved = reference
            .resolve(record, None, time::now_ms())
            .map_err(Cause::new)?;
        if let Resolved::Value(value) = &resolved
            && (value.is_null() || value.elements().is_some() || value.members().is_some())
        {
            let message = format!(
                "`{{{name}}}` of the URL is {}; text, a number or a boolean is expected",
                value.type_name()
            );
            return Err(Cause::new(message));
        }
        let missing = || Cause::new(format!("`{{{name}}}` of the URL is missing"));
        let bytes = match &resolved {
            Resolved::Value(value) => Key::bytes_of(*value),
            other => other.key_bytes().ok_or_else(missing)?,
        };
        String::from_utf8(bytes.to_vec())
            .map_err(|_| Cause::new(format!("`{{{name}}}` of the URL is not text")))
    }
}

fn source_of(name: &str, format: Option<&str>) -> Result<Source, String> {
    if let Some(format) = format {
        return Err(format!("`{{{name}:{format}}}`: a URL has no formats"));
    }
    match name {
        "topic" => Ok(Source::Topic),
        "partition" => Ok(Source::Partition),
        "offset" => Ok(Source::Offset),
        _ if name.starts_with(['$', '@', '#']) => {
            let reference = Reference::parse(name)?;
            if reference.needs_element() {
                return Err(format!(
                    "`{name}` refers to an element of `each`; this sink has no `each`"
                ));
            }
            Ok(Source::Reference(reference))
        }
        _ => Err(format!(
            "`{{{name}}}` is not known; a URL has {{topic}}, {{partition}}, {{offset}}, {{$.path}} and metadata such as {{#key}}"
        )),
    }
}
