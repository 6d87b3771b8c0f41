//! Names of topics.

/// The longest name of a topic, in characters.
pub const LONGEST_TOPIC_NAME: usize = 249;

/// Whether Kafka accepts the name; `Err` says why it does not.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    if let Some(bad) = illegal_character(name) {
        return Err(format!(
            "a topic's name cannot contain {bad:?}; it consists of letters, digits, `.`, `_` and `-`"
        ));
    }
    match name {
        "" => Err("a topic's name cannot be empty".to_owned()),
        "." | ".." => Err(format!("`{name}` is not a topic's name")),
        _ if name.len() > LONGEST_TOPIC_NAME => Err(format!(
            "a topic's name has at most {LONGEST_TOPIC_NAME} characters"
        )),
        _ => Ok(()),
    }
}

/// The first character that names of topics and groups cannot contain.
pub fn illegal_character(name: &str) -> Option<char> {
    name.chars()
        .find(|c| !c.is_ascii_alphanumeric() && !"._-".contains(*c))
}

#[cfg(test)]
mod tests {
    use super::check_topic_name;

    #[test]
    fn names_are_those_that_kafka_takes() {
        let legal = ["PointOfSale", "a.b_c-1", "0", &"x".repeat(249)];
        let illegal = ["", ".", "..", "a b", "a/b", "ä", &"x".repeat(250)];
        for name in legal {
            assert_eq!(check_topic_name(name), Ok(()), "{name}");
        }
        for name in illegal {
            assert!(check_topic_name(name).is_err(), "{name}");
        }
    }
}
