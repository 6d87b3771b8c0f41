//! `digest`: the SHA-2 digest of a field, as hexadecimal digits.

use connect_api::{
    Cause, Explanation, Field, Fields, Finding, Record, Step, Transform, TransformPlugin, Value,
    ValueRef,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

use crate::content::Encoding;
use crate::part::{self, Part};

/// The plugin `digest`.
pub struct Digest;

/// Computes the digest of a field, as lower-case hexadecimal digits. Text is hashed as its UTF-8 bytes, bytes as they
/// are; any other type rejects the record. `null` stays `null`, and a missing field changes nothing. Where the digest replaces the
/// content, a record with another type on the way of the path is rejected, because it may hold the content elsewhere. A digest of an
/// e-mail address or a phone number can be reversed by trying all of them: it identifies, it does not anonymise.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The field to hash: a name, or a path such as `$.customer.email`.
    field: Field,
    /// The field that receives the digest. Default: the digest replaces the content.
    #[serde(default)]
    to: Option<Field>,
    /// The algorithm (FIPS 180-4).
    #[serde(default)]
    algorithm: Algorithm,
    /// What the text of the field means: `utf8` or, to hash what is encoded, `base64`.
    #[serde(default)]
    encoding: Encoding,
    /// Whether the fields are those of the value or of the key.
    #[serde(default)]
    on: Part,
}

/// A digest algorithm of the SHA-2 family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Algorithm {
    #[default]
    Sha256,
    Sha512,
}

impl Algorithm {
    fn hex(self, content: &[u8]) -> String {
        match self {
            Algorithm::Sha256 => hex_digits(&Sha256::digest(content)),
            Algorithm::Sha512 => hex_digits(&Sha512::digest(content)),
        }
    }
}

fn hex_digits(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A built `digest`.
pub struct DigestField {
    from: Field,
    to: Target,
    algorithm: Algorithm,
    encoding: Encoding,
    on: Part,
}

/// Where the digest goes.
enum Target {
    Field(Field),
    /// It replaces the content at this path.
    InPlace(Fields),
}

impl TransformPlugin for Digest {
    const NAME: &'static str = "digest";
    const ABOUT: &'static str = "computes the SHA-256 of a field";
    const EXAMPLE: &'static str = r#"[[transforms]]
type     = "digest"
field    = "image"
encoding = "base64"
to       = "sha256"
"#;
    const EXPLANATIONS: &'static [Explanation] = &[];
    type Config = Config;
    type Transform = DigestField;

    fn build(config: &Config) -> Result<DigestField, Finding> {
        let to = match &config.to {
            Some(to) => Target::Field(to.clone()),
            None => Target::InPlace(
                Fields::parse(&config.field.to_string())
                    .expect("the path of a field is one of fields"),
            ),
        };
        Ok(DigestField {
            from: config.field.clone(),
            to,
            algorithm: config.algorithm,
            encoding: config.encoding,
            on: config.on,
        })
    }
}

impl Transform for DigestField {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        self.on.edit(record, |part| match &self.to {
            Target::InPlace(fields) => {
                part.replace_each(fields, |_, found| self.digest(found).map(Some))?;
                Ok(())
            }
            Target::Field(to) => match self.from.get(part) {
                Some(found) => {
                    let digest = self.digest(found)?;
                    part::insert(part, to, digest)
                }
                None => Ok(()),
            },
        })
    }

    fn uses_key(&self) -> bool {
        self.on.is_key()
    }
}

impl DigestField {
    fn digest(&self, found: ValueRef<'_>) -> Result<Value, Cause> {
        if found.is_null() {
            return Ok(Value::null());
        }
        let content = self.encoding.bytes(&self.from, found)?;
        Ok(Value::string(&self.algorithm.hex(&content)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_testkit::transforms::check;

    /// SHA-256 of `abc` (FIPS 180-2, appendix B.1).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn text_and_bytes_are_hashed() {
        let in_place = format!(r#"{{"a":"{ABC}"}}"#);
        let beside = format!(r#"{{"a":"abc","d":{{"x":"{ABC}"}}}}"#);
        let decoded = format!(r#"{{"a":"YWJj","d":"{ABC}"}}"#);
        let of_key = format!(r#""{ABC}" => {{}}"#);
        for (config, start, expected) in [
            ("field = 'a'", r#"{"a":"abc"}"#, &*in_place),
            ("field = 'a'\nto = '$.d.x'", r#"{"a":"abc"}"#, &*beside),
            (
                "field = 'a'\nto = 'd'\nencoding = 'base64'",
                r#"{"a":"YWJj"}"#,
                &*decoded,
            ),
            ("field = '$'\non = 'key'", r#""abc" => {}"#, &*of_key),
            (
                "field = 'a'\nalgorithm = 'sha512'",
                r#"{"a":""}"#,
                r#"{"a":"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"}"#,
            ),
            (
                "field = 'a'\nto = 'd'",
                r#"{"a":null}"#,
                r#"{"a":null,"d":null}"#,
            ),
            ("field = 'a'\nto = 'd'", r#"{"b":1}"#, r#"{"b":1}"#),
            ("field = 'a'", "-", "-"),
        ] {
            check::<Digest>(config, start, expected);
        }
    }

    #[test]
    fn what_has_no_bytes_is_rejected() {
        for (config, start, expected) in [
            (
                "field = 'a'",
                r#"{"a":1.50}"#,
                "!$.a is a number of 3 digits; text or bytes are expected",
            ),
            ("field = 'a'", r#"{"a":{}}"#, "!an object of 0 members"),
            (
                "field = '$.customer.email'",
                r#"{"customer":[{"email":"a@b.c"}]}"#,
                "!array found at $.customer",
            ),
            ("field = 'a'", r#"{"a":true}"#, "!a boolean"),
            (
                "field = 'a'\nencoding = 'base64'",
                r#"{"a":"abc"}"#,
                "!$.a is not Base64",
            ),
            (
                "field = 'a'\nencoding = 'base64'",
                r#"{"a":"YW Jj"}"#,
                "!$.a is not Base64",
            ),
        ] {
            check::<Digest>(config, start, expected);
        }
    }
}
