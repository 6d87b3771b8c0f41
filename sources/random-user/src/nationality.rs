//! The nationalities of randomuser.me's API 1.4.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An ISO 3166-1 code in lower case, among those that the service has people of.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Nationality {
    Au,
    Br,
    Ca,
    Ch,
    De,
    Dk,
    Es,
    Fi,
    Fr,
    Gb,
    Ie,
    In,
    Ir,
    Mx,
    Nl,
    No,
    Nz,
    Rs,
    Tr,
    Ua,
    Us,
}

impl Nationality {
    pub(crate) const ALL: [Nationality; 21] = [
        Nationality::Au,
        Nationality::Br,
        Nationality::Ca,
        Nationality::Ch,
        Nationality::De,
        Nationality::Dk,
        Nationality::Es,
        Nationality::Fi,
        Nationality::Fr,
        Nationality::Gb,
        Nationality::Ie,
        Nationality::In,
        Nationality::Ir,
        Nationality::Mx,
        Nationality::Nl,
        Nationality::No,
        Nationality::Nz,
        Nationality::Rs,
        Nationality::Tr,
        Nationality::Ua,
        Nationality::Us,
    ];

    /// The code in upper case, as the service writes it, and the country's name.
    pub(crate) fn code_and_country(self) -> (&'static str, &'static str) {
        match self {
            Nationality::Au => ("AU", "Australia"),
            Nationality::Br => ("BR", "Brazil"),
            Nationality::Ca => ("CA", "Canada"),
            Nationality::Ch => ("CH", "Switzerland"),
            Nationality::De => ("DE", "Germany"),
            Nationality::Dk => ("DK", "Denmark"),
            Nationality::Es => ("ES", "Spain"),
            Nationality::Fi => ("FI", "Finland"),
            Nationality::Fr => ("FR", "France"),
            Nationality::Gb => ("GB", "United Kingdom"),
            Nationality::Ie => ("IE", "Ireland"),
            Nationality::In => ("IN", "India"),
            Nationality::Ir => ("IR", "Iran"),
            Nationality::Mx => ("MX", "Mexico"),
            Nationality::Nl => ("NL", "Netherlands"),
            Nationality::No => ("NO", "Norway"),
            Nationality::Nz => ("NZ", "New Zealand"),
            Nationality::Rs => ("RS", "Serbia"),
            Nationality::Tr => ("TR", "Turkey"),
            Nationality::Ua => ("UA", "Ukraine"),
            Nationality::Us => ("US", "United States"),
        }
    }
}
