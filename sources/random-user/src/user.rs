//! Converts the service's response (API 1.4) to flat records, with the field names of the pipeline that this source
//! replaces.

use connect_api::{JsonLimits, Kind, Value, ValueRef};
use serde::Serialize;
use uuid::Uuid;

/// A user as it is produced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct User {
    /// A UUID.
    pub(crate) id: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) gender: String,
    pub(crate) address: String,
    pub(crate) post_code: String,
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) dob: String,
    pub(crate) registered_date: String,
    pub(crate) phone: String,
    pub(crate) picture: Option<String>,
    pub(crate) nationality: String,
    pub(crate) generated: bool,
}

impl User {
    pub(crate) fn to_value(&self) -> Result<Value, String> {
        let text = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        Value::parse_json(text.into(), JsonLimits::default()).map_err(|error| error.to_string())
    }
}

/// The users of a response, at most `most`. `Err` names the unexpected part without quoting the response.
pub(crate) fn users_of(answer: &Value, most: usize) -> Result<Vec<User>, String> {
    let root = answer.root();
    if root.get("error").is_some() {
        return Err("it reports an error".into());
    }
    let results = root
        .get("results")
        .and_then(ValueRef::elements)
        .ok_or("it has no array `results`")?;
    if results.len() == 0 || results.len() > most {
        return Err(format!(
            "found {} people, expected 1 to {most}",
            results.len()
        ));
    }
    results
        .enumerate()
        .map(|(index, person)| {
            user_of(person).map_err(|path| {
                format!("results[{index}].{path} is missing, empty or of another type")
            })
        })
        .collect()
}

/// `Err` is the path of the unexpected part.
fn user_of(person: ValueRef<'_>) -> Result<User, &'static str> {
    let street = [
        number_or_text(person, "location.street.number")?,
        text(person, "location.street.name")?,
    ];
    let address = [
        street.join(" "),
        text(person, "location.city")?,
        text(person, "location.state")?,
        text(person, "location.country")?,
    ];
    Ok(User {
        id: uuid(person, "login.uuid")?,
        first_name: text(person, "name.first")?,
        last_name: text(person, "name.last")?,
        gender: text(person, "gender")?,
        address: address.join(", "),
        post_code: number_or_text(person, "location.postcode")?,
        email: text(person, "email")?,
        username: text(person, "login.username")?,
        dob: time(person, "dob.date")?,
        registered_date: time(person, "registered.date")?,
        phone: text(person, "phone")?,
        picture: Some(text(person, "picture.medium")?),
        nationality: text(person, "nat")?,
        generated: false,
    })
}

fn follow<'a>(person: ValueRef<'a>, path: &str) -> Option<ValueRef<'a>> {
    path.split('.')
        .try_fold(person, |node, name| node.get(name))
}

fn text(person: ValueRef<'_>, path: &'static str) -> Result<String, &'static str> {
    let found = follow(person, path).and_then(ValueRef::as_str);
    found
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .ok_or(path)
}

/// Post codes and street numbers are numbers for some countries and text for others.
fn number_or_text(person: ValueRef<'_>, path: &'static str) -> Result<String, &'static str> {
    match follow(person, path).map(ValueRef::kind) {
        Some(Kind::Number(number)) => Ok(number.as_str().to_owned()),
        _ => text(person, path),
    }
}

fn uuid(person: ValueRef<'_>, path: &'static str) -> Result<String, &'static str> {
    let text = text(person, path)?;
    Uuid::try_parse(&text)
        .map(|id| id.to_string())
        .map_err(|_| path)
}

fn time(person: ValueRef<'_>, path: &'static str) -> Result<String, &'static str> {
    let text = text(person, path)?;
    match connect_api::time::parse_ms(&text) {
        Some(_) => Ok(text),
        None => Err(path),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use serde_json::json;

    fn answer() -> serde_json::Value {
        serde_json::from_str(include_str!("../tests/answers/two-people.json")).unwrap()
    }

    #[test]
    fn people_are_flattened() {
        let users = users_of(&Value::from(&answer()), 2).unwrap();
        assert_eq!(users.len(), 2);
        let first = &users[0];
        assert_eq!(
            (first.first_name.as_str(), first.last_name.as_str()),
            ("Jéssica", "Araújo")
        );
        assert_eq!(
            first.address,
            "1684 Rua Santa Luzia, Águas Lindas de Goiás, Roraima, Brazil"
        );
        assert_eq!(first.post_code, "37419", "a number becomes text");
        assert_eq!(users[1].post_code, "H7X 4L2");
        assert_eq!(users[1].last_name, "محمدخان");
        let json = first.to_value().unwrap().to_json();
        assert!(
            json.starts_with(
                r#"{"id":"155e77ee-ba6d-486f-95ce-0e0c0fb4b919","first_name":"Jéssica""#
            )
        );
        for secret in ["9sJ1", "salt", "md5", "sha", "password"] {
            assert!(!json.contains(secret), "{secret} is dropped");
        }
    }

    #[test]
    fn an_unexpected_form_is_reported_with_its_path() {
        let check = |pointer: &str, replacement: serde_json::Value, expected: &str| {
            let mut answer = answer();
            *answer.pointer_mut(pointer).unwrap() = replacement;
            let reason = users_of(&Value::from(&answer), 2).unwrap_err();
            assert!(reason.contains(expected), "{pointer}: {reason}");
        };
        check("/results", json!({}), "no array `results`");
        check("/results", json!([]), "found 0 people");
        check("/results", json!([1, 2, 3]), "found 3 people");
        check("/results", json!([7]), "results[0].");
        check("/results/1/name", json!("Ada"), "results[1].name.first");
        check("/results/1/name/first", json!(""), "results[1].name.first");
        check("/results/0/login/uuid", json!("x"), "results[0].login.uuid");
        check("/results/0/dob/date", json!("1993"), "results[0].dob.date");
        check("/results/0/location/postcode", json!(null), "postcode");
        check("/results/0/picture", json!({}), "picture.medium");
        let error =
            json!({ "error": "Uh oh, something has gone wrong. Please tweet us @randomapi" });
        assert!(
            users_of(&Value::from(&error), 2)
                .unwrap_err()
                .contains("reports an error")
        );
    }
}
