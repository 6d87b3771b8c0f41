//! The registry of plugins: typed for their authors, erased for the engine by one adapter for each kind.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::Schema;

use crate::check::CheckContext;
use crate::failure::Result;
use crate::finding::{Explanation, Finding};
use crate::progress::ProgressHome;
use crate::sink::{Sink, SinkContext, SinkPlugin};
use crate::source::{Source, SourceContext, SourcePlugin};
use crate::transform::{Transform, TransformPlugin};

/// All plugins of a binary. `main` builds it, with one line for each plugin.
#[derive(Default)]
pub struct Plugins {
    sinks: Vec<PluginEntry<Arc<dyn SinkFactory>>>,
    sources: Vec<PluginEntry<Arc<dyn SourceFactory>>>,
    transforms: Vec<PluginEntry<Arc<dyn TransformFactory>>>,
}

/// What a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginKind {
    Sink,
    Source,
    Transform,
}

impl PluginKind {
    /// Its name in messages.
    pub fn word(self) -> &'static str {
        match self {
            PluginKind::Sink => "sink",
            PluginKind::Source => "source",
            PluginKind::Transform => "transform",
        }
    }
}

/// The description of a plugin of any kind.
#[derive(Clone, Copy)]
pub struct PluginAbout {
    pub kind: PluginKind,
    /// The word in `type = "…"`.
    pub name: &'static str,
    pub about: &'static str,
    pub example: &'static str,
    pub explanations: &'static [Explanation],
    /// The JSON Schema of the plugin's own keys (draft 7, without `$ref`).
    pub schema: fn() -> Schema,
}

/// One plugin, as the engine sees it.
pub struct PluginEntry<Factory> {
    /// The word in `type = "…"`.
    pub name: &'static str,
    pub about: &'static str,
    pub example: &'static str,
    pub explanations: &'static [Explanation],
    /// The JSON Schema of the plugin's own keys (draft 7, without `$ref`).
    pub schema: fn() -> Schema,
    /// Builds the factory from a table that is valid against that schema. `Err` is a problem that only deserializing finds.
    pub configure: fn(serde_json::Value) -> Result<Factory, String>,
}

impl<Factory> PluginEntry<Factory> {
    fn about(&self, kind: PluginKind) -> PluginAbout {
        PluginAbout {
            kind,
            name: self.name,
            about: self.about,
            example: self.example,
            explanations: self.explanations,
            schema: self.schema,
        }
    }
}

macro_rules! entry {
    ($plugin:ident, $configured:ident) => {
        PluginEntry {
            name: $plugin::NAME,
            about: $plugin::ABOUT,
            example: $plugin::EXAMPLE,
            explanations: $plugin::EXPLANATIONS,
            schema: schema_of::<$plugin::Config>,
            configure: |table| Ok(Arc::new($configured::<$plugin>(parse(table)?))),
        }
    };
}

impl Plugins {
    pub fn new() -> Plugins {
        Plugins::default()
    }

    pub fn sink<P: SinkPlugin>(mut self) -> Self {
        self.sinks.push(entry!(P, ConfiguredSink));
        self
    }

    pub fn source<P: SourcePlugin>(mut self) -> Self {
        self.sources.push(entry!(P, ConfiguredSource));
        self
    }

    pub fn transform<P: TransformPlugin>(mut self) -> Self {
        self.transforms.push(entry!(P, ConfiguredTransform));
        self
    }

    pub fn sinks(&self) -> &[PluginEntry<Arc<dyn SinkFactory>>] {
        &self.sinks
    }

    pub fn sources(&self) -> &[PluginEntry<Arc<dyn SourceFactory>>] {
        &self.sources
    }

    pub fn transforms(&self) -> &[PluginEntry<Arc<dyn TransformFactory>>] {
        &self.transforms
    }

    /// Every plugin: sinks, then sources, then transforms.
    pub fn all(&self) -> impl Iterator<Item = PluginAbout> {
        use PluginKind::{Sink, Source, Transform};
        let sinks = self.sinks.iter().map(|entry| entry.about(Sink));
        let sources = self.sources.iter().map(|entry| entry.about(Source));
        let transforms = self.transforms.iter().map(|entry| entry.about(Transform));
        sinks.chain(sources).chain(transforms)
    }
}

/// The JSON Schema of a configuration type: draft 7, which editors understand, and without `$ref`, so that a location in
/// the schema follows from a location in the file.
pub fn schema_of<T: schemars::JsonSchema>() -> Schema {
    schemars::generate::SchemaSettings::draft07()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<T>()
}

fn parse<T: serde::de::DeserializeOwned>(table: serde_json::Value) -> Result<T, String> {
    serde_json::from_value(table).map_err(|error| error.to_string())
}

/// A configured sink, erased.
#[async_trait]
pub trait SinkFactory: Send + Sync {
    fn writes_to_terminal(&self) -> bool;
    fn writes_formats(&self) -> bool;
    fn progress_home(&self) -> ProgressHome;
    fn target_topics(&self) -> Vec<String>;
    fn check(&self, context: &CheckContext<'_>) -> Vec<Finding>;
    async fn open(&self, context: SinkContext) -> Result<Box<dyn Sink>>;
}

struct ConfiguredSink<P: SinkPlugin>(P::Config);

#[async_trait]
impl<P: SinkPlugin> SinkFactory for ConfiguredSink<P> {
    fn writes_to_terminal(&self) -> bool {
        P::WRITES_TO_TERMINAL
    }

    fn writes_formats(&self) -> bool {
        P::WRITES_FORMATS
    }

    fn progress_home(&self) -> ProgressHome {
        P::progress_home(&self.0)
    }

    fn target_topics(&self) -> Vec<String> {
        P::target_topics(&self.0)
    }

    fn check(&self, context: &CheckContext<'_>) -> Vec<Finding> {
        P::check(&self.0, context)
    }

    async fn open(&self, context: SinkContext) -> Result<Box<dyn Sink>> {
        Ok(Box::new(P::open(&self.0, context).await?))
    }
}

/// A configured source, erased.
#[async_trait]
pub trait SourceFactory: Send + Sync {
    fn check(&self, context: &CheckContext<'_>) -> Vec<Finding>;
    async fn open(&self, context: SourceContext) -> Result<Box<dyn Source>>;
}

struct ConfiguredSource<P: SourcePlugin>(P::Config);

#[async_trait]
impl<P: SourcePlugin> SourceFactory for ConfiguredSource<P> {
    fn check(&self, context: &CheckContext<'_>) -> Vec<Finding> {
        P::check(&self.0, context)
    }

    async fn open(&self, context: SourceContext) -> Result<Box<dyn Source>> {
        Ok(Box::new(P::open(&self.0, context).await?))
    }
}

/// A configured transform, erased; each task builds its own.
pub trait TransformFactory: Send + Sync {
    fn build(&self) -> Result<Box<dyn Transform>, Finding>;
}

struct ConfiguredTransform<P: TransformPlugin>(P::Config);

impl<P: TransformPlugin> TransformFactory for ConfiguredTransform<P> {
    fn build(&self) -> Result<Box<dyn Transform>, Finding> {
        P::build(&self.0).map(|transform| Box::new(transform) as Box<dyn Transform>)
    }
}
