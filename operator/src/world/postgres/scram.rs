//! SCRAM verifiers: what Postgres stores of a password, computed here, so that the password is in no statement or log.
//!
//! RFC 5802 and RFC 7677 say how, and Postgres's catalog pg_authid how it is written. SASLprep is left out: it changes no
//! letter or digit of ASCII, and the passwords made here are of nothing else.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    digest::{SHA256, digest},
    hmac::{HMAC_SHA256, Key, sign},
    pbkdf2::{self, PBKDF2_HMAC_SHA256},
};
use std::num::NonZeroU32;

/// As many as Postgres itself takes. The password is 256 random bits, so more would protect nothing.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();

/// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
pub fn verifier(password: &str, salt: [u8; 16]) -> String {
    let mut salted = [0; 32];
    pbkdf2::derive(PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut salted);
    let salted = Key::new(HMAC_SHA256, &salted);
    let stored = digest(&SHA256, sign(&salted, b"Client Key").as_ref());
    let server = sign(&salted, b"Server Key");
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        BASE64_STANDARD.encode(salt),
        BASE64_STANDARD.encode(stored),
        BASE64_STANDARD.encode(server)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3: its proof and its server signature follow from the verifier's two keys.
    #[test]
    fn the_verifier_is_the_one_of_the_rfc() {
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let verifier = verifier("pencil", salt.try_into().expect("16 bytes"));
        assert_eq!(
            verifier,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
             WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }
}
