//! Shapes of objects: what is remembered for one is never taken for another.
#![allow(clippy::unwrap_used)]

use connect_api::{
    ByShape, Field, Fields, JsonReader, Kind, Members, Rename, Value, ValueLimits, ValueRef,
};

type Names = Vec<String>;

fn names(members: Members<'_>) -> Names {
    members.map(|(name, _)| name.to_owned()).collect()
}

fn reader() -> JsonReader {
    JsonReader::new(ValueLimits::default())
}

fn read(reader: &mut JsonReader, json: &str) -> Value {
    reader.read(json.to_owned().into()).unwrap()
}

/// A value whose root's shape `by_shape` has met, so that it is answered at once.
fn met(by_shape: &mut ByShape<Names>, json: &str) -> Value {
    let mut reader = reader();
    for _ in 0..2 {
        let value = read(&mut reader, json);
        by_shape.get(value.root(), names);
    }
    read(&mut reader, json)
}

#[test]
fn an_answer_is_given_from_the_second_object_on_and_found_once() {
    let (mut by_shape, mut reader, mut asked) = (ByShape::default(), reader(), 0);
    let mut answers = Vec::new();
    for json in [
        r#"{"a":1,"b":2}"#,
        r#"{"a":[],"b":null}"#,
        r#"{ "a": "x", "b": {} }"#,
    ] {
        let value = read(&mut reader, json);
        let answer = by_shape.get(value.root(), |members| {
            asked += 1;
            names(members)
        });
        answers.push(answer.cloned());
    }
    let known = Some(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(answers, [None, known.clone(), known]);
    assert_eq!(asked, 1);
}

#[test]
fn what_is_no_object_of_the_parser_has_no_shape() {
    let mut by_shape = ByShape::default();
    let twice = r#"{"a":1,"\u0062":2}"#;
    for json in ["[1]", "1", "{}", twice] {
        let value = met(&mut by_shape, json);
        assert_eq!(by_shape.get(value.root(), names), None, "{json}");
    }
    for _ in 0..3 {
        let value = Value::parse_json(r#"{"a":1}"#.into(), ValueLimits::default()).unwrap();
        assert_eq!(by_shape.get(value.root(), names), None);
    }
}

#[test]
fn a_copy_keeps_its_shape_and_an_edited_value_has_none() {
    type Edit = fn(&mut Value);
    let path = |name: &str| Field::parse(name).unwrap().path().clone();
    let edits: [(&str, Edit, bool); 7] = [
        ("a copy", |value| *value = value.clone(), true),
        ("a part", |value| *value = value.root().to_value(), true),
        (
            "inserted",
            |value| {
                value
                    .insert(Field::parse("c").unwrap().path(), Value::null())
                    .unwrap()
            },
            false,
        ),
        (
            "replaced",
            |value| {
                value
                    .insert(Field::parse("a").unwrap().path(), Value::null())
                    .unwrap()
            },
            false,
        ),
        (
            "removed",
            |value| assert!(value.remove(Field::parse("a").unwrap().path())),
            false,
        ),
        (
            "changed everywhere",
            |value| {
                let fields = Fields::parse("a").unwrap();
                let change = |_: &dyn Fn() -> String, _: ValueRef<'_>| Ok(Some(Value::null()));
                value
                    .replace_each::<connect_api::EditError>(&fields, change)
                    .unwrap();
            },
            false,
        ),
        (
            "removed everywhere",
            |value| value.remove_each(&Fields::parse("a").unwrap()).unwrap(),
            false,
        ),
    ];
    for (name, edit, keeps) in edits {
        let mut by_shape = ByShape::default();
        let mut value = met(&mut by_shape, r#"{"a":1,"b":2}"#);
        edit(&mut value);
        assert_eq!(by_shape.get(value.root(), names).is_some(), keeps, "{name}");
    }
    let mut by_shape = ByShape::default();
    let mut value = met(&mut by_shape, r#"{"a":1,"b":2}"#);
    let exchanged = ["a", "b"].map(|name| Rename {
        path: path(name),
        name: if name == "a" { "b" } else { "a" }.to_owned(),
    });
    value.rename(&exchanged).unwrap();
    assert_eq!(by_shape.get(value.root(), names), None, "renamed");
}

/// Every object in the value that has an answer has its own.
fn check(by_shape: &mut ByShape<Names>, value: ValueRef<'_>, answered: &mut usize) {
    match value.kind() {
        Kind::Array(elements) => elements.for_each(|one| check(by_shape, one, answered)),
        Kind::Object(members) => {
            if let Some(answer) = by_shape.get(value, names) {
                assert_eq!(*answer, names(members), "{}", value.to_json());
                *answered += 1;
            }
            let (mut values, mut count) = (members.values(), 0);
            for (_, member) in members {
                let same = values.next().unwrap();
                assert_eq!(same.identity(), member.identity());
                check(by_shape, member, answered);
                count += 1;
            }
            assert_eq!(count, members.values().len());
        }
        _ => {}
    }
}

/// Numbers that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn value(&mut self, depth: u32) -> String {
        match self.below(if depth > 3 { 4 } else { 8 }) {
            0 => "null".into(),
            1 => "12.50".into(),
            2 => r#""x\ny""#.into(),
            3 => "true".into(),
            4 => {
                let elements: Vec<String> =
                    (0..self.below(4)).map(|_| self.value(depth + 1)).collect();
                format!("[{}]", elements.join(", "))
            }
            _ => self.object(depth + 1),
        }
    }

    /// Mostly of few shapes; now and then with a name that no other object has.
    fn object(&mut self, depth: u32) -> String {
        let first = self.below(3);
        let mut members = Vec::new();
        for number in 0..5 {
            let name = (first + number) % 7;
            if self.below(4) > 0 {
                members.push(format!("\"n{name}\":{}", self.value(depth)));
            }
        }
        if self.below(40) == 0 {
            members.push(format!("\"only-{}\" : 1", self.below(1_000_000)));
        }
        format!("{{{}}}", members.join(","))
    }
}

#[test]
fn answers_are_of_the_object_that_is_asked_about() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    // More than are remembered, so that some are forgotten in between.
    let mut readers: Vec<JsonReader> = (0..6).map(|_| reader()).collect();
    let mut by_shape = ByShape::default();
    let mut answered = 0;
    for _ in 0..20_000 {
        let used = 1 + random.below(6) as usize;
        let which = random.below(used as u64) as usize;
        let document = random.object(0);
        let value = read(readers.get_mut(which).unwrap(), &document);
        check(&mut by_shape, value.root(), &mut answered);
        let part = value
            .root()
            .members()
            .and_then(|mut members| members.next());
        if let Some((_, part)) = part {
            check(&mut by_shape, part.to_value().root(), &mut answered);
        }
    }
    assert!(answered > 20_000, "{answered} answers");
}
