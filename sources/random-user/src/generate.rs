//! Generates people while the service does not respond: a function of the connector's name and the tick, so that a
//! tick that is repeated after a crash gives the same people.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use uuid::Builder;

use crate::nationality::Nationality;
use crate::user::User;

const FIRST_NAMES: [(&str, &str, &str); 20] = [
    ("Amélie", "amelie", "female"),
    ("Bruno", "bruno", "male"),
    ("Carla", "carla", "female"),
    ("Dragan", "dragan", "male"),
    ("Elif", "elif", "female"),
    ("François", "francois", "male"),
    ("Gülsüm", "gulsum", "female"),
    ("Håkon", "hakon", "male"),
    ("Iris", "iris", "female"),
    ("José", "jose", "male"),
    ("Käthe", "kathe", "female"),
    ("Liam", "liam", "male"),
    ("María", "maria", "female"),
    ("Nils", "nils", "male"),
    ("Olga", "olga", "female"),
    ("Pádraig", "padraig", "male"),
    ("Rúna", "runa", "female"),
    ("Simón", "simon", "male"),
    ("Thérèse", "therese", "female"),
    ("Žarko", "zarko", "male"),
];

const LAST_NAMES: [(&str, &str); 16] = [
    ("Andersen", "andersen"),
    ("Böhm", "bohm"),
    ("Çelik", "celik"),
    ("Dubois", "dubois"),
    ("Evans", "evans"),
    ("Fernández", "fernandez"),
    ("Gonçalves", "goncalves"),
    ("Hakkarainen", "hakkarainen"),
    ("Ivanović", "ivanovic"),
    ("Jørgensen", "jorgensen"),
    ("Kelly", "kelly"),
    ("Lefèvre", "lefevre"),
    ("Meier", "meier"),
    ("Núñez", "nunez"),
    ("Ó Briain", "obriain"),
    ("Patel", "patel"),
];

const CITIES: [(&str, &str); 8] = [
    ("Northfield", "North"),
    ("Westerby", "West"),
    ("Saint-Éloi", "Centre"),
    ("Altmühle", "South"),
    ("Puerto Nuevo", "Coast"),
    ("Kirkwall Green", "East"),
    ("Vila Alta", "Hills"),
    ("Lakeside", "Lakes"),
];

const STREETS: [&str; 8] = [
    "Mill Lane",
    "Station Road",
    "Rue de l'Église",
    "Hauptstraße",
    "Calle Mayor",
    "Harbour Street",
    "Rua das Flores",
    "Castle Hill",
];

const DAY_MS: i64 = 86_400_000;

/// Generates people.
pub(crate) struct Generator(ChaCha8Rng);

impl Generator {
    pub(crate) fn new(connector: &str, tick_ms: i64) -> Generator {
        let mut key = *b"connect random_user, made up  v1";
        let length = key.len();
        for (index, byte) in connector.bytes().enumerate() {
            if let Some(mixed) = key.get_mut(index % length) {
                *mixed = mixed.rotate_left(3) ^ byte;
            }
        }
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(tick_ms.cast_unsigned());
        Generator(generator)
    }

    /// The next person, born and registered before `now_ms`, of one of these nationalities, or of any if the list is
    /// empty.
    pub(crate) fn user(&mut self, now_ms: i64, nationalities: &[Nationality]) -> User {
        let mut id = [0; 16];
        self.0.fill_bytes(&mut id);
        let (first, first_ascii, gender) = self.pick(&FIRST_NAMES).unwrap_or_default();
        let (last, last_ascii) = self.pick(&LAST_NAMES).unwrap_or_default();
        let (city, state) = self.pick(&CITIES).unwrap_or_default();
        let street = self.pick(&STREETS).unwrap_or_default();
        let house = 1 + self.below(199);
        let choices = match nationalities {
            [] => &Nationality::ALL,
            some => some,
        };
        let (nationality, country) = self
            .pick(choices)
            .unwrap_or(Nationality::Us)
            .code_and_country();
        let number = self.below(10_000);
        let age_days = 18 * 366 + i64::from(self.below(60 * 365));
        let member_days = 1 + i64::from(self.below(15 * 365));
        User {
            id: Builder::from_custom_bytes(id).into_uuid().to_string(),
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            gender: gender.to_owned(),
            address: format!("{house} {street}, {city}, {state}, {country}"),
            post_code: format!("{:05}", self.below(100_000)),
            email: format!("{first_ascii}.{last_ascii}{number}@example.com"),
            username: format!("{first_ascii}{number}"),
            dob: connect_api::time::format_ms(now_ms - age_days * DAY_MS),
            registered_date: connect_api::time::format_ms(now_ms - member_days * DAY_MS),
            phone: format!("555-{:04}", self.below(10_000)),
            picture: None,
            nationality: nationality.to_owned(),
            generated: true,
        }
    }

    fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let index = self.below(choices.len() as u32) as usize;
        choices.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn users(connector: &str, tick_ms: i64, count: usize) -> Vec<User> {
        let mut generator = Generator::new(connector, tick_ms);
        (0..count).map(|_| generator.user(tick_ms, &[])).collect()
    }

    #[test]
    fn one_tick_makes_the_same_people_and_another_makes_others() {
        let tick = 1_763_670_000_000;
        assert_eq!(users("a", tick, 50), users("a", tick, 50));
        let all = [
            users("a", tick, 50),
            users("b", tick, 50),
            users("a", tick + 10_000, 50),
        ]
        .concat();
        let ids: HashSet<_> = all.iter().map(|user| &user.id).collect();
        assert_eq!(ids.len(), 150);
    }

    #[test]
    fn people_are_marked_and_of_the_nationalities_asked_for() {
        let mut generator = Generator::new("a", 0);
        for _ in 0..50 {
            let user = generator.user(0, &[Nationality::De, Nationality::Ir]);
            assert!(user.generated);
            assert!(["DE", "IR"].contains(&user.nationality.as_str()));
        }
    }
}
