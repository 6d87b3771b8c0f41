//! Finds the known name that is nearest to a misspelt one.

/// The candidate that `name` was most probably meant to be.
pub fn nearest<'c, S: AsRef<str> + ?Sized + 'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c S>,
) -> Option<&'c str> {
    let plain = simplified(name);
    candidates
        .into_iter()
        .map(AsRef::as_ref)
        .filter_map(|candidate| {
            let distance = distance(&plain, &simplified(candidate))?;
            Some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// The name without case, `-`, `_` and `.`, which other tools write differently.
fn simplified(name: &str) -> String {
    name.chars()
        .filter(|c| !"-_. ".contains(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// `None` if the two are too far apart for a typing mistake.
fn distance(name: &str, candidate: &str) -> Option<usize> {
    let longer = name.chars().count().max(candidate.chars().count());
    let distance = strsim::damerau_levenshtein(name, candidate);
    let allowed = match longer {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let is_part = name.len() >= 4
        && candidate.len() >= 4
        && (candidate.starts_with(name) || name.starts_with(candidate));
    (distance <= allowed || is_part).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn typing_mistakes_are_found_and_other_words_are_not() {
        let known = [
            "tasks",
            "topics",
            "topics_regex",
            "name",
            "max_records",
            "url",
        ];
        let cases = [
            ("taks", Some("tasks")),
            ("topic", Some("topics")),
            ("topics.regex", Some("topics_regex")),
            ("topicsRegex", Some("topics_regex")),
            ("MaxRecords", Some("max_records")),
            ("urll", Some("url")),
            ("nmae", Some("name")),
            ("u", None),
            ("colour", None),
        ];
        for (written, expected) in cases {
            assert_eq!(nearest(written, &known), expected, "{written}");
        }
    }
}
