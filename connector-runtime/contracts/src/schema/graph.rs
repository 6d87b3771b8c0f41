//! Which schemas a JSON Schema applies, and how often to one node of a value.
//!
//! A schema of the registry is untrusted, and a small one can cost without bound: forty definitions that each apply the next
//! twice are 2⁴⁰ checks of one value, a chain of definitions is a recursion as deep as the chain is long. Both are known
//! from the schema alone, so it is refused before it is compiled.
//!
//! Where a reference could lead to several schemas (which one is decided by the draft, or while a value is checked), it is
//! counted as if it led to the most expensive: a bound may be too high here, never too low.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::Documents;
use super::folder::{percent_decoded, resolve, without_fragment};

/// References of all documents together.
const MOST_REFERENCES: usize = 20_000;
/// Schemas that are entered one inside the other, with a value of any depth. The compiler and the end of a schema recurse.
const LONGEST_WAY: usize = 10_000;
/// Schemas that apply to the same node of a value one inside the other. A value has 128 levels at most, and a check
/// recurses through all of them on a thread with a stack of 2 MiB.
const MOST_NESTED: usize = 64;
/// Checks of one node of a value, over all ways that lead from the root to it.
const MOST_CHECKS: u64 = 100_000;

/// Keywords whose schemas apply to the value itself.
const IN_PLACE: [&str; 9] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependencies",
];
/// Keywords of which at most one schema applies to a member or element.
const ONE_OF_MEMBERS: [&str; 5] = [
    "properties",
    "prefixItems",
    "items",
    "additionalItems",
    "additionalProperties",
];
/// Keywords whose schemas may all apply to the same member or element.
const ALL_OF_MEMBERS: [&str; 5] = [
    "patternProperties",
    "contains",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
];
/// Keywords that name a schema elsewhere.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// What the graph of a schema tells.
#[derive(Debug)]
pub(super) struct SchemaCost {
    /// Whether a schema contains itself.
    pub(super) is_recursive: bool,
    /// Schemas that apply to the same node of a value one inside the other, at most.
    pub(super) nested: u32,
    /// How often a schema that contains itself is applied to one member or element of what it is applied to, at most.
    pub(super) again: u64,
}

/// Measures the schema at `root`, or says what is too much of it. `load` is asked for documents that are missing.
pub(super) fn measure(
    mut documents: Documents,
    root: &str,
    load: &dyn Fn(&str) -> Option<Documents>,
) -> Result<SchemaCost, String> {
    let mut asked = HashSet::new();
    loop {
        let graph = Graph::of(&documents)?;
        let missing: Vec<String> = graph.missing.into_iter().collect();
        let mut loaded = None;
        for uri in missing {
            if asked.insert(uri.clone()) {
                loaded = load(&uri).or(loaded);
            }
        }
        match loaded {
            Some(more) => documents = more,
            None => return Walk::over(&documents, root),
        }
    }
}

/// The schemas of all documents, by what leads to them.
struct Graph<'s> {
    nodes: Vec<Node<'s>>,
    /// By the address of the JSON, which is what resolving a pointer leads to.
    by_address: HashMap<*const Json, usize>,
    resources: HashMap<String, Vec<&'s Json>>,
    /// By name alone: two documents may use the same one, and then both are meant.
    anchors: HashMap<&'s str, Vec<usize>>,
    /// Roots of documents and of what has an `$id`, for `$recursiveRef`.
    roots: Vec<usize>,
    bases: Vec<Base>,
    references: usize,
    /// Documents that a `$ref` leads to and that are not there.
    missing: HashSet<String>,
}

struct Node<'s> {
    schema: &'s Json,
    base: usize,
}

/// What relative references are resolved against, inside of another one. Drafts disagree on when an `$id` counts, so every
/// one around a reference is tried.
struct Base {
    uri: String,
    around: Option<usize>,
}

impl<'s> Graph<'s> {
    fn of(documents: &'s Documents) -> Result<Graph<'s>, String> {
        let mut graph = Graph {
            nodes: Vec::new(),
            by_address: HashMap::new(),
            resources: HashMap::new(),
            anchors: HashMap::new(),
            roots: Vec::new(),
            bases: Vec::new(),
            references: 0,
            missing: HashSet::new(),
        };
        let mut seen = HashSet::new();
        for (uri, document) in documents {
            let names = graph.resources.entry(uri.clone()).or_default();
            names.push(&document.value);
            // A document with an `$id` is listed under two names.
            if seen.insert(Arc::as_ptr(document)) {
                graph.bases.push(Base {
                    uri: uri.clone(),
                    around: None,
                });
                graph.roots.push(graph.nodes.len());
                graph.add(&document.value, graph.bases.len() - 1);
            }
        }
        if graph.references > MOST_REFERENCES {
            return Err(format!(
                "it has {} references, and {MOST_REFERENCES} at most are followed",
                graph.references
            ));
        }
        graph.find_missing();
        Ok(graph)
    }

    fn add(&mut self, schema: &'s Json, mut base: usize) {
        let node = self.nodes.len();
        if let Json::Object(members) = schema {
            for id in ["$id", "id"]
                .iter()
                .filter_map(|id| members.get(*id)?.as_str())
            {
                if let Some(anchor) = id.strip_prefix('#') {
                    self.anchors.entry(anchor).or_default().push(node);
                } else if let Some(uri) =
                    self.bases.get(base).and_then(|base| resolve(&base.uri, id))
                {
                    let uri = without_fragment(&uri).to_owned();
                    self.resources.entry(uri.clone()).or_default().push(schema);
                    self.roots.push(node);
                    self.bases.push(Base {
                        uri,
                        around: Some(base),
                    });
                    base = self.bases.len() - 1;
                }
            }
            for keyword in ["$anchor", "$dynamicAnchor"] {
                if let Some(anchor) = members.get(keyword).and_then(Json::as_str) {
                    self.anchors.entry(anchor).or_default().push(node);
                }
            }
            let is_reference = |name: &&&str| members.get(**name).is_some_and(Json::is_string);
            self.references += REFERENCES.iter().filter(is_reference).count();
        }
        if schema.is_object() || schema.is_boolean() {
            self.by_address.insert(std::ptr::from_ref(schema), node);
            self.nodes.push(Node { schema, base });
        }
        match schema {
            Json::Object(members) => members.values().for_each(|member| self.add(member, base)),
            Json::Array(elements) => elements.iter().for_each(|element| self.add(element, base)),
            _ => {}
        }
    }

    fn find_missing(&mut self) {
        let mut missing = HashSet::new();
        for node in &self.nodes {
            let Some(reference) = node.schema.get("$ref").and_then(Json::as_str) else {
                continue;
            };
            for uri in self.uris(node.base, reference) {
                let document = without_fragment(&uri);
                if !self.resources.contains_key(document) {
                    missing.insert(document.to_owned());
                }
            }
        }
        self.missing = missing;
    }

    /// What `reference` may mean.
    fn uris(&self, base: usize, reference: &str) -> Vec<String> {
        let mut uris = Vec::new();
        let mut base = self.bases.get(base);
        while let Some(Base { uri, around }) = base {
            uris.extend(resolve(uri, reference));
            base = around.and_then(|around| self.bases.get(around));
        }
        uris
    }

    /// Where `keyword` of `node` may lead.
    fn targets(&self, node: &Node<'s>, keyword: &str, reference: &str) -> Vec<usize> {
        let mut found = Vec::new();
        if keyword == "$recursiveRef" {
            found.clone_from(&self.roots);
        }
        for uri in self.uris(node.base, reference) {
            let (document, fragment) = uri.split_once('#').unwrap_or((&uri, ""));
            let pointer = percent_decoded(fragment);
            if !pointer.is_empty() && !pointer.starts_with('/') {
                found.extend(self.anchors.get(pointer.as_str()).into_iter().flatten());
                continue;
            }
            let resources = self.resources.get(document).into_iter().flatten();
            let schemas = resources.filter_map(|resource| resource.pointer(&pointer));
            found.extend(
                schemas.filter_map(|schema| self.by_address.get(&std::ptr::from_ref(schema))),
            );
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The schemas that one keyword applies.
struct Edge {
    to: Vec<usize>,
    kind: EdgeKind,
}

#[derive(Clone, Copy, PartialEq)]
enum EdgeKind {
    /// All of them to the value itself, so many times.
    InPlace(u64),
    /// One of them, whichever it is, to the value itself.
    Reference,
    /// All of them to the same member or element.
    Members,
    /// One of them to a member or element.
    OneMember,
}

fn edges(graph: &Graph<'_>, node: usize) -> Vec<Edge> {
    let Some(node) = graph.nodes.get(node) else {
        return Vec::new();
    };
    let Json::Object(members) = node.schema else {
        return Vec::new();
    };
    let mut edges = Vec::new();
    for keyword in REFERENCES {
        if let Some(reference) = members.get(keyword).and_then(Json::as_str) {
            edges.push(Edge {
                to: graph.targets(node, keyword, reference),
                kind: EdgeKind::Reference,
            });
        }
    }
    let applied = |keywords: &[&str]| -> Vec<usize> {
        let schemas = keywords
            .iter()
            .flat_map(|keyword| schemas_of(members, keyword));
        // A list of names in `dependencies`, and whatever is no schema, is refused by the draft's own schema.
        let nodes = schemas.filter_map(|schema| graph.by_address.get(&std::ptr::from_ref(schema)));
        nodes.copied().collect()
    };
    // Which members are left over for these is found by checking the others once more.
    let looks_twice = ["unevaluatedProperties", "unevaluatedItems"]
        .iter()
        .any(|keyword| members.contains_key(*keyword));
    let times = if looks_twice { 2 } else { 1 };
    for (keywords, kind) in [
        (&IN_PLACE[..], EdgeKind::InPlace(times)),
        (&ALL_OF_MEMBERS[..], EdgeKind::Members),
        (&ONE_OF_MEMBERS[..], EdgeKind::OneMember),
    ] {
        edges.push(Edge {
            to: applied(keywords),
            kind,
        });
    }
    edges
}

/// The schemas that are the value of a keyword, its elements or its members.
fn schemas_of<'s>(members: &'s Map<String, Json>, keyword: &str) -> Vec<&'s Json> {
    let by_name = matches!(
        keyword,
        "properties" | "patternProperties" | "dependentSchemas" | "dependencies"
    );
    match members.get(keyword) {
        Some(Json::Object(named)) if by_name => named.values().collect(),
        Some(Json::Array(elements)) => elements.iter().collect(),
        Some(schema) => vec![schema],
        None => Vec::new(),
    }
}

/// Finds the schemas that contain each other (Tarjan), and counts on the way back.
struct Walk<'s> {
    graph: Graph<'s>,
    /// Order of first visits.
    visited: HashMap<usize, usize>,
    open: Vec<usize>,
    is_open: HashSet<usize>,
    /// Which schemas contain each other: those of one number.
    component: HashMap<usize, usize>,
    edges: HashMap<usize, Rc<[Edge]>>,
    /// Each schema after those that it applies, except where they contain each other.
    finished: Vec<usize>,
    measures: HashMap<usize, Measure>,
    is_recursive: bool,
}

/// Of a schema.
#[derive(Clone, Copy)]
struct Measure {
    /// Checks of one node of a value.
    checks: u64,
    /// Schemas that apply to the same node one inside the other.
    nested: usize,
    /// Applications of what contains this schema to one member or element.
    again: u64,
}

const ONCE: Measure = Measure {
    checks: 1,
    nested: 1,
    again: 0,
};

const TOO_MUCH: Measure = Measure {
    checks: u64::MAX,
    nested: MOST_NESTED + 1,
    again: u64::MAX,
};

impl<'s> Walk<'s> {
    fn over(documents: &'s Documents, root: &str) -> Result<SchemaCost, String> {
        let graph = Graph::of(documents)?;
        let root = documents.get(root).expect("the root is a document");
        let root = *graph
            .by_address
            .get(&std::ptr::from_ref(&root.value))
            .expect("a document is an object or a boolean");
        let mut walk = Walk {
            graph,
            visited: HashMap::new(),
            open: Vec::new(),
            is_open: HashSet::new(),
            component: HashMap::new(),
            edges: HashMap::new(),
            finished: Vec::new(),
            measures: HashMap::new(),
            is_recursive: false,
        };
        walk.visit(root, 0)?;
        let Measure {
            checks,
            nested,
            again,
        } = walk.measure_all();
        if checks > MOST_CHECKS {
            return Err(format!(
                "it applies schemas more than {MOST_CHECKS} times to one value: they refer to each other many times over"
            ));
        }
        if nested > MOST_NESTED {
            return Err(format!(
                "it applies {nested} schemas inside each other to one value, and {MOST_NESTED} at most are followed"
            ));
        }
        Ok(SchemaCost {
            is_recursive: walk.is_recursive,
            nested: nested as u32,
            again,
        })
    }

    /// Returns the first visited of what contains this schema and is contained in it.
    fn visit(&mut self, node: usize, depth: usize) -> Result<usize, String> {
        if depth > LONGEST_WAY {
            return Err(format!(
                "its references lead through more than {LONGEST_WAY} schemas one after the other"
            ));
        }
        let order = self.visited.len();
        self.visited.insert(node, order);
        self.open.push(node);
        self.is_open.insert(node);
        let mut first = order;
        let edges: Rc<[Edge]> = edges(&self.graph, node).into();
        self.edges.insert(node, Rc::clone(&edges));
        for edge in edges.iter() {
            for &target in &edge.to {
                if target == node {
                    self.is_recursive = true;
                }
                match self.visited.get(&target) {
                    None => first = first.min(self.visit(target, depth + 1)?),
                    Some(seen) if self.is_open.contains(&target) => first = first.min(*seen),
                    Some(_) => {}
                }
            }
        }
        self.finished.push(node);
        if first == order {
            self.close(node, order);
        }
        Ok(first)
    }

    /// `node` and what was opened after it contain each other.
    fn close(&mut self, node: usize, component: usize) {
        while let Some(member) = self.open.pop() {
            self.is_open.remove(&member);
            self.component.insert(member, component);
            if member == node {
                return;
            }
            self.is_recursive = true;
        }
    }

    /// The most of every schema.
    fn measure_all(&mut self) -> Measure {
        let mut most = ONCE;
        for node in std::mem::take(&mut self.finished) {
            let found = self.measure(node, &mut HashSet::new());
            most.checks = most.checks.max(found.checks);
            most.nested = most.nested.max(found.nested);
            most.again = most.again.max(found.again);
        }
        most
    }

    /// `way` are the schemas that are being measured.
    fn measure(&mut self, node: usize, way: &mut HashSet<usize>) -> Measure {
        if let Some(known) = self.measures.get(&node) {
            return *known;
        }
        if way.len() > LONGEST_WAY {
            return TOO_MUCH;
        }
        // In place of itself: the validator stops there.
        if !way.insert(node) {
            return ONCE;
        }
        let mut sum = ONCE;
        let edges = self.edges.get(&node).map(Rc::clone);
        for edge in edges.iter().flat_map(|edges| edges.iter()) {
            sum = sum.and(self.measure_edge(node, edge, way));
        }
        way.remove(&node);
        self.measures.insert(node, sum);
        sum
    }

    fn measure_edge(&mut self, node: usize, edge: &Edge, way: &mut HashSet<usize>) -> Measure {
        let mut found = Measure {
            checks: 0,
            nested: 0,
            again: 0,
        };
        for &target in &edge.to {
            let is_within = self.component.get(&target) == self.component.get(&node);
            let mut of_target = match edge.kind {
                // A schema that contains itself is checked once for each node of the value: the validator remembers.
                EdgeKind::Members | EdgeKind::OneMember if is_within => {
                    Measure { again: 1, ..ONCE }
                }
                _ => self.measure(target, way),
            };
            match edge.kind {
                EdgeKind::InPlace(_) | EdgeKind::Reference => {
                    found.nested = found.nested.max(of_target.nested + 1);
                }
                EdgeKind::Members | EdgeKind::OneMember if !is_within => of_target.again = 0,
                EdgeKind::Members | EdgeKind::OneMember => {}
            }
            let times = match edge.kind {
                EdgeKind::InPlace(times) => times,
                _ => 1,
            };
            let checks = of_target.checks.saturating_mul(times);
            if matches!(edge.kind, EdgeKind::InPlace(_) | EdgeKind::Members) {
                found.checks = found.checks.saturating_add(checks);
                found.again = found.again.saturating_add(of_target.again);
            } else {
                found.checks = found.checks.max(checks);
                found.again = found.again.max(of_target.again);
            }
        }
        found
    }
}

impl Measure {
    fn and(self, other: Measure) -> Measure {
        Measure {
            checks: self.checks.saturating_add(other.checks),
            nested: self.nested.max(other.nested),
            again: self.again.saturating_add(other.again),
        }
    }
}
