//! The plugin: one fetch per tick, and the last tick as its position.

use connect_api::{
    Cause, CheckContext, Explanation, Failure, Finding, Polled, Positions, Result, Source,
    SourceContext, SourcePlugin, SourceRecord, async_trait, time,
};
use serde::{Deserialize, Serialize};

use crate::config::{Offline, RandomUserConfig};
use crate::fetch::Fetcher;
use crate::generate::Generator;
use crate::schedule::Schedule;
use crate::user::User;

/// `type = "random_user"`.
pub struct RandomUser;

#[async_trait]
impl SourcePlugin for RandomUser {
    const NAME: &'static str = "random_user";
    const ABOUT: &'static str = "random people from randomuser.me at regular intervals";
    const EXAMPLE: &'static str = r#"[source]
type = "random_user"
every = "60s"
offline = "generate"   # generate people while the service does not respond
"#;
    const EXPLANATIONS: &'static [Explanation] = &[
        Explanation {
            code: "random-user.url",
            why: "a connector requests one public host over TLS and no other, because an address within your network would let a configuration file reach internal services",
            example: "url = \"http://169.254.169.254/latest/meta-data/\"",
            fix: "url = \"https://randomuser.me/api/\"",
        },
        Explanation {
            code: "random-user.every",
            why: "the service is free and shared, and blocks clients that send many requests per second",
            example: "every = \"1ms\"",
            fix: "every = \"60s\"",
        },
        Explanation {
            code: "random-user.timeout",
            why: "without time for a response every fetch fails",
            example: "timeout = \"0s\"",
            fix: "timeout = \"10s\"",
        },
    ];
    type Config = RandomUserConfig;
    type Source = RandomUserSource;

    fn check(config: &RandomUserConfig, _context: &CheckContext<'_>) -> Vec<Finding> {
        config.findings()
    }

    async fn open(config: &RandomUserConfig, context: SourceContext) -> Result<RandomUserSource> {
        RandomUserSource::new(config, &context)
    }
}

/// The source partition of a position.
#[derive(Debug, Serialize)]
struct Partition {
    fetcher: &'static str,
}

const PARTITION: Partition = Partition {
    fetcher: RandomUser::NAME,
};

/// The source offset of a position.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Offset {
    /// Milliseconds since 1970.
    last_tick: i64,
}

/// The open source.
pub struct RandomUserSource {
    config: RandomUserConfig,
    connector: String,
    fetcher: Fetcher,
    schedule: Schedule,
    /// Whether the last people were generated, so that a change is logged once.
    generating: bool,
}

/// The limit of a single wait, so that a changed clock is noticed.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(60);

impl RandomUserSource {
    fn new(config: &RandomUserConfig, context: &SourceContext) -> Result<RandomUserSource> {
        let stored: Option<Offset> = context.positions.get(&PARTITION)?;
        let last_tick_ms = stored.map(|offset| offset.last_tick);
        let fetcher =
            Fetcher::new(config).map_err(|message| Failure::Fatal(Cause::new(message)))?;
        Ok(RandomUserSource {
            config: config.clone(),
            connector: context.connector.to_string(),
            fetcher,
            schedule: Schedule::new(config.every.get(), last_tick_ms),
            generating: false,
        })
    }

    async fn next_tick(&mut self) -> i64 {
        loop {
            match self.schedule.due(time::now_ms()) {
                Ok(tick_ms) => return tick_ms,
                Err(wait) => tokio::time::sleep(wait.min(LONGEST_WAIT)).await,
            }
        }
    }

    async fn users(&mut self, tick_ms: i64) -> Result<Vec<User>> {
        let reason = match self.fetcher.users().await {
            Ok(users) => {
                if std::mem::take(&mut self.generating) {
                    tracing::info!(event = "source_fetches_again", connector = self.connector);
                }
                return Ok(users);
            }
            Err(reason) => reason,
        };
        if self.config.offline == Offline::Wait {
            let help = "set `offline = \"generate\"` to generate people meanwhile";
            return Err(Failure::Retry(Cause::new(reason).with_help(help)));
        }
        if !std::mem::replace(&mut self.generating, true) {
            tracing::warn!(
                event = "source_generates",
                connector = self.connector,
                reason,
                "people are generated"
            );
        }
        let mut generator = Generator::new(&self.connector, tick_ms);
        let users =
            (0..self.config.results).map(|_| generator.user(tick_ms, &self.config.nationalities));
        Ok(users.collect())
    }
}

#[async_trait]
impl Source for RandomUserSource {
    /// Cancel-safe: the tick counts as done only when its people are returned.
    async fn poll(&mut self) -> Result<Polled> {
        let tick_ms = self.next_tick().await;
        let records = self
            .users(tick_ms)
            .await?
            .iter()
            .map(|user| user.to_value().map(SourceRecord::of_value))
            .collect::<Result<Vec<_>, String>>()
            .map_err(|reason| Failure::Fatal(Cause::new(reason)))?;
        let mut positions = Positions::default();
        positions.set(&PARTITION, &Offset { last_tick: tick_ms })?;
        self.schedule.ran(tick_ms);
        Ok(Polled {
            records,
            positions,
            finished: false,
        })
    }
}
