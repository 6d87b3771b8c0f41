//! `[errors]`: where bad records go, and that they do not come back.

use super::{Checks, topics};
use crate::code;
use crate::loading::Loading;
use crate::report::Draft;
use crate::resolve::{Discard, ErrorsConfig, Tolerance};
use crate::stop_after::StopAfter;
use crate::written::{Direction, ErrorsTable};

impl Checks<'_> {
    pub(super) fn errors(&mut self, loading: &Loading<'_>, direction: Direction) {
        let Some(table) = self.parsed::<ErrorsTable>("/errors") else {
            return;
        };
        let errors = table.or(&loading.defaults.errors);
        let written = |key: &str| format!("/errors/{key}");
        let draft = match (
            errors.tolerance,
            &errors.dead_letter_topic,
            errors.dead_letter,
        ) {
            (Tolerance::All, None, None) if !self.has(&written("tolerance")) => Some(
                self.draft(
                    code::NO_DEAD_LETTER,
                    &written("tolerance"),
                    "tolerance = \"all\" of [defaults.errors] in connect.toml does not say where bad records go",
                )
                .label("inherits it, and has no [errors] of its own that says where")
                .help("add dead_letter_topic = \"….dlq\" to [errors] here, or dead_letter = \"discard\" to [defaults.errors]"),
            ),
            (Tolerance::All, None, None) => Some(
                Draft::error(
                    code::NO_DEAD_LETTER,
                    self.places.value(&written("tolerance")),
                    "tolerance = \"all\" does not say where bad records go",
                )
                .label("needs `dead_letter_topic`, or `dead_letter = \"discard\"`")
                .help("add dead_letter_topic = \"….dlq\" below it")
                .at(written("tolerance")),
            ),
            (Tolerance::All, Some(_), Some(Discard::Discard)) => Some(
                self.draft(
                    code::TWO_DEAD_LETTERS,
                    &written("dead_letter"),
                    "bad records are either kept in a topic or discarded",
                )
                .label("`dead_letter_topic` stands here too")
                .help("leave one of them"),
            ),
            (Tolerance::None, Some(_), _) if self.has(&written("dead_letter_topic")) => {
                Some(self.unused(&written("dead_letter_topic")))
            }
            (Tolerance::None, _, Some(_)) if self.has(&written("dead_letter")) => {
                Some(self.unused(&written("dead_letter")))
            }
            _ => None,
        };
        self.report_all(draft);
        if let StopAfter::Rejects { rejects, in_last } = errors.stop_after
            && rejects > in_last
        {
            let message = format!("{rejects} rejects among {in_last} records cannot happen");
            let draft = self
                .draft(code::STOP_AFTER, &written("stop_after"), message)
                .label("never stops anything")
                .help("write { rejects = 100, in_last = 1000 }, for example");
            self.report.add(draft);
        }
        self.dead_letter_loop(&errors, direction);
    }

    fn unused(&self, pointer: &str) -> Draft {
        self.draft(
            code::UNUSED_DEAD_LETTER,
            pointer,
            "no dead letter is written with tolerance = \"none\": the connector stops at the first bad record",
        )
        .label("has no effect")
        .help("add tolerance = \"all\", or leave this out")
    }

    fn dead_letter_loop(&mut self, errors: &ErrorsConfig, direction: Direction) {
        let Some(dead_letters) = &errors.dead_letter_topic else {
            return;
        };
        let reads = match direction {
            Direction::Sink => {
                topics(self.root).is_some_and(|topics| topics.contains(dead_letters))
            }
            Direction::Source => self.text("/topic") == Some(dead_letters),
        };
        if reads {
            let (what, help) = match direction {
                Direction::Sink => (
                    "the connector would read its own dead letters",
                    "name another topic, or leave this one out of what is read",
                ),
                Direction::Source => (
                    "dead letters would stand among the good records",
                    "name another topic for them",
                ),
            };
            let pointer = "/errors/dead_letter_topic";
            let draft = Draft::error(
                code::LOOP,
                self.places.value(pointer),
                format!("`{dead_letters}`: {what}"),
            )
            .label("this topic is the connector's own")
            .help(help)
            .at(pointer);
            self.report.add(draft);
        }
    }
}
