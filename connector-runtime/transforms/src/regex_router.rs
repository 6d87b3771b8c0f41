//! `regex_router`: chooses a topic from the record's topic, by a regular expression.

use connect_api::{Cause, Explanation, Finding, Pattern, Record, Step, Transform, TransformPlugin};
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::router::{current_topic, route};

/// The plugin `regex_router`.
pub struct RegexRouter;

/// Chooses another topic if the whole name of the record's topic matches. A sink sees it as `#routed_topic`:
/// `topic_from = { field = "#routed_topic", allow = ["sales"] }` with kafka. `#topic` stays where the record came from,
/// because topic, partition and offset identify it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The regular expression; it must match the whole name.
    regex: Pattern,
    /// The new topic. `$1` and `${name}` are groups of the expression.
    #[schemars(extend("minLength" = 1))]
    replacement: String,
}

const REPLACEMENT: Explanation = Explanation {
    code: "transform.replacement",
    why: "A group that the expression does not have would be replaced by nothing, and `$1x` names a group `1x`.",
    example: "regex = \"sales-(.*)\"\nreplacement = \"$2_sales\"",
    fix: "regex = \"sales-(.*)\"\nreplacement = \"${1}_sales\"",
};

/// A built `regex_router`.
pub struct RegexRoute {
    regex: Regex,
    replacement: String,
}

impl TransformPlugin for RegexRouter {
    const NAME: &'static str = "regex_router";
    const ABOUT: &'static str = "chooses a topic by a regular expression over the topic's name";
    const EXAMPLE: &'static str = r#"[[transforms]]
type        = "regex_router"
regex       = "sales-(?<country>[a-z]+)"
replacement = "archive-${country}"
"#;
    const EXPLANATIONS: &'static [Explanation] = &[REPLACEMENT];
    type Config = Config;
    type Transform = RegexRoute;

    fn build(config: &Config) -> Result<RegexRoute, Finding> {
        let refuse = |message| Finding::error(REPLACEMENT.code, "/replacement", message);
        let regex = Regex::new(&format!("^(?:{})$", config.regex.as_str()))
            .map_err(|error| Finding::error(REPLACEMENT.code, "/regex", error.to_string()))?;
        if let Some(group) = unknown_group(&regex, &config.replacement) {
            let message = format!("the expression has no group `{group}`");
            let help = "write ${1} or ${name} where letters, digits or `_` follow";
            return Err(refuse(message).with_help(help));
        }
        Ok(RegexRoute {
            regex,
            replacement: config.replacement.clone(),
        })
    }
}

impl Transform for RegexRoute {
    fn apply(&mut self, record: Record) -> Result<Step, Cause> {
        let topic = current_topic(&record);
        let Some(captures) = self.regex.captures(topic) else {
            return Ok(Step::Keep(record));
        };
        let mut routed = String::new();
        captures.expand(&self.replacement, &mut routed);
        route(record, &routed)
    }
}

/// A group that the replacement names and the expression does not have, by the syntax of [`regex::Captures::expand`].
fn unknown_group(regex: &Regex, replacement: &str) -> Option<String> {
    let reference = Regex::new(r"\$(?:\$|\{([^}]*)\}|([0-9A-Za-z_]+))")
        .expect("the expression for references is valid");
    let is_known = |group: &str| match group.parse::<usize>() {
        Ok(number) => number < regex.captures_len(),
        Err(_) => regex.capture_names().flatten().any(|name| name == group),
    };
    reference
        .captures_iter(replacement)
        .filter_map(|found| found.get(1).or(found.get(2)))
        .map(|group| group.as_str())
        .find(|group| !is_known(group))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use connect_testkit::transforms::{apply, check, check_refused, record_of};

    #[test]
    fn the_topic_is_chosen_by_groups() {
        for (config, expected) in [
            ("regex = 's(.*)'\nreplacement = 'x-$1'", Some("x-ales")),
            (
                "regex = '(?<a>s)ale(?<b>s)'\nreplacement = '${b}_$a'",
                Some("s_s"),
            ),
            ("regex = 'sales|none'\nreplacement = 'all'", Some("all")),
            // Only the whole name matches.
            ("regex = 'sale'\nreplacement = 'x'", None),
            ("regex = 'SALES'\nreplacement = 'x'", None),
            ("regex = 'sales(-(.*))?'\nreplacement = 'a$2'", Some("a")),
        ] {
            let routed = apply::<RegexRouter>(config, record_of("{}")).unwrap();
            assert_eq!(routed.routed_topic.as_deref(), expected, "{config}");
            assert_eq!(&*routed.origin.topic, "sales", "{config}");
        }
        check::<RegexRouter>(
            "regex = 'sales'\nreplacement = 'a b'",
            "1 => -",
            "!the router chose no topic",
        );
        check::<RegexRouter>(
            "regex = 'sales(x?)'\nreplacement = '$1'",
            "{}",
            "!the router chose no topic",
        );
    }

    #[test]
    fn one_router_continues_where_another_ended() {
        let first =
            apply::<RegexRouter>("regex = 'sales'\nreplacement = 'a'", record_of("{}")).unwrap();
        let second = apply::<RegexRouter>("regex = '(a)'\nreplacement = '$1-b'", first).unwrap();
        assert_eq!(second.routed_topic.as_deref(), Some("a-b"));
    }

    #[test]
    fn groups_that_do_not_exist_are_refused() {
        for (replacement, group) in [("$1", "1"), ("${x}", "x"), ("$0_a", "0_a"), ("$$1$2", "2")] {
            check_refused::<RegexRouter>(
                &format!("regex = 'sales'\nreplacement = '{replacement}'"),
                "/replacement",
                &format!("no group `{group}`"),
            );
        }
    }
}
