//! `connect offsets NAME show | set | forget`: shows and moves the stored positions of a connector.

use std::path::Path;

use connect_api::{Cause, Plugins, Position};
use connect_config::{Connector, ConnectorKind, Loaded, Mode, load, nearest};
use connect_engine::offsets::{self, MoveTo, MovedPosition, Offsets, Only, PartitionOffsets};
use serde_json::json;

use crate::arguments::{OffsetsAction, OffsetsArguments, OffsetsOptions, OffsetsTo, OutputFormat};
use crate::{exit, output};

mod table;

pub(crate) fn run(arguments: &OffsetsArguments, plugins: &Plugins) -> u8 {
    let options = match &arguments.action {
        OffsetsAction::Show(options) => options,
        OffsetsAction::Set(set) => &set.options,
        OffsetsAction::Forget(forget) => &forget.options,
    };
    let (connector, loaded) = match find(&arguments.name, options, plugins) {
        Ok(found) => found,
        Err(problem) => {
            output::report(&problem);
            return exit::USAGE;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let answered = match runtime {
        Ok(runtime) => runtime.block_on(answer(
            &connector,
            &loaded,
            &arguments.action,
            options.format,
        )),
        Err(error) => Err(Cause::new(format!("no runtime: {error}"))),
    };
    match answered {
        Ok(text) => output::data(&text),
        Err(cause) => {
            output::report(&format!("error: {cause}"));
            exit::UNREACHABLE
        }
    }
}

/// The connector of this name, if its file has no errors.
fn find(
    name: &str,
    options: &OffsetsOptions,
    plugins: &Plugins,
) -> Result<(Connector, Loaded), String> {
    if !options.folder.exists() {
        return Err(format!(
            "error: {} does not exist",
            options.folder.display()
        ));
    }
    let mut loaded = load(
        &options.folder,
        options.config.as_deref(),
        plugins,
        Mode::Run,
    );
    if let Some(found) = loaded
        .connectors
        .iter()
        .position(|connector| &*connector.name == name)
    {
        let connector = loaded.connectors.swap_remove(found);
        return Ok((connector, loaded));
    }
    if loaded.broken.iter().any(|broken| &*broken.name == name) {
        return Err(loaded.findings.draw(output::stdout_takes_colour()));
    }
    let all = loaded.connectors.iter().map(|connector| &*connector.name);
    let sinks = loaded.connectors.iter().filter_map(|connector| {
        matches!(connector.kind, ConnectorKind::Sink(_)).then_some(&*connector.name)
    });
    Err(unknown(
        name,
        &options.folder,
        &all.collect::<Vec<_>>(),
        &sinks.collect::<Vec<_>>(),
    ))
}

/// Suggests the nearest name, and lists the sink connectors, whose offsets can be set.
fn unknown(name: &str, folder: &Path, all: &[&str], sinks: &[&str]) -> String {
    let meant = match nearest(name, all.iter().copied()) {
        Some(known) => format!("; did you mean `{known}`?"),
        None => String::new(),
    };
    let known = match sinks {
        [] => String::new(),
        sinks => format!("\n  sink connectors: {}", sinks.join(", ")),
    };
    format!(
        "error: no connector in {} is named `{name}`{meant}{known}",
        folder.display()
    )
}

async fn answer(
    connector: &Connector,
    loaded: &Loaded,
    action: &OffsetsAction,
    format: OutputFormat,
) -> Result<String, Cause> {
    let clients = connect_engine::client_settings(&loaded.process)?;
    match action {
        OffsetsAction::Show(_) => {
            let offsets = offsets::show(connector, &loaded.process, &clients).await?;
            Ok(shown(&offsets, format))
        }
        OffsetsAction::Set(set) => {
            let only = Only {
                topic: set.topic.clone(),
                partition: set.partition,
                sink: set.sink.clone(),
            };
            let Some(to) = target(&set.to) else {
                return Err(Cause::new("neither --to nor --from is set"));
            };
            let process = &loaded.process;
            let moves = offsets::set(connector, process, &clients, &to, &only, set.dry_run).await?;
            Ok(moved(&moves, set.dry_run, format))
        }
        OffsetsAction::Forget(forget) => {
            let other = &*forget.other;
            if other == &*connector.name || has_file(loaded, other) {
                return Err(Cause::new(format!(
                    "`{other}` is a connector in this folder and needs its progress"
                ))
                .with_help("delete its file first, or name a connector that no longer exists"));
            }
            let process = &loaded.process;
            let gone = offsets::forget(connector, process, &clients, other).await?;
            Ok(forgotten(other, &gone, format))
        }
    }
}

/// Whether a file has this name, including files with errors, whose progress is still theirs.
fn has_file(loaded: &Loaded, name: &str) -> bool {
    let whole = loaded.connectors.iter().map(|connector| &*connector.name);
    let broken = loaded.broken.iter().map(|broken| &*broken.name);
    whole.chain(broken).any(|known| known == name)
}

fn forgotten(other: &str, positions: &[Position], format: OutputFormat) -> String {
    match format {
        OutputFormat::Text => {
            let lines = positions.iter();
            let lines = lines.map(|one| format!("  {} at {}", one.partition, one.next));
            let lines: Vec<_> = lines.collect();
            format!("progress of `{other}` deleted:\n{}", lines.join("\n"))
        }
        OutputFormat::Json => {
            let one = |one: &Position| {
                json!({
                    "topic": &*one.partition.topic,
                    "partition": one.partition.partition,
                    "stored": one.next,
                })
            };
            let positions: Vec<_> = positions.iter().map(one).collect();
            format!("{:#}", json!({ "version": 1, "forgotten": positions }))
        }
    }
}

fn shown(offsets: &Offsets, format: OutputFormat) -> String {
    match (offsets, format) {
        (Offsets::Sink(partitions), OutputFormat::Text) if partitions.is_empty() => {
            "nothing is stored yet: the topics do not exist".to_owned()
        }
        (Offsets::Sink(partitions), OutputFormat::Text) => table::of_offsets(partitions),
        (Offsets::Sink(partitions), OutputFormat::Json) => {
            let all: Vec<_> = partitions.iter().map(json_of).collect();
            format!("{:#}", json!({ "version": 1, "partitions": all }))
        }
        (Offsets::Source(positions), OutputFormat::Text) if positions.is_empty() => {
            "nothing is stored yet: the source will start at its beginning".to_owned()
        }
        (Offsets::Source(positions), OutputFormat::Text) => {
            let lines = positions
                .iter()
                .map(|(partition, offset)| format!("{partition}  {offset}"));
            lines.collect::<Vec<_>>().join("\n")
        }
        (Offsets::Source(positions), OutputFormat::Json) => {
            let all: Vec<_> = positions
                .iter()
                .map(|(partition, offset)| {
                    json!({ "partition": parsed(partition), "offset": parsed(offset) })
                })
                .collect();
            format!("{:#}", json!({ "version": 1, "positions": all }))
        }
    }
}

/// The moves, made or planned.
fn moved(moves: &[MovedPosition], is_dry_run: bool, format: OutputFormat) -> String {
    match format {
        OutputFormat::Text => {
            let table = table::of_moves(moves);
            if is_dry_run {
                format!("{table}\ndry run: no position was moved")
            } else {
                table
            }
        }
        OutputFormat::Json => {
            let one = |one: &MovedPosition| {
                json!({
                    "topic": &*one.partition.topic,
                    "partition": one.partition.partition,
                    "sink": &*one.sink,
                    "old": one.old,
                    "new": one.new,
                })
            };
            let moves: Vec<_> = moves.iter().map(one).collect();
            format!(
                "{:#}",
                json!({ "version": 1, "dry_run": is_dry_run, "moves": moves })
            )
        }
    }
}

/// Parses a source position, which is stored as JSON text.
fn parsed(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// The columns of the table, with `null` for each dash.
fn json_of(one: &PartitionOffsets) -> serde_json::Value {
    json!({
        "topic": &*one.partition.topic,
        "partition": one.partition.partition,
        "sink": &*one.sink,
        "stored": one.stored,
        "group": one.group,
        "first": one.low,
        "end": one.high,
        "lag": lag(one),
    })
}

/// The distance between the effective position and the end.
fn lag(one: &PartitionOffsets) -> Option<i64> {
    one.stored.or(one.group).map(|position| one.high - position)
}

/// clap guarantees that one of the two is set.
fn target(to: &OffsetsTo) -> Option<MoveTo> {
    if let Some(name) = &to.from {
        return Some(MoveTo::Connector(name.clone()));
    }
    to.to.map(MoveTo::Start)
}

#[cfg(test)]
mod tests {
    use connect_api::TopicPartition;

    use super::*;

    #[test]
    fn programs_get_the_same_as_people() {
        let offsets = Offsets::Sink(vec![PartitionOffsets {
            partition: TopicPartition {
                topic: "sales".into(),
                partition: 3,
            },
            sink: "postgres".into(),
            stored: Some(5),
            group: None,
            low: 2,
            high: 9,
        }]);
        let expected = json!({ "version": 1, "partitions": [{
            "topic": "sales", "partition": 3, "sink": "postgres", "stored": 5, "group": null, "first": 2, "end": 9, "lag": 4,
        }]});
        assert_eq!(shown(&offsets, OutputFormat::Json), format!("{expected:#}"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let check = |name: &str, all: &[&str], sinks: &[&str], expected: &str| {
            let expected = format!("error: no connector in c.d is named `{name}`{expected}");
            assert_eq!(unknown(name, Path::new("c.d"), all, sinks), expected);
        };
        check("x", &[], &[], "");
        check("x", &["orders"], &["orders"], "\n  sink connectors: orders");
        check(
            "order",
            &["orders", "returns"],
            &["orders", "returns"],
            "; did you mean `orders`?\n  sink connectors: orders, returns",
        );
        check(
            "simulater",
            &["simulator", "orders"],
            &["orders"],
            "; did you mean `simulator`?\n  sink connectors: orders",
        );
    }
}
