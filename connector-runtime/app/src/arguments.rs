//! The command line: every command and option, its meaning and an example.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use connect_api::{StartAt, Timestamp};
use connect_config::HttpAddress;

/// Moves records from Kafka to databases and from sources to Kafka, as TOML files define
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Reorders `offsets show NAME`, which people type first and other tools expect, to `offsets NAME show`.
pub(crate) fn name_before_action(mut words: Vec<OsString>) -> Vec<OsString> {
    let is_action = |at: usize| {
        let word = words.get(at).and_then(|word| word.to_str());
        word.is_some_and(|word| OFFSETS_ACTIONS.contains(&word))
    };
    let is_offsets = words.get(1).is_some_and(|word| word == "offsets");
    let is_name = words
        .get(3)
        .is_some_and(|word| !word.to_string_lossy().starts_with('-'));
    if is_offsets && is_action(2) && is_name && !is_action(3) {
        words.swap(2, 3);
    }
    words
}

const OFFSETS_ACTIONS: [&str; 3] = ["show", "set", "forget"];

/// The header of the help: the three most important commands.
pub(crate) fn help_header(program: &str) -> String {
    format!(
        "{program} run connectors.d/      run every connector below the folder\n\
         {program} check connectors.d/    find every problem of every file, without network or database\n\
         {program} plugins postgres       the keys of a plugin, their defaults and an example\n"
    )
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run every connector below a folder until it is stopped
    Run(RunArguments),
    /// Check every connector below a folder, without network, database or secrets
    Check(CheckArguments),
    /// List the plugins, or show the keys of one, of a connector or of connect.toml
    Plugins(PluginsArguments),
    /// Print the JSON Schema of a connector file or of connect.toml, for editors
    Schema(SchemaArguments),
    /// Explain a finding: why it matters, an example and the fix
    Explain(ExplainArguments),
    /// Show or move the stored positions of a connector: offsets NAME show, or offsets show NAME
    Offsets(OffsetsArguments),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RunArguments {
    /// The folder of the connectors, for example connectors.d/
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// For trying out: a Kafka in this process and a private PostgreSQL; for example run --embedded connectors.d/
    #[arg(long)]
    pub(crate) embedded: bool,
    /// Keep the embedded database for the next run, for example run --embedded --keep connectors.d/
    #[arg(long, requires = "embedded")]
    pub(crate) keep: bool,
    /// Settings of the process, for example --config staging/connect.toml [default: connect.toml in DIR or its parent]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Run the valid connectors although others have errors, for example run --keep-going connectors.d/
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// How events are logged, for example --log-format json
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) log_format: LogFormat,
    /// Log only warnings and errors, without the table, for example run --quiet connectors.d/
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Where to listen for metrics, health and status, for example --http 127.0.0.1:9000 or --http off
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) http: Option<HttpAddress>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line an event
    #[default]
    Text,
    /// One JSON object an event
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The folder of the connectors, or one file; for example connectors.d/
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Require environment variables and files of placeholders, as run does; for example check --env connectors.d/
    #[arg(long)]
    pub(crate) env: bool,
    /// Settings of the process, for example --config staging/connect.toml [default: connect.toml in DIR or its parent]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How findings are printed, for example --format json
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) format: CheckFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Each line with its problem underlined
    #[default]
    Text,
    /// One JSON document
    Json,
    /// Annotations of GitHub Actions
    Github,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct PluginsArguments {
    /// The plugin or file to show, for example postgres, connector or connect.toml; without it, all are listed
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// How it is printed, for example --format json
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// The file that the schema is for, for example connect.toml
    #[arg(value_enum, value_name = "FILE", default_value_t)]
    pub(crate) file: SchemaOf,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A connector
    #[default]
    Connector,
    /// The settings of the process
    #[value(name = "connect.toml")]
    Process,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The code of a finding, for example config.unknown-key; without it, all are listed
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// How it is printed, for example --format json
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) format: OutputFormat,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(crate) struct OffsetsArguments {
    /// The connector's name, for example pos-to-postgres
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(subcommand)]
    pub(crate) action: OffsetsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OffsetsAction {
    /// Show the stored position of every partition
    Show(OffsetsOptions),
    /// Move stored positions; the connector must not be running
    Set(OffsetsSet),
    /// Delete the progress of a connector that no longer exists
    Forget(OffsetsForget),
}

#[derive(Debug, Args)]
pub(crate) struct OffsetsOptions {
    /// The folder of the connectors, for example connectors.d/
    #[arg(value_name = "DIR", default_value = "connectors.d")]
    pub(crate) folder: PathBuf,
    /// Settings of the process, for example --config staging/connect.toml [default: connect.toml in DIR or its parent]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How the positions are printed, for example --format json
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(crate) struct OffsetsSet {
    #[command(flatten)]
    pub(crate) to: OffsetsTo,
    /// Only this topic, for example --topic PointOfSale
    #[arg(long, value_name = "TOPIC")]
    pub(crate) topic: Option<String>,
    /// Only this partition, for example --partition 3
    #[arg(long, value_name = "NUMBER", requires = "topic")]
    pub(crate) partition: Option<i32>,
    /// Only this sink, by its name; the others keep their positions; for example --sink postgres
    #[arg(long, value_name = "SINK")]
    pub(crate) sink: Option<String>,
    /// Show the moves without making them; for example set --to earliest --dry-run
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) options: OffsetsOptions,
}

#[derive(Debug, Args)]
pub(crate) struct OffsetsForget {
    /// The former connector's name, with progress in the topics and sinks of this connector; for example
    /// pos-to-database
    #[arg(value_name = "OLD")]
    pub(crate) other: String,
    #[command(flatten)]
    pub(crate) options: OffsetsOptions,
}

/// Exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct OffsetsTo {
    /// The new position: earliest, latest, a time or an offset, for example --to 2026-11-20T00:00:00Z
    #[arg(long, value_name = "POSITION", value_parser = parse_position, allow_negative_numbers = true)]
    pub(crate) to: Option<StartAt>,
    /// Copy the positions of another connector, by its old name if it was renamed; for example --from pos-to-database
    #[arg(long, value_name = "CONNECTOR")]
    pub(crate) from: Option<String>,
}

fn parse_position(text: &str) -> Result<StartAt, String> {
    match (text, text.parse::<i64>(), text.parse::<Timestamp>()) {
        ("earliest", ..) => Ok(StartAt::Earliest),
        ("latest", ..) => Ok(StartAt::Latest),
        (_, Ok(offset), _) if offset >= 0 => Ok(StartAt::Offset(offset)),
        (_, _, Ok(time)) => Ok(StartAt::Time(time)),
        _ => Err(
            "expected earliest, latest, an offset of at least 0, or a time with its UTC offset such as 2026-11-20T00:00:00Z".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use clap::{CommandFactory, Parser};

    use super::*;

    #[test]
    fn every_option_has_a_meaning_and_an_example() {
        fn visit(command: &clap::Command) {
            for argument in command.get_arguments() {
                if ["help", "version"].contains(&argument.get_id().as_str()) {
                    continue;
                }
                let help = argument
                    .get_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    help.contains("for example"),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(visit);
        }
        let command = Arguments::command();
        command.clone().debug_assert();
        visit(&command);
    }

    #[test]
    fn offsets_are_set_as_written() {
        let cases = [
            ("earliest", StartAt::Earliest),
            ("latest", StartAt::Latest),
            ("0", StartAt::Offset(0)),
            (
                "2026-11-20T00:00:00Z",
                StartAt::Time(Timestamp::from_second(1_795_132_800).unwrap()),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_position(text), Ok(expected), "{text}");
        }
        for text in ["-1", "yesterday", "2026-11-20", ""] {
            assert!(parse_position(text).is_err(), "{text}");
        }
        // clap must not take it for an option and explain how to escape it.
        let line = ["connect", "offsets", "orders", "set", "--to", "-1"];
        let error = Arguments::try_parse_from(line).err().unwrap().to_string();
        assert!(error.contains("an offset of at least 0"), "{error}");
        let line = [
            "connect",
            "offsets",
            "orders",
            "set",
            "--to",
            "7",
            "--topic",
            "t",
            "--partition",
            "3",
            "x.d",
        ];
        let Command::Offsets(offsets) = Arguments::parse_from(line).command else {
            panic!("not the command");
        };
        let OffsetsAction::Set(set) = offsets.action else {
            panic!("not the action");
        };
        assert_eq!(
            (set.to.to, set.partition),
            (Some(StartAt::Offset(7)), Some(3))
        );
        assert_eq!(set.options.folder, PathBuf::from("x.d"));
    }

    #[test]
    fn the_action_can_precede_the_name() {
        let cases = [
            ("connect offsets show orders", "connect offsets orders show"),
            ("connect offsets orders show", "connect offsets orders show"),
            (
                "connect offsets set orders --to 3 x.d",
                "connect offsets orders set --to 3 x.d",
            ),
            (
                "connect offsets forget new old",
                "connect offsets new forget old",
            ),
            ("connect offsets show set", "connect offsets show set"),
            ("connect offsets show", "connect offsets show"),
            ("connect offsets show --help", "connect offsets show --help"),
            ("connect run show orders", "connect run show orders"),
        ];
        for (typed, meant) in cases {
            let words = typed.split(' ').map(OsString::from).collect();
            let meant: Vec<OsString> = meant.split(' ').map(OsString::from).collect();
            assert_eq!(name_before_action(words), meant, "{typed}");
        }
        let command = Arguments::command();
        let offsets = command.find_subcommand("offsets").unwrap();
        let actions: Vec<&str> = offsets
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        assert_eq!(actions, OFFSETS_ACTIONS);
    }

    #[test]
    fn usage_errors_exit_with_2() {
        let lines: [&[&str]; 8] = [
            &["connect"],
            &["connect", "run"],
            &["connect", "runn", "x"],
            &["connect", "check", "--fromat", "json", "x"],
            &["connect", "run", "--keep", "x"],
            &["connect", "run", "--http", "nowhere", "x"],
            &["connect", "offsets", "orders", "set"],
            &[
                "connect", "offsets", "orders", "set", "--to", "7", "--from", "old",
            ],
        ];
        for line in lines {
            let error = Arguments::try_parse_from(line).err().unwrap();
            assert_eq!(error.exit_code(), 2, "{line:?}");
        }
    }
}
