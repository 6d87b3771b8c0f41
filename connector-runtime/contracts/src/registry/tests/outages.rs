//! Which answers are an outage, which is waited out, and which are about the record's own schema id.

use super::*;

fn not_found() -> Json {
    json!({"error_code": 404, "message": "HTTP 404 Not Found"})
}

fn forbidden() -> Json {
    json!({"error_code": 40301, "message": "User is denied operation Read on Subject: a"})
}

#[tokio::test]
async fn every_other_failure_is_an_outage_and_is_asked_again() {
    let html = json!("<html>not a registry</html>");
    let outages = [
        (500, json!({"error_code": 50001, "message": "store"})),
        (500, html.clone()),
        (503, json!({"error_code": 50003, "message": "no leader"})),
        (429, json!("slow down")),
        (504, html.clone()),
        (401, json!("Unauthorized")),
        (401, json!({"error_code": 40101, "message": "expired"})),
        (403, json!("Forbidden")),
        (302, html.clone()),
        (200, html),
        (200, json!({"unexpected": true})),
        (422, json!({"error_code": 42201, "message": "invalid"})),
    ];
    let count = outages.len();
    let recovered = (200, json_schema(&json!({"type": "object"})));
    let fake = Fake::default()
        .schema("/schemas/types", json!(["JSON", "PROTOBUF", "AVRO"]))
        .answers("/schemas/ids/7", outages.into_iter().chain([recovered]));
    let decoder = decoder(&fake.start().await, json!({"registry": {}}));
    let payload = message(7, b"{}");
    for _ in 0..count {
        let Err(DecodeError::SchemaNeeded(needed)) = decoder.decode("sales", &payload) else {
            panic!("still needed");
        };
        let failure = decoder.fetch(&needed).await.expect_err("an outage");
        assert!(matches!(failure, Failure::Retry(_)), "{failure:?}");
    }
    assert_eq!(settle(&decoder, &payload).await.unwrap(), "{}");
}

/// A 404 is what a registry says of an id that it cannot read, and what a proxy or a wrong path says of every id.
#[tokio::test]
async fn a_404_is_about_the_id_only_where_a_registry_answers() {
    let html = json!("<html>404</html>");
    let types = json!(["JSON", "PROTOBUF", "AVRO"]);
    // (what, the answer to the id, to /schemas/types, to /subjects, what is said; `None`: it is waited for)
    let unknown = Some("schema id 7 is unknown to the registry: it responded 404 Not Found");
    let cases = [
        (
            "a registry",
            (404, not_found()),
            (200, types.clone()),
            (200, json!([])),
            unknown,
        ),
        (
            "a registry, no JSON",
            (404, html.clone()),
            (200, types.clone()),
            (200, json!([])),
            unknown,
        ),
        (
            "an old registry",
            (404, not_found()),
            (404, not_found()),
            (200, json!([])),
            unknown,
        ),
        (
            "a wrong path",
            (404, not_found()),
            (404, not_found()),
            (404, not_found()),
            None,
        ),
        (
            "a page for everything",
            (404, html.clone()),
            (200, html.clone()),
            (200, html.clone()),
            None,
        ),
        (
            "an empty list for everything",
            (404, html.clone()),
            (200, json!([])),
            (200, json!({})),
            None,
        ),
        (
            "a proxy that lost its backend",
            (404, html.clone()),
            (503, html.clone()),
            (503, html.clone()),
            None,
        ),
        (
            "expired credentials",
            (404, html.clone()),
            (401, html.clone()),
            (401, html.clone()),
            None,
        ),
        (
            "an id of somebody else",
            (403, forbidden()),
            (200, types.clone()),
            (200, json!(["mine"])),
            Some(
                "schema id 7 is unknown to the registry: it responded 403 Forbidden: User is denied operation Read on Subject: a (40301)",
            ),
        ),
        (
            "no grants at all",
            (403, forbidden()),
            (200, types.clone()),
            (200, json!([])),
            None,
        ),
        (
            "no grants, not even to ask",
            (403, forbidden()),
            (200, types),
            (403, forbidden()),
            None,
        ),
    ];
    for (what, id, types, subjects, expected) in cases {
        let good = (200, json_schema(&json!({"type": "object"})));
        let fake = Fake::default()
            .answers("/schemas/ids/7", [id])
            .answers("/schemas/ids/8", [good])
            .answers("/schemas/types", [types])
            .answers("/subjects", [subjects]);
        let decoder = decoder(&fake.start().await, json!({"registry": {}}));
        for _ in 0..2 {
            let said = settle(&decoder, &message(7, b"{}")).await.unwrap_err();
            match expected {
                Some(expected) => assert!(said.starts_with(expected), "{what}: {said}"),
                None => assert!(said.starts_with("Retry"), "{what}: {said}"),
            }
        }
        let asked = |path: &&String| path.as_str() == "/schemas/ids/7";
        assert_eq!(fake.requests().iter().filter(asked).count(), 2, "{what}");
        assert!(settle(&decoder, &message(8, b"{}")).await.is_ok(), "{what}");
    }
}

/// The proof that a registry answers is younger than the 404 of a proxy that had no backend.
#[tokio::test]
async fn an_id_that_is_there_after_the_outage_is_read() {
    let fake = Fake::default()
        .schema("/schemas/types", json!(["JSON"]))
        .answers(
            "/schemas/ids/7",
            [
                (404, json!("default backend - 404")),
                (200, json_schema(&json!({"type": "object"}))),
            ],
        );
    let decoder = decoder(&fake.start().await, json!({"registry": {}}));
    assert_eq!(settle(&decoder, &message(7, b"{}")).await.unwrap(), "{}");
}

#[tokio::test]
async fn a_wait_says_what_to_look_at() {
    let cases = [
        (
            401,
            json!("no"),
            "401 Unauthorized",
            "check `username` and `password`",
        ),
        (
            403,
            forbidden(),
            "and no subject may be read",
            "check `username` and `password`",
        ),
        (
            404,
            json!("no"),
            "neither /schemas/types nor /subjects",
            "check `url` under [registry]",
        ),
        (
            308,
            json!("no"),
            "308 Permanent Redirect",
            "redirects are not followed",
        ),
    ];
    for (status, body, reason, help) in cases {
        let everything = ["/schemas/ids/7", "/schemas/types", "/subjects"];
        let fake = everything.iter().fold(Fake::default(), |fake, path| {
            fake.answers(path, [(status, body.clone())])
        });
        let decoder = decoder(&fake.start().await, json!({"registry": {}}));
        let said = settle(&decoder, &message(7, b"{}")).await.unwrap_err();
        assert!(said.contains(reason) && said.contains(help), "{said}");
    }
}

/// The registry cannot read the subject or version that the configuration names, and will not the next time.
#[tokio::test]
async fn a_subject_or_version_that_the_registry_calls_invalid_is_the_configuration_s_fault() {
    let invalid = |code: u32| (422, json!({"error_code": code, "message": "not valid"}));
    // (what, the answer, whether it is waited for)
    let cases = [
        ("an invalid schema", invalid(42201), false),
        ("an invalid version", invalid(42202), false),
        ("an invalid subject", invalid(42208), false),
        ("a proxy", (422, json!("<html>422</html>")), true),
        ("a code of something else", invalid(50001), true),
    ];
    let path = "/subjects/a/versions/3";
    for (what, answer, waits) in cases {
        let fake = Fake::default()
            .schema("/schemas/ids/7", json_schema(&json!({"type": "object"})))
            .answers(path, [answer]);
        let config = json!({"registry": {"subject": "a", "version": 3}});
        let decoder = decoder(&fake.start().await, config);
        let said = settle(&decoder, &message(7, b"{}")).await.unwrap_err();
        let start = if waits { "Retry" } else { "Fatal" };
        assert!(said.starts_with(start), "{what}: {said}");
        if !waits {
            let reason = "no version 3 of the subject a: not valid (422";
            assert!(said.contains(reason), "{what}: {said}");
            assert!(
                said.contains("name another `subject` or `version`"),
                "{what}: {said}"
            );
        }
    }
}

/// A schema may refer to a thousand others: after an outage it goes on where it was.
#[tokio::test]
async fn references_that_were_fetched_before_an_outage_are_not_fetched_again() {
    let of = |name: &str| json!({"name": name, "subject": name, "version": 1});
    let schema = |references: Json| {
        let mut schema = json_schema(&json!({"type": "object"}));
        schema["references"] = references;
        schema
    };
    let path = |name: &str| format!("/subjects/{name}/versions/1");
    let down = || (503, json!({"error_code": 50003, "message": "no leader"}));
    let found = || (200, schema(json!([])));
    let fake = Fake::default()
        .schema("/schemas/ids/7", schema(json!([of("a"), of("b"), of("c")])))
        .answers(&path("a"), [down(), down(), found()])
        .answers(&path("b"), [down(), found()])
        .answers(&path("c"), [found()]);
    let decoder = decoder(&fake.start().await, json!({"registry": {}}));
    let payload = message(7, b"{}");
    let mut outages = 0;
    while let Err(said) = settle(&decoder, &payload).await {
        assert!(said.starts_with("Retry"), "{said}");
        outages += 1;
    }
    assert_eq!(outages, 3);
    for (name, expected) in [("a", 3), ("b", 2), ("c", 1)] {
        let asked = fake.requests();
        let asked = asked.iter().filter(|asked| **asked == path(name)).count();
        assert_eq!(asked, expected, "{name}");
    }
}
