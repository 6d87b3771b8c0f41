//! `connect run`: loads the files, starts the connectors and watches them until the end.

mod embedded;
mod messages;
mod signals;

use std::sync::Arc;
use std::time::{Duration, Instant};

use connect_api::{Cause, Plugins, Severity, time};
use connect_config::{
    ConnectorKind, Findings, Loaded, Mode, PlacedFinding, load_process, load_with,
};
use connect_engine::{Engine, EngineOptions, Reload, Reread, Summary, client_settings};
use connect_kafka::Admin;
use tracing::level_filters::LevelFilter;

use crate::arguments::{LogFormat, RunArguments};
use crate::http::{self, HttpServer};
use crate::screen::{Phase, Rates, Screen, View, render};
use crate::{exit, logs, output};

use embedded::Servers;
use signals::{Signal, Signals};

/// How long a stop may drain: less than the 30 s after which Kubernetes and, by convention, Docker kill a process.
const GRACE: Duration = Duration::from_secs(20);
const REDRAW_EVERY: Duration = Duration::from_millis(500);

pub(crate) fn run(arguments: &RunArguments, plugins: Plugins) -> u8 {
    let wanted = [Some(&arguments.folder), arguments.config.as_ref()];
    if let Some(missing) = wanted.into_iter().flatten().find(|path| !path.exists()) {
        output::report(&format!("error: {} does not exist", missing.display()));
        return exit::USAGE;
    }
    // With --embedded we load twice. The first time works without the servers, so that a broken file is reported at
    // once.
    let loaded = if arguments.embedded {
        load(arguments, &plugins, Some(embedded::ANY_DATABASE))
    } else {
        load(arguments, &plugins, None)
    };
    let screen = Arc::new(Screen::new(may_be_live(arguments, &loaded)));
    logs::start(
        arguments.log_format,
        log_level(arguments.quiet, screen.is_live()),
        screen.clone(),
    );
    if let Err(refusal) = accept(arguments, &loaded, &screen) {
        output::report(&refusal);
        return exit::USAGE;
    }
    let run = Run {
        arguments,
        plugins: Arc::new(plugins),
        screen,
    };
    // For signals, the screen and the embedded servers. The engine has its own threads.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run.start_to_end(loaded)),
        Err(error) => Err(Cause::new(format!("cannot start: {error}"))),
    };
    ended.unwrap_or_else(|cause| {
        output::report(&format!("error: {cause}"));
        exit::USAGE
    })
}

/// With the embedded servers, `DATABASE_URL` is theirs, and the variable of the environment is ignored.
#[expect(
    clippy::disallowed_methods,
    reason = "the ban directs settings to placeholders, and this resolves them"
)]
fn load(arguments: &RunArguments, plugins: &Plugins, database_url: Option<&str>) -> Loaded {
    let environment = |name: &str| match (name, database_url) {
        (embedded::DATABASE_VARIABLE, Some(url)) => Some(url.to_owned()),
        (embedded::SERVERS_VARIABLE, Some(_)) => None,
        _ => std::env::var(name).ok(),
    };
    load_with(
        &arguments.folder,
        arguments.config.as_deref(),
        plugins,
        if arguments.embedded {
            Mode::RunEmbedded
        } else {
            Mode::Run
        },
        &environment,
    )
}

/// The table needs the terminal for itself: it cannot share it with printed records or with logs for programs.
fn may_be_live(arguments: &RunArguments, loaded: &Loaded) -> bool {
    use std::io::IsTerminal;
    let prints = loaded
        .connectors
        .iter()
        .any(|connector| match &connector.kind {
            ConnectorKind::Sink(sink) => {
                let mut sinks = sink.sinks.iter();
                sinks.any(|sink| sink.factory.writes_to_terminal())
            }
            ConnectorKind::Source(_) => false,
        });
    let printed_there = prints && std::io::stdout().is_terminal();
    !arguments.quiet && arguments.log_format == LogFormat::Text && !printed_there
}

/// The table shows normal operation. Outages and rejected records are warnings, which `--quiet` logs, too.
fn log_level(is_quiet: bool, is_live: bool) -> LevelFilter {
    if is_quiet || is_live {
        LevelFilter::WARN
    } else {
        LevelFilter::INFO
    }
}

/// Prints the findings. Errors end the run unless `--keep-going` is set. `Err` holds the reason for the refusal.
fn accept(arguments: &RunArguments, loaded: &Loaded, screen: &Screen) -> Result<(), String> {
    let findings = &loaded.findings;
    let goes_on = !findings.has_errors() || (arguments.keep_going && !loaded.connectors.is_empty());
    if findings.has_errors() || findings.count(Severity::Warning) > 0 {
        match (goes_on, arguments.log_format) {
            (true, LogFormat::Json) => log(findings),
            _ => output::report(&findings.draw(screen.has_colour())),
        }
    }
    let folder = arguments.folder.display();
    if loaded.connectors.is_empty() && loaded.broken.is_empty() && !findings.has_errors() {
        return Err(format!(
            "error: no connector in {folder}: expected files that end in .toml"
        ));
    }
    if goes_on {
        Ok(())
    } else {
        Err(messages::refusal(
            findings.count(Severity::Error),
            !loaded.connectors.is_empty(),
            &output::program_name(),
            &arguments.folder,
        ))
    }
}

/// Logs the findings as events, so that a program reads one JSON object per line throughout.
fn log(findings: &Findings) {
    for PlacedFinding { finding, place, .. } in findings.iter() {
        let (code, message) = (finding.code, &finding.message);
        let (file, line) = (place.file().display(), place.line());
        let (column, help) = (place.column(), finding.help.as_deref());
        match finding.severity {
            Severity::Error => {
                tracing::error!(event = "finding", code, %message, %file, line, column, help);
            }
            Severity::Warning => {
                tracing::warn!(event = "finding", code, %message, %file, line, column, help);
            }
            Severity::Note => {
                tracing::info!(event = "finding", code, %message, %file, line, column, help);
            }
        }
    }
}

struct Run<'a> {
    arguments: &'a RunArguments,
    plugins: Arc<Plugins>,
    screen: Arc<Screen>,
}

impl Run<'_> {
    async fn start_to_end(self, mut loaded: Loaded) -> Result<u8, Cause> {
        let mut signals = Signals::listen()?;
        let mut servers = None;
        if self.arguments.embedded {
            embedded::note_ignored_variables(&self.screen);
            let started = tokio::select! {
                started = Servers::start(self.arguments.keep) => started?,
                _ = signals.next() => return Ok(0),
            };
            let url = started.postgres.url().expose();
            loaded = load(self.arguments, &self.plugins, Some(url));
            servers = Some(started);
        }
        let ended = self.serve(&loaded, servers.as_ref(), &mut signals).await;
        if let Some(servers) = servers
            && !matches!(ended, Ok(Ended::AtOnce(_)))
        {
            servers.stop().await;
        }
        Ok(match ended? {
            Ended::AtOnce(signal) => signal.exit_code(),
            Ended::Finished { summary, .. } if summary.failed().next().is_some() => exit::FINDINGS,
            Ended::Finished { .. } => 0,
        })
    }

    /// Runs the connectors until they end or are stopped.
    async fn serve(
        &self,
        loaded: &Loaded,
        servers: Option<&Servers>,
        signals: &mut Signals,
    ) -> Result<Ended, Cause> {
        let mut wanted = loaded.process.http.clone();
        if let Some(address) = self.arguments.http {
            wanted.address = address;
        }
        let bound = http::bind(&wanted)?;
        messages::print_start(&self.screen, loaded, servers, bound.as_ref());
        let clients = match servers {
            Some(servers) => servers.kafka.settings()?,
            None => client_settings(&loaded.process)?,
        };
        let options = EngineOptions {
            admin: Admin::open(&clients)?,
            clients,
            embedded: servers.map(|servers| servers.kafka.clone()),
            broken: loaded
                .broken
                .iter()
                .map(|broken| broken.name.clone())
                .collect(),
            grace: GRACE,
            reload: self.reload(servers),
            reread: self.reread(loaded),
        };
        let engine = Engine::start(loaded.connectors.clone(), &loaded.process, options)?;
        let engine = Arc::new(engine);
        let observed = engine.clone();
        let _http = bound
            .map(|bound| HttpServer::start(bound, Arc::new(move || observed.status())))
            .transpose()?;
        let ended = self.watch(&engine, signals).await;
        if let Ended::Finished {
            summary,
            stopped_by,
        } = &ended
        {
            self.draw(&engine, &mut Rates::default(), Phase::Ended);
            self.screen.keep();
            messages::print_end(&self.screen, summary, stopped_by.is_some());
        }
        Ok(ended)
    }

    /// Rereads `connect.toml`, which embedded servers do not need.
    fn reread(&self, loaded: &Loaded) -> Option<Reread> {
        let arguments = self.arguments.clone();
        let is_wanted = loaded.process.file.is_some() && !arguments.embedded;
        is_wanted.then(|| -> Reread {
            Arc::new(move || load_process(&arguments.folder, arguments.config.as_deref()))
        })
    }

    /// Reloads one connector from the folder.
    fn reload(&self, servers: Option<&Servers>) -> Reload {
        let (arguments, plugins) = (self.arguments.clone(), self.plugins.clone());
        let url = servers.map(|servers| servers.postgres.url().expose().to_owned());
        Arc::new(move |name| {
            let loaded = load(&arguments, &plugins, url.as_deref());
            let mut connectors = loaded.connectors.into_iter();
            connectors.find(|connector| &*connector.name == name)
        })
    }

    /// Redraws the table and handles signals: the first one drains, the second one stops at once.
    async fn watch(&self, engine: &Engine, signals: &mut Signals) -> Ended {
        let mut stopped_by = None;
        let mut rates = Rates::default();
        let mut redraw = tokio::time::interval(REDRAW_EVERY);
        let finished = engine.finished();
        tokio::pin!(finished);
        loop {
            tokio::select! {
                summary = &mut finished => return Ended::Finished { summary, stopped_by },
                signal = signals.next() => {
                    if signal == Signal::TryAgain {
                        tracing::info!(event = "trying_again", signal = signal.name(), "restarting the failed connectors");
                        engine.try_failed_again();
                        continue;
                    }
                    if stopped_by.is_some() {
                        messages::print_abandoned(&self.screen, &engine.status());
                        engine.stop_now();
                        return Ended::AtOnce(signal);
                    }
                    stopped_by = Some(signal);
                    tracing::info!(event = "stopping", signal = signal.name(), "draining; a second signal stops at once");
                    engine.stop();
                }
                _ = redraw.tick() => {
                    let phase = if stopped_by.is_some() { Phase::Draining } else { Phase::Running };
                    self.draw(engine, &mut rates, phase);
                }
            }
        }
    }

    fn draw(&self, engine: &Engine, rates: &mut Rates, phase: Phase) {
        if !self.screen.is_live() {
            return;
        }
        let statuses = engine.status();
        let rates = rates.update(Instant::now(), &statuses);
        let view = View {
            size: self.screen.size(),
            colour: self.screen.has_colour(),
            now_ms: time::now_ms(),
            phase,
        };
        self.screen.draw(render(&statuses, &rates, view));
    }
}

enum Ended {
    /// A second signal arrived.
    AtOnce(Signal),
    Finished {
        summary: Summary,
        stopped_by: Option<Signal>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_log_without_a_table_has_info_events() {
        let cases = [
            ("a log", (false, false), LevelFilter::INFO),
            ("a table", (false, true), LevelFilter::WARN),
            ("--quiet", (true, false), LevelFilter::WARN),
        ];
        for (name, (is_quiet, is_live), expected) in cases {
            assert_eq!(log_level(is_quiet, is_live), expected, "{name}");
        }
    }
}
