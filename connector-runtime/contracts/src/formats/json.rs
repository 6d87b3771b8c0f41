//! The format `json`: one JSON document, alone or after the id of a JSON Schema in the registry.

use std::sync::Arc;

use bytes::Bytes;
use connect_api::{Cause, JsonReader, Value, ValueLimits, ValueRef};
use parking_lot::Mutex;

use super::{Codec, CompiledCodec, FormatEntry, Plain, Registered};
use crate::fault::ValueFault;
use crate::looks_like::instead_of_json;
use crate::registry::SchemaSource;
use crate::schema::{Document, Documents, JsonSchemaContract, id_of, resolve};
use connect_api::text::cut;

pub(super) static ENTRY: FormatEntry = FormatEntry {
    name: "json",
    about: "One JSON document (RFC 8259).",
    plain: Some(Plain {
        compile: |_| Ok(Arc::new(Json(DocumentReader::new()))),
        takes_write_schema: false,
    }),
    registered: Some(Registered {
        schema_type: "JSON",
        schema_name: "JSON Schema",
        compile,
        record_name,
        validates: true,
    }),
    has_fields: true,
};

/// Documents of one schema. Relative references could otherwise name new documents endlessly.
const MOST_DOCUMENTS: usize = 1_000;

/// JSON without a schema.
struct Json(DocumentReader);

impl Codec for Json {
    fn decode(&self, payload: &Bytes) -> Result<Value, ValueFault> {
        self.0.read(payload)
    }

    fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault> {
        value.write_json(out);
        Ok(())
    }
}

/// JSON that is validated against a schema.
struct ValidJson {
    reader: DocumentReader,
    schema: JsonSchemaContract,
}

impl Codec for ValidJson {
    fn decode(&self, payload: &Bytes) -> Result<Value, ValueFault> {
        let value = self.reader.read(payload)?;
        self.schema.validate(value.root())?;
        Ok(value)
    }

    fn encode(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault> {
        self.schema.validate(value)?;
        value.write_json(out);
        Ok(())
    }

    fn validate(&self, value: ValueRef<'_>) -> Result<(), ValueFault> {
        self.schema.validate(value)
    }
}

/// Reads documents that are mostly alike.
pub(super) struct DocumentReader(Mutex<JsonReader>);

impl DocumentReader {
    pub(super) fn new() -> DocumentReader {
        DocumentReader(Mutex::new(JsonReader::new(ValueLimits::default())))
    }

    pub(super) fn read(&self, payload: &Bytes) -> Result<Value, ValueFault> {
        // Only the codecs of the registry are shared by tasks. A task never waits for the reader: while another one uses it,
        // it parses without remembered shapes.
        let read = match self.0.try_lock() {
            Some(mut reader) => reader.read(payload.clone()),
            None => Value::parse_json(payload.clone(), ValueLimits::default()),
        };
        read.map_err(|error| {
            let reason = cut(&error.to_string(), 200);
            ValueFault::decode_of(
                payload,
                match instead_of_json(payload) {
                    Some(appearance) => format!("not JSON: {appearance}"),
                    None => format!("not JSON: {reason}"),
                },
            )
        })
    }
}

fn compile(source: &SchemaSource) -> CompiledCodec {
    let documents = documents(source)?;
    JsonSchemaContract::of_documents(source.name.clone(), source.uri.clone(), documents)
        .map(|schema| {
            let reader = DocumentReader::new();
            Arc::new(ValidJson { reader, schema }) as Arc<dyn Codec>
        })
        .map_err(|problem| Cause::from(problem).to_string())
}

/// The schema and everything that it refers to, by the URI to which the `$ref` resolves.
fn documents(source: &SchemaSource) -> Result<Documents, String> {
    let mut documents = Documents::new();
    let mut open = vec![(
        source.uri.clone(),
        source.name.clone(),
        source.text.as_str(),
        source.references.as_slice(),
    )];
    while let Some((uri, name, text, references)) = open.pop() {
        let document = Document::parse(name.into(), text.to_owned())
            .map_err(|problem| Cause::from(problem).to_string())?;
        if documents.len() == MOST_DOCUMENTS {
            return Err(format!(
                "it consists of more than {MOST_DOCUMENTS} documents"
            ));
        }
        let base = id_of(&uri, &document.value).unwrap_or_else(|| uri.clone());
        documents.insert(uri, document);
        for reference in references {
            // A reference's name is the text of the `$ref`, relative to the schema that contains it.
            let uri = resolve(&base, &reference.name).unwrap_or_else(|| reference.name.clone());
            if documents.contains_key(&uri) {
                continue;
            }
            let found = source.referenced(reference);
            open.push((uri, reference.to_string(), &found.text, &found.references));
        }
    }
    Ok(documents)
}

/// The `title`, which Confluent's serializers use as the record name of a JSON Schema.
fn record_name(schema: &str) -> Result<String, Cause> {
    let parsed: Option<serde_json::Value> = serde_json::from_str(schema).ok();
    let title = parsed
        .as_ref()
        .and_then(|schema| schema.get("title")?.as_str());
    title.map(str::to_owned).ok_or_else(|| {
        Cause::new("the JSON Schema has no `title`, which is the name of its record")
    })
}
