//! The client id of an order at a venue.

use mts_foundation::IdempotencyKey;
use smol_str::{SmolStr, ToSmolStr};
use uuid::Uuid;

/// The name space of our ids: made once, never changed, or a restarted process would not know its own orders.
const NAME_SPACE: Uuid = Uuid::from_u128(0x6d74_732d_6f72_4465_a272_2d6b_6579_0001);

/// The client id that every venue gets for a key: a UUID of version 5 (RFC 9562), 36 characters in lower case. It is a
/// function of the key alone, so that a repeated order has the same id at the venue, in this process or the next (decision
/// O7).
#[must_use]
pub fn client_id(key: &IdempotencyKey) -> SmolStr {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    Uuid::new_v5(&NAME_SPACE, key.as_str().as_bytes()).hyphenated().encode_lower(&mut text).to_smolstr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_function_of_the_key_and_stays_what_it_is() {
        let key = |text: &str| IdempotencyKey::new(text).unwrap();
        let id = client_id(&key("fund-momentum-2000-01-31T21:00:00Z-AAPL-buy"));
        // Recorded: an order of an earlier version must be found by a later one.
        assert_eq!(id, "9fdfe017-94c0-5870-b57d-57ed5950b28b");
        assert_ne!(id, client_id(&key("fund-momentum-2000-01-31T21:00:00Z-AAPL-sell")));
        assert_eq!(id.as_bytes()[14], b'5');
    }
}
