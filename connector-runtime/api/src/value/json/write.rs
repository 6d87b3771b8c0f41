//! A value as compact JSON text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::{Kind, Value, ValueRef};

impl Value {
    /// The value as compact JSON.
    pub fn to_json(&self) -> String {
        self.root().to_json()
    }
}

impl ValueRef<'_> {
    /// This node and all below it as compact JSON.
    pub fn to_json(self) -> String {
        let mut out = Vec::with_capacity(64);
        self.write_json(&mut out);
        String::from_utf8(out).expect("JSON text is UTF-8")
    }

    /// Appends compact JSON to `out`. Numbers are written with the digits they came with, bytes in base64 (RFC 4648,
    /// section 4, with padding).
    pub fn write_json(self, out: &mut Vec<u8>) {
        match self.kind() {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::Bool(true) => out.extend_from_slice(b"true"),
            Kind::Bool(false) => out.extend_from_slice(b"false"),
            Kind::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
            Kind::String(content) => write_string(content, out),
            Kind::Bytes(content) => {
                out.push(b'"');
                out.extend_from_slice(STANDARD.encode(content).as_bytes());
                out.push(b'"');
            }
            Kind::Array(elements) => {
                out.push(b'[');
                for (index, element) in elements.enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    element.write_json(out);
                }
                out.push(b']');
            }
            Kind::Object(members) => {
                out.push(b'{');
                for (index, (name, member)) in members.enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_string(name, out);
                    out.push(b':');
                    member.write_json(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Escapes what JSON demands, and the controls U+007F to U+009F: JSON text is printed, and a terminal obeys them.
fn write_string(content: &str, out: &mut Vec<u8>) {
    // 0xc2 leads U+0080 to U+00BF.
    let plain = content
        .bytes()
        .all(|byte| byte >= 0x20 && !matches!(byte, b'"' | b'\\' | 0x7f | 0xc2));
    if plain {
        out.push(b'"');
        out.extend_from_slice(content.as_bytes());
        out.push(b'"');
        return;
    }
    out.push(b'"');
    for character in content.chars() {
        match character {
            '"' => out.extend_from_slice(br#"\""#),
            '\\' => out.extend_from_slice(br"\\"),
            '\n' => out.extend_from_slice(br"\n"),
            '\r' => out.extend_from_slice(br"\r"),
            '\t' => out.extend_from_slice(br"\t"),
            '\u{8}' => out.extend_from_slice(br"\b"),
            '\u{c}' => out.extend_from_slice(br"\f"),
            control if control.is_control() => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
