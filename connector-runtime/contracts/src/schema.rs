//! Contracts that are JSON Schemas: compiled once, and validated against for every record.

mod acceptance;
mod document;
mod effort;
mod equality;
mod explain;
mod folder;
mod formats;
mod graph;
mod keywords;
mod numbers;
mod places;
mod pool;
mod tape;
#[cfg(test)]
mod tests;
mod view;

use std::path::Path;
use std::sync::Arc;

use connect_api::ValueRef;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ReferencingError, ValidationError};

use crate::compiling;
use crate::fault::ValueFault;
use acceptance::Acceptance;
pub(crate) use document::Document;
pub use document::SchemaProblem;
use effort::Choices;
pub(crate) use folder::{Documents, Library, UNRESERVED, id_of, resolve};
use pool::Pool;
use tape::{Tape, TapeNode};
pub use view::type_of;

/// A compiled JSON Schema. Share it: compiling costs a thousand times as much as a validation.
pub struct JsonSchemaContract {
    validator: jsonschema::Validator<Tape>,
    /// Accepts most valid values faster, if the schema allows it.
    acceptance: Option<Pool<Acceptance>>,
    /// Its name in messages: a file, or a subject and its version.
    name: String,
    /// The URI of the schema itself among `documents`.
    uri: String,
    /// The document and all documents that it refers to.
    documents: Documents,
    choices: Choices,
    remarks: Vec<SchemaProblem>,
}

impl JsonSchemaContract {
    /// Compiles the schema in `file`.
    pub(crate) fn of_file(file: &Path) -> Result<JsonSchemaContract, SchemaProblem> {
        let canonical = file.canonicalize().map_err(|_| folder::read(file).err());
        let canonical = match canonical {
            Ok(canonical) => canonical,
            Err(problem) => {
                return Err(problem.unwrap_or_else(|| SchemaProblem {
                    message: "the file cannot be found".to_owned(),
                    file: file.to_path_buf(),
                    line: 1,
                    column: 1,
                    help: None,
                }));
            }
        };
        let document = folder::read(&canonical)?;
        let library = Library::around(&canonical);
        let uri = folder::uri_of(&canonical);
        library.keep(&uri, &document);
        let name = shown_path(file);
        JsonSchemaContract::compile_apart(name, uri, document, library)
    }

    /// Compiles the document of `uri`, whose references resolve only within `documents`. Recurses through them, so it is called on
    /// the thread of [`compiling`].
    pub(crate) fn of_documents(
        name: String,
        uri: String,
        documents: Documents,
    ) -> Result<JsonSchemaContract, SchemaProblem> {
        let Some(document) = documents.get(&uri).cloned() else {
            return Err(SchemaProblem {
                message: "the schema is missing among its own documents".to_owned(),
                file: name.into(),
                line: 1,
                column: 1,
                help: None,
            });
        };
        let library = Library::of(Documents::new());
        for (uri, document) in &documents {
            library.keep(uri, document);
        }
        JsonSchemaContract::compile(name, uri, &document, &library)
    }

    fn compile_apart(
        name: String,
        uri: String,
        document: Arc<Document>,
        library: Library,
    ) -> Result<JsonSchemaContract, SchemaProblem> {
        let schema = Arc::clone(&document);
        compiling::on_own_thread(move || JsonSchemaContract::compile(name, uri, &schema, &library))
            .unwrap_or_else(|message| Err(document.problem("", message)))
    }

    fn compile(
        name: String,
        uri: String,
        document: &Document,
        library: &Library,
    ) -> Result<JsonSchemaContract, SchemaProblem> {
        has_known_draft(document)?;
        let scratch = library.scratch();
        let cost = graph::measure(library.documents(), &uri, &|uri| scratch.with(uri))
            .map_err(|message| document.problem("", message))?;
        let options = numbers::exact(jsonschema::options_for::<Tape>())
            .with_base_uri(uri.clone())
            .with_retriever(library.clone())
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true);
        let built = options.build(&document.value);
        let documents = library.documents();
        if let Some(problem) = library.take_problem() {
            return Err(problem);
        }
        // The validator checks only the first document against the draft's meta-schema.
        let draft = document.value.get("$schema");
        for referenced in documents.values() {
            has_known_draft(referenced)?;
            keeps_to_draft(referenced, draft)?;
        }
        let draft = Draft::default().detect(&document.value);
        let is_known = |draft, format: &str| options.is_known_format(draft, format);
        let mut remarks: Vec<SchemaProblem> = Vec::new();
        for document in documents.values() {
            remarks.extend(formats::unknown_formats(document, draft, &is_known));
        }
        // A document with an `$id` is listed under two URIs.
        remarks.dedup();
        match built {
            Ok(validator) => Ok(JsonSchemaContract {
                choices: Choices::of(&documents, &cost),
                acceptance: Acceptance::of(&document.value, &|format| is_known(draft, format))
                    .map(Pool::new),
                validator,
                name,
                uri,
                documents,
                remarks,
            }),
            Err(error) => Err(problem_of(&error, document, &documents)),
        }
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Notes about a valid schema: formats that are not checked.
    pub fn remarks(&self) -> &[SchemaProblem] {
        &self.remarks
    }

    /// The hot path: allocates nothing for a valid value.
    pub fn validate(&self, value: ValueRef<'_>) -> Result<(), ValueFault> {
        let acceptance = self.acceptance.as_ref();
        if acceptance.is_some_and(|pool| pool.with_one(|one| one.accepts(value))) {
            debug_assert!(
                self.validator.is_valid(TapeNode::Value(value)),
                "only what the validator accepts is accepted without it"
            );
            return Ok(());
        }
        if self.validator.is_valid(TapeNode::Value(value)) {
            return Ok(());
        }
        if !self.choices.are_few_for(value) {
            return Err(explain::without_reason(self, value));
        }
        match self.validator.validate(TapeNode::Value(value)) {
            Ok(()) => Ok(()),
            Err(error) => Err(explain::rejection(self, value, &error)),
        }
    }
}

impl std::fmt::Debug for JsonSchemaContract {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("JsonSchemaContract")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The path relative to the working directory, if it is below it: shorter, and as it was typed.
fn shown_path(file: &Path) -> String {
    let working_directory = std::env::current_dir().unwrap_or_default();
    let shown = file.strip_prefix(working_directory).unwrap_or(file);
    shown.display().to_string()
}

/// Whether a document is valid by its draft's meta-schema. A document without `$schema` has the draft of the referring document.
fn keeps_to_draft(
    document: &Document,
    draft: Option<&serde_json::Value>,
) -> Result<(), SchemaProblem> {
    let mut schema = document.value.clone();
    if let (Some(members), Some(draft)) = (schema.as_object_mut(), draft) {
        members.entry("$schema").or_insert_with(|| draft.clone());
    }
    jsonschema::meta::validate(&schema)
        .map_err(|error| problem_of(&error, document, &Documents::new()))
}

/// Describes why a schema does not compile, with its location.
fn problem_of(
    error: &ValidationError<'_>,
    document: &Document,
    documents: &Documents,
) -> SchemaProblem {
    if let ValidationErrorKind::Referencing(reason) = error.kind() {
        return reference_problem(reason, document, documents);
    }
    let pointer = error.instance_path().as_str();
    let place = error
        .absolute_keyword_location()
        .and_then(|location| documents.get(folder::without_fragment(location.as_str())))
        .map_or(document, |found| found);
    if pointer.ends_with("/pattern") || pointer.contains("/patternProperties") {
        let message = format!(
            "this regular expression is not taken: {}",
            explain::literal_json(error.instance())
        );
        let mut problem = place.problem(pointer, message);
        problem.help = Some(
            "patterns run in linear time: look-ahead, look-behind and back-references are not available"
                .to_owned(),
        );
        return problem;
    }
    let keyword = pointer.rsplit('/').next().unwrap_or_default();
    let found = explain::literal_json(error.instance());
    let message = match (error.kind(), keyword) {
        (_, "type") => format!("`type` cannot be {found}"),
        (ValidationErrorKind::Type { kind }, "") => {
            format!(
                "a JSON Schema is {}, and this is {found}",
                explain::type_words(kind)
            )
        }
        (ValidationErrorKind::Type { kind }, _) => {
            format!(
                "`{keyword}` is {found}, and it must be {}",
                explain::type_words(kind)
            )
        }
        _ => format!("this is not a valid JSON Schema: {error}"),
    };
    let mut problem = place.problem(pointer, connect_api::text::cut(&message, 300));
    problem.help = help_for(keyword, error.instance()).map(str::to_owned);
    problem
}

/// What to write instead. Forms of older drafts are recognized by their types.
fn help_for(keyword: &str, found: &serde_json::Value) -> Option<&'static str> {
    match (keyword, found) {
        ("type", serde_json::Value::String(any)) if any == "any" => {
            Some("this is the form of draft 3: leave `type` out where every type is allowed")
        }
        ("type", _) => Some(
            "types are \"array\", \"boolean\", \"integer\", \"null\", \"number\", \"object\", \"string\", or a list of these",
        ),
        ("required", serde_json::Value::Bool(_)) => Some(
            "this is the form of draft 3: list the names of the members that must be there in the object, \"required\": [\"name\"]",
        ),
        ("exclusiveMinimum" | "exclusiveMaximum", serde_json::Value::Bool(_)) => Some(
            "this is the form of draft 4: write the bound itself, as in \"exclusiveMinimum\": 0, or \"$schema\": \"http://json-schema.org/draft-04/schema#\"",
        ),
        ("items", serde_json::Value::Array(_)) => Some(
            "this is the form of draft 2019-09 and before: write `prefixItems`, or name the draft, \"$schema\": \"http://json-schema.org/draft-07/schema#\"",
        ),
        _ => None,
    }
}

fn reference_problem(
    reason: &ReferencingError,
    document: &Document,
    documents: &Documents,
) -> SchemaProblem {
    let draft = document
        .value
        .get("$schema")
        .and_then(serde_json::Value::as_str);
    let (sought, message) = match reason {
        ReferencingError::UnknownSpecification { .. }
        | ReferencingError::CircularMetaschema { .. } => {
            return unknown_draft(document);
        }
        ReferencingError::Unretrievable { uri, .. }
            if draft.is_some_and(|draft| draft.trim_end_matches('#') == uri) =>
        {
            return unknown_draft(document);
        }
        ReferencingError::Unretrievable { uri, source } => {
            (uri.clone(), format!("`$ref` to {uri}: {source}"))
        }
        other => (String::new(), format!("this `$ref` leads nowhere: {other}")),
    };
    // The validator does not report the referring document, so search for a `$ref` that resolves to the URI.
    for (base, found) in documents {
        let base = id_of(base, &found.value).unwrap_or_else(|| base.clone());
        let leads_there = |reference: &str| match reason {
            ReferencingError::PointerToNowhere { pointer } => reference
                .rsplit('#')
                .next()
                .is_some_and(|fragment| fragment == pointer),
            ReferencingError::NoSuchAnchor { anchor }
            | ReferencingError::InvalidAnchor { anchor } => reference
                .rsplit('#')
                .next()
                .is_some_and(|fragment| fragment == anchor),
            _ => resolve(&base, reference).is_some_and(|uri| {
                folder::without_fragment(&uri) == folder::without_fragment(&sought)
            }),
        };
        if let Some(pointer) = places::pointer_of_reference(&found.value, &leads_there) {
            return found.problem(&pointer, message);
        }
    }
    document.problem("", message)
}

/// Checked before the validator, whose error about an unknown `$schema` mentions features of its build.
fn has_known_draft(document: &Document) -> Result<(), SchemaProblem> {
    if Draft::default().detect(&document.value) == Draft::Unknown {
        return Err(unknown_draft(document));
    }
    Ok(())
}

fn unknown_draft(document: &Document) -> SchemaProblem {
    let named = document.value.get("$schema");
    let named = named.and_then(serde_json::Value::as_str);
    let is_ancient = named.is_some_and(|uri| {
        ["draft-00", "draft-01", "draft-02", "draft-03"]
            .iter()
            .any(|draft| uri.contains(draft))
    });
    let message = if is_ancient {
        "this draft of JSON Schema is too old: draft 4 is the first that is read"
    } else {
        "this `$schema` is not known"
    };
    let mut problem = document.problem("/$schema", message.to_owned());
    problem.help = Some(if is_ancient {
        "write \"http://json-schema.org/draft-07/schema#\"; `required` becomes a list of names in the object, `divisibleBy` becomes `multipleOf`, `extends` becomes `allOf`, `disallow` becomes `not`"
            .to_owned()
    } else {
        "write \"https://json-schema.org/draft/2020-12/schema\" or \"http://json-schema.org/draft-07/schema#\""
            .to_owned()
    });
    problem
}
