//! Collects and parses the .proto files of a schema: its own, those of its references, and the well-known ones.
//!
//! A schema is untrusted. The number of its files, their text and their names are bounded here, before names are resolved.
//! Options, services and extensions are dropped: bytes do not depend on them, and their imports may be missing.

use std::collections::{HashMap, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use prost_types::field_descriptor_proto::Type;
use prost_types::uninterpreted_option::NamePart;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto, MessageOptions,
    UninterpretedOption,
};

use super::well_known;
use crate::registry::{SchemaReference, SchemaSource};

/// Bytes of all files. One service imports a tenth of it from Google's own API definitions.
const MOST_TEXT: usize = 2 << 20;
/// A file and all that it imports, directly or not.
const MOST_FILES: usize = 200;

/// A parsed file and its imports.
pub(super) struct ProtoFile {
    pub(super) descriptor: FileDescriptorProto,
    /// Whether it was written as text. A descriptor contains the messages that represent `map<…>` and `group`, too.
    pub(super) is_text: bool,
    pub(super) imports: Vec<Import>,
    /// Imports that cannot be resolved. They are an error only if a type is missing.
    pub(super) missing: Vec<String>,
}

pub(super) struct Import {
    /// Index of the file.
    pub(super) file: usize,
    /// Whether files that import the importing file see it too (`import public`).
    pub(super) is_public: bool,
}

/// The identity of a file: where it comes from.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Origin {
    Root,
    Registry { subject: String, version: u32 },
    WellKnown(&'static str),
}

struct Pending<'s> {
    name: String,
    text: &'s str,
    references: &'s [SchemaReference],
}

struct Gatherer<'s> {
    source: &'s SchemaSource,
    indexes: HashMap<Origin, usize>,
    open: VecDeque<Pending<'s>>,
    text: usize,
}

/// The schema's own file, and then everything that it imports.
pub(super) fn gather(source: &SchemaSource) -> Result<Vec<ProtoFile>, String> {
    let mut gatherer = Gatherer {
        source,
        indexes: HashMap::new(),
        open: VecDeque::new(),
        text: 0,
    };
    gatherer.index_of(
        Origin::Root,
        Pending {
            name: "schema.proto".to_owned(),
            text: &source.text,
            references: &source.references,
        },
    )?;
    let mut files = Vec::new();
    while let Some(pending) = gatherer.open.pop_front() {
        files.push(gatherer.file(&pending)?);
    }
    Ok(files)
}

impl<'s> Gatherer<'s> {
    fn file(&mut self, pending: &Pending<'s>) -> Result<ProtoFile, String> {
        let (descriptor, is_text) = parse(&pending.name, pending.text)?;
        let mut imports = Vec::new();
        let mut missing = Vec::new();
        for (index, name) in descriptor.dependency.iter().enumerate() {
            let Some((origin, imported)) = self.find(name, pending.references) else {
                missing.push(name.clone());
                continue;
            };
            let public = i32::try_from(index).ok();
            imports.push(Import {
                file: self.index_of(origin, imported)?,
                is_public: public
                    .is_some_and(|index| descriptor.public_dependency.contains(&index)),
            });
        }
        Ok(ProtoFile {
            descriptor,
            is_text,
            imports,
            missing,
        })
    }

    /// A well-known file is always the bundled one, so that a timestamp has one definition in all schemas. Serializers attach
    /// references of references to the schema itself, so its own references are searched, too.
    fn find(&self, name: &str, references: &'s [SchemaReference]) -> Option<(Origin, Pending<'s>)> {
        if let Some((name, text)) = well_known::file(name) {
            let pending = Pending {
                name: name.to_owned(),
                text,
                references: &[],
            };
            return Some((Origin::WellKnown(name), pending));
        }
        let mut known = references.iter().chain(&self.source.references);
        let reference = known.find(|reference| reference.name == name)?;
        let found = self.source.referenced(reference);
        let origin = Origin::Registry {
            subject: reference.subject.clone(),
            version: reference.version,
        };
        let pending = Pending {
            name: name.to_owned(),
            text: &found.text,
            references: &found.references,
        };
        Some((origin, pending))
    }

    fn index_of(&mut self, origin: Origin, pending: Pending<'s>) -> Result<usize, String> {
        if let Some(index) = self.indexes.get(&origin) {
            return Ok(*index);
        }
        let index = self.indexes.len();
        self.text += pending.text.len();
        if index == MOST_FILES {
            return Err(format!("it imports more than {MOST_FILES} files"));
        }
        if self.text > MOST_TEXT {
            return Err(format!(
                "its files have more than {MOST_TEXT} bytes in total"
            ));
        }
        self.indexes.insert(origin, index);
        self.open.push_back(pending);
        Ok(index)
    }
}

/// Parses the text of a .proto file, or the base64 of its descriptor, which Python's serializers register. Returns whether it was
/// text.
fn parse(name: &str, text: &str) -> Result<(FileDescriptorProto, bool), String> {
    let compiled = STANDARD.decode(text.trim()).ok();
    let compiled = compiled.filter(|bytes| !bytes.is_empty());
    let is_text = compiled.is_none();
    let mut file = match compiled {
        Some(bytes) => FileDescriptorProto::decode(&*bytes)
            .map_err(|error| format!("{name} is neither text nor a file descriptor: {error}"))?,
        None => parse_text(name, text)?,
    };
    if !matches!(file.syntax(), "" | "proto2" | "proto3") {
        return Err(format!(
            "{name} uses an edition of protobuf; only proto2 and proto3 are supported"
        ));
    }
    strip(&mut file)?;
    Ok((file, is_text))
}

fn parse_text(name: &str, text: &str) -> Result<FileDescriptorProto, String> {
    protox_parse::parse(name, text).map_err(|error| {
        let has_edition = text.lines().any(|line| line.starts_with("edition"));
        let help = if has_edition {
            " (editions are not supported, only proto2 and proto3)"
        } else {
            ""
        };
        let line = error.span().and_then(|span| text.get(..span.start));
        let line = line.map(|before| before.matches('\n').count() + 1);
        let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
        format!("{name}{line}: {error}{help}")
    })
}

/// The full name of the first message of a file.
pub(super) fn first_message(text: &str) -> Result<Option<String>, String> {
    let (file, _) = parse("schema.proto", text)?;
    let Some(message) = file.message_type.first() else {
        return Ok(None);
    };
    Ok(Some(match file.package() {
        "" => message.name().to_owned(),
        package => format!("{package}.{}", message.name()),
    }))
}

/// Removes everything that the bytes do not depend on.
fn strip(file: &mut FileDescriptorProto) -> Result<(), String> {
    file.source_code_info = None;
    file.options = None;
    file.service.clear();
    drop_extensions(&mut file.extension)?;
    file.message_type.iter_mut().try_for_each(strip_message)
}

/// Recursion is bounded by the parser and the decoder of descriptors, which allow 100 levels.
fn strip_message(message: &mut DescriptorProto) -> Result<(), String> {
    message.options = message.options.take().and_then(|mut options| {
        let is_written = word_of(&options.uninterpreted_option, "map_entry") == Some("true");
        let is_entry = options.map_entry() || is_written;
        options.uninterpreted_option.retain(|_| is_written);
        is_entry.then(|| MessageOptions {
            map_entry: Some(true),
            uninterpreted_option: options.uninterpreted_option,
            ..MessageOptions::default()
        })
    });
    for field in &mut message.field {
        let packed = field.options.as_ref().and_then(|options| {
            let word = word_of(&options.uninterpreted_option, "packed");
            options.packed.or(word.map(|word| word == "true"))
        });
        field.options = packed.map(|packed| FieldOptions {
            packed: Some(packed),
            ..FieldOptions::default()
        });
    }
    drop_extensions(&mut message.extension)?;
    message.nested_type.iter_mut().try_for_each(strip_message)
}

/// A group in `extend` defines a message, and serializers disagree whether it has an index.
fn drop_extensions(extensions: &mut Vec<FieldDescriptorProto>) -> Result<(), String> {
    if let Some(group) = extensions
        .iter()
        .find(|field| field.r#type() == Type::Group)
    {
        return Err(format!("the extension {} is a group", group.name()));
    }
    extensions.clear();
    Ok(())
}

/// The identifier that the named option is set to.
fn word_of<'o>(options: &'o [UninterpretedOption], name: &str) -> Option<&'o str> {
    let is_named = |option: &&UninterpretedOption| matches!(&*option.name, [NamePart { name_part, is_extension: false }] if name_part == name);
    options.iter().find(is_named)?.identifier_value.as_deref()
}
