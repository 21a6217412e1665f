//! What crosses the wire comes out as it went in, and what cannot is refused with its place.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use snakepit_grpc::values::{Limits, ValueError, check, decode, encode};

fn there_and_back<T: Serialize + for<'de> Deserialize<'de>>(value: &T) -> T {
    let limits = Limits::default();
    let bytes = encode(value, &limits).expect("it can be sent");
    decode(&bytes, &limits).expect("it can be read")
}

/// Anything a tool may return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Any {
    Null(()),
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
}

fn any_value() -> impl Strategy<Value = Any> {
    let leaf = prop_oneof![
        Just(Any::Null(())),
        any::<bool>().prop_map(Any::Bool),
        any::<i64>().prop_map(Any::Signed),
        (i64::MAX as u64 + 1..).prop_map(Any::Unsigned),
        // NaN is not equal to itself and has a test of its own.
        any::<f64>()
            .prop_filter("not NaN", |f| !f.is_nan())
            .prop_map(Any::Float),
        ".{0,40}".prop_map(Any::Text),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Any::List),
            prop::collection::btree_map(".{0,40}", inner, 0..20).prop_map(Any::Map),
        ]
    })
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u32,
    price: f32,
    note: Option<String>,
    payload: Vec<u8>,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    Weighed(f64),
    Pair(i8, char),
    Named { first: String, pairs: Vec<(u16, bool)> },
}

fn order() -> impl Strategy<Value = Order> {
    let kind = prop_oneof![
        Just(Kind::Plain),
        (-1e9..1e9).prop_map(Kind::Weighed),
        (any::<i8>(), any::<char>()).prop_map(|(a, b)| Kind::Pair(a, b)),
        (".*", prop::collection::vec(any::<(u16, bool)>(), 0..5))
            .prop_map(|(first, pairs)| Kind::Named { first, pairs }),
    ];
    (
        any::<u32>(),
        -1e9_f32..1e9,
        any::<Option<String>>(),
        any::<Vec<u8>>(),
        kind,
    )
        .prop_map(|(id, price, note, payload, kind)| Order {
            id,
            price,
            note,
            payload,
            kind,
        })
}

proptest! {
    #[test]
    fn nested_values_survive(value in any_value()) {
        prop_assert_eq!(there_and_back(&value), value);
    }

    #[test]
    fn structs_and_enums_survive(value in order()) {
        prop_assert_eq!(there_and_back(&value), value);
    }

    #[test]
    fn every_64_bit_integer_survives(signed: i64, unsigned: u64) {
        prop_assert_eq!(there_and_back(&signed), signed);
        prop_assert_eq!(there_and_back(&unsigned), unsigned);
    }

    #[test]
    fn every_float_survives_to_the_bit(bits: u64) {
        let float = f64::from_bits(bits);
        prop_assert_eq!(there_and_back(&float).to_bits(), bits);
    }

    #[test]
    fn bytes_travel_as_bytes(bytes: Vec<u8>) {
        let sent = encode(&bytes, &Limits::default()).unwrap();
        prop_assert!(matches!(sent[0], 0xc4..=0xc6), "the marker of bytes, not of a list");
        prop_assert_eq!(there_and_back(&bytes), bytes);
    }

    #[test]
    fn what_is_encoded_passes_the_check(value in any_value()) {
        let limits = Limits::default();
        prop_assert_eq!(check(&encode(&value, &limits).unwrap(), &limits), Ok(()));
    }

    #[test]
    fn no_bytes_make_the_check_panic_and_what_it_lets_through_can_be_read(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        depth_max in 0_u32..20,
    ) {
        let limits = Limits { message_max: 150, depth_max };
        if check(&bytes, &limits).is_ok() {
            prop_assert!(bytes.len() <= 150);
            let read = decode::<serde::de::IgnoredAny>(&bytes, &limits);
            prop_assert!(read.is_ok(), "{read:?}");
        }
    }

    #[test]
    fn nothing_cut_short_passes_the_check(value in any_value(), cut in any::<prop::sample::Index>()) {
        let limits = Limits::default();
        let bytes = encode(&value, &limits).unwrap();
        let short = &bytes[..cut.index(bytes.len())];
        let is_malformed = matches!(check(short, &limits), Err(ValueError::Malformed { .. }));
        prop_assert!(is_malformed);
    }
}

#[test]
fn special_floats_survive() {
    for float in [
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        f64::MIN_POSITIVE,
        f64::NAN,
    ] {
        assert_eq!(there_and_back(&float).to_bits(), float.to_bits());
    }
}

#[test]
fn an_empty_vec_of_bytes_is_bytes_and_other_empty_lists_are_lists() {
    let limits = Limits::default();
    assert_eq!(encode(&Vec::<u8>::new(), &limits).unwrap().as_ref(), [0xc4, 0]);
    assert_eq!(encode(b"".as_slice(), &limits).unwrap().as_ref(), [0xc4, 0]);
    assert_eq!(encode(&Vec::<i8>::new(), &limits).unwrap().as_ref(), [0x90]);
    assert_eq!(encode(&Vec::<bool>::new(), &limits).unwrap().as_ref(), [0x90]);
}

#[test]
fn an_integer_is_read_where_a_float_is_expected() {
    let limits = Limits::default();
    assert!((decode::<f64>(&encode(&2, &limits).unwrap(), &limits).unwrap() - 2.0).abs() < f64::EPSILON);
}

#[derive(Serialize)]
struct Items<T> {
    items: Vec<T>,
}

#[derive(Serialize)]
struct Priced<T> {
    price: T,
}

fn refused<T: Serialize>(value: &T) -> ValueError {
    encode(
        value,
        &Limits {
            message_max: 1000,
            depth_max: 4,
        },
    )
    .expect_err("it cannot be sent")
}

#[test]
fn what_cannot_be_sent_is_named_with_its_place() {
    let big = refused(&Items {
        items: vec![Priced { price: 1_i128 }, Priced { price: 1 << 100 }],
    });
    assert!(matches!(big, ValueError::IntegerRange { .. }));
    assert_eq!(big.path(), Some("items[1].price"));
    let key = refused(&Items {
        items: vec![BTreeMap::from([(1, 2)])],
    });
    assert_eq!(
        key,
        ValueError::KeyNotString {
            path: "items[0]".to_owned(),
            found: "an integer"
        }
    );
    let deep = refused(&Items {
        items: vec![vec![vec![vec![0]]]],
    });
    assert_eq!(deep.path(), Some("items[0][0][0]"));
    assert_eq!(deep.code(), "SP0511");
}

/// A list without an end.
struct Endless;

impl Serialize for Endless {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(std::iter::repeat("again"))
    }
}

/// A list of itself.
struct Bottomless;

impl Serialize for Bottomless {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq([Bottomless])
    }
}

#[test]
fn size_is_limited_before_it_is_used() {
    assert_eq!(refused(&"x".repeat(1001)), ValueError::TooLarge { limit: 1000 });
    assert_eq!(refused(&vec![0_u8; 1001]), ValueError::TooLarge { limit: 1000 });
    assert_eq!(refused(&vec![0_u16; 1001]), ValueError::TooLarge { limit: 1000 });
    assert_eq!(refused(&Endless), ValueError::TooLarge { limit: 1000 });
}

#[test]
fn a_value_without_a_bottom_is_cut_off_by_the_depth() {
    assert!(matches!(
        refused(&Bottomless),
        ValueError::TooDeep { limit: 4, .. }
    ));
}

#[test]
fn foreign_bytes_are_refused_for_what_they_are() {
    let limits = Limits {
        message_max: 100,
        depth_max: 3,
    };
    let found = |bytes: &[u8]| check(bytes, &limits).expect_err("it is refused");
    assert!(matches!(found(b""), ValueError::Malformed { offset: 0, .. }));
    assert!(
        matches!(found(b"\xc0\xc0"), ValueError::Malformed { offset: 1, .. }),
        "something follows"
    );
    assert!(matches!(found(b"\xc1"), ValueError::Malformed { .. }));
    assert!(
        matches!(found(b"\xdd\xff\xff\xff\xff"), ValueError::Malformed { .. }),
        "four billion elements"
    );
    assert!(
        matches!(found(b"\xa2\xff\xff"), ValueError::Malformed { offset: 1, .. }),
        "not UTF-8"
    );
    assert_eq!(
        found(b"\x92\x01\xd4\x01\x02"),
        ValueError::Extension {
            path: "[1]".to_owned()
        }
    );
    assert_eq!(
        found(b"\x81\xa1a\x81\x01\x02"),
        ValueError::KeyNotString {
            path: "a".to_owned(),
            found: "an integer"
        }
    );
    assert_eq!(
        found(b"\x91\x91\x91\x91\xc0"),
        ValueError::TooDeep {
            path: "[0][0][0]".to_owned(),
            limit: 3
        }
    );
    assert_eq!(found(&[0; 101]), ValueError::TooLarge { limit: 100 });
}

#[test]
fn ten_thousand_levels_are_refused_without_a_stack_overflow() {
    let bytes = vec![0x91; 10_000];
    assert!(matches!(
        check(&bytes, &Limits::default()),
        Err(ValueError::TooDeep { limit: 128, .. })
    ));
}

#[test]
fn a_value_of_another_type_is_a_mismatch() {
    let limits = Limits::default();
    let error = decode::<f64>(&encode("text", &limits).unwrap(), &limits).unwrap_err();
    assert!(matches!(error, ValueError::Mismatch { .. }));
    assert!(error.to_string().contains("f64"), "{error}");
}
