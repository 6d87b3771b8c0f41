//! `[errors]`: bad records have one destination, and do not come back.

use connect_api::Finding;
use serde_json::Value as Json;

use super::Checks;
use super::topics::topics;
use crate::codes;
use crate::errors::{ErrorsConfig, Tolerance};
use crate::inherited;
use crate::stop_after::StopAfter;
use crate::tables::Direction;

const TOLERANCE: &str = "/errors/tolerance";
const DEAD_LETTER_TOPIC: &str = "/errors/dead_letter_topic";
const DEAD_LETTER: &str = "/errors/dead_letter";

impl Checks<'_> {
    pub(super) fn errors(&mut self) {
        let table = inherited::errors(self.root, self.loading);
        let Some(errors) = self.typed::<ErrorsConfig>("/errors", &table) else {
            return;
        };
        match errors.tolerance {
            Tolerance::All => self.destination(&errors),
            Tolerance::None => {
                let mut unused = [DEAD_LETTER_TOPIC, DEAD_LETTER].into_iter();
                if let Some(key) = unused.find(|key| self.has(key)) {
                    self.file.add_at_key(unused_key(key));
                }
            }
        }
        if let StopAfter::Rejects { rejects, in_last } = errors.stop_after
            && rejects > in_last
        {
            let message = format!("{rejects} rejects among {in_last} records cannot happen");
            self.file.add_at_key(
                codes::STOP_AFTER
                    .error("/errors/stop_after", message)
                    .with_label("never stops the connector")
                    .with_help("write { rejects = 100, in_last = 1000 }, for example"),
            );
        }
        if let Some(topic) = &errors.dead_letter_topic {
            self.dead_letter_loop(topic);
        }
    }

    /// With tolerance = "all", bad records have exactly one destination.
    fn destination(&mut self, errors: &ErrorsConfig) {
        match (&errors.dead_letter_topic, errors.dead_letter) {
            (None, None) if self.has(TOLERANCE) => self.file.add(
                codes::NO_DEAD_LETTER
                    .error(
                        TOLERANCE,
                        "tolerance = \"all\" requires a destination of bad records",
                    )
                    .with_label("needs `dead_letter_topic`, or `dead_letter = \"discard\"`")
                    .with_help("add dead_letter_topic = \"….dlq\" below it"),
            ),
            (None, None) => self.file.add_at_key(
                codes::NO_DEAD_LETTER
                    .error(
                        TOLERANCE,
                        "tolerance = \"all\" of [defaults.errors] in connect.toml requires a destination of bad records",
                    )
                    .with_label("inherits it, and has no [errors] with a destination")
                    .with_help("add dead_letter_topic = \"….dlq\" to [errors] here, or dead_letter = \"discard\" to [defaults.errors]"),
            ),
            (Some(_), Some(_)) => self.file.add_at_key(
                codes::TWO_DEAD_LETTERS
                    .error(
                        DEAD_LETTER,
                        "bad records are either written to a topic or discarded",
                    )
                    .with_label("the table also has `dead_letter_topic`")
                    .with_help("keep one of them"),
            ),
            _ => {}
        }
    }

    /// Dead letters must not be written to a topic from which they return, or in which good records are.
    fn dead_letter_loop(&mut self, topic: &str) {
        let (is_own, consequence, help) = match self.direction {
            Direction::Sink => (
                topics(self.root).is_some_and(|topics| topics.contains(topic)),
                "the connector would read its own dead letters",
                "name another topic, or exclude this one from the topics that are read",
            ),
            Direction::Source => (
                self.root.get("topic").and_then(Json::as_str) == Some(topic),
                "dead letters would be mixed with the good records",
                "name another topic for dead letters",
            ),
        };
        if is_own {
            self.file.add(
                codes::LOOP
                    .error(DEAD_LETTER_TOPIC, format!("`{topic}`: {consequence}"))
                    .with_label("this topic is the connector's own")
                    .with_help(help),
            );
        }
    }
}

fn unused_key(key: &str) -> Finding {
    codes::UNUSED_DEAD_LETTER
        .error(
            key,
            "no dead letter is written with tolerance = \"none\": the connector stops at the first bad record",
        )
        .with_label("has no effect")
        .with_help("add tolerance = \"all\", or remove this key")
}
