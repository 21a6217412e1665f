"""What crosses the wire, and what does not."""

from __future__ import annotations

import collections
import decimal
import enum
import importlib.util
import math
import struct
import threading
import unittest

from snakepit_bridge._native import decode, encode


def there_and_back(value: object) -> object:
    return decode(encode(value))


class RoundTrip(unittest.TestCase):
    def assert_survives(self, value: object) -> None:
        back = there_and_back(value)
        self.assertEqual(back, value)
        self.assertIs(type(back), type(value))

    def test_integers_survive_at_every_boundary(self) -> None:
        for bits in (5, 7, 8, 15, 16, 31, 32, 63):
            for number in (2**bits - 1, 2**bits, -(2**bits), -(2**bits) + 1):
                self.assert_survives(number)
        self.assert_survives(2**63 - 1)
        self.assert_survives(-(2**63))
        self.assert_survives(2**64 - 1)

    def test_floats_survive_bit_by_bit(self) -> None:
        for number in (0.0, -0.0, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, 0.1):
            self.assertEqual(struct.pack("d", there_and_back(number)), struct.pack("d", number))
        (odd,) = struct.unpack("<d", bytes.fromhex("010000000000f87f"))
        self.assertEqual(struct.pack("<d", there_and_back(odd)), struct.pack("<d", odd), "a NaN keeps its payload")

    def test_a_whole_float_stays_a_float(self) -> None:
        self.assert_survives(3.0)

    def test_strings_survive(self) -> None:
        for text in ("", "\x00", "a\x00b", "é", "日本語", "🐍", "x" * 31, "x" * 32, "x" * 255, "x" * 256, "x" * 70_000):
            self.assert_survives(text)

    def test_bytes_survive_at_every_length_class(self) -> None:
        for length in (0, 1, 255, 256, 65_535, 65_536):
            self.assert_survives(b"\xff" * length)

    def test_empty_everything_survives(self) -> None:
        for value in (None, True, False, 0, 0.0, "", b"", [], {}, [[]], [{}], {"": {}}, {"": []}):
            self.assert_survives(value)

    def test_containers_survive_at_every_length_class(self) -> None:
        for length in (15, 16, 65_535, 65_536):
            self.assert_survives(list(range(length)))
            self.assert_survives({str(number): number for number in range(length)})

    def test_a_map_keeps_its_order(self) -> None:
        self.assertEqual(list(there_and_back({"b": 1, "a": 2, "c": 3})), ["b", "a", "c"])  # type: ignore[call-overload]

    def test_nested_containers_survive(self) -> None:
        self.assert_survives({"a": [1, {"b": [[], {}, [None, {"c": b"x"}]]}, 2], "d": {"e": {}}, "f": 3})

    def test_nesting_survives_up_to_the_limit(self) -> None:
        value: object = []
        for _ in range(127):
            value = [value]
        self.assert_survives(value)


class SentAsTheirBase(unittest.TestCase):
    def test_tuples_travel_as_lists(self) -> None:
        self.assertEqual(there_and_back((1, (2, ()))), [1, [2, []]])

    def test_bytes_like_objects_travel_as_bytes(self) -> None:
        self.assertEqual(there_and_back(bytearray(b"ab")), b"ab")
        self.assertEqual(there_and_back(memoryview(b"abcdef")[::2]), b"ace")

    def test_subclasses_travel_as_what_they_are_derived_from(self) -> None:
        class Text(str):
            pass

        class Colour(enum.IntEnum):
            RED = 7

        point = collections.namedtuple("point", "x y")
        cases: list[tuple[object, object]] = [
            (Text("a"), "a"),
            (Colour.RED, 7),
            (point(1, 2), [1, 2]),
            (collections.OrderedDict(a=1), {"a": 1}),
            (collections.defaultdict(list, a=[1]), {"a": [1]}),
            ({Text("k"): 1}, {"k": 1}),
        ]
        for value, expected in cases:
            back = there_and_back(value)
            self.assertEqual(back, expected)
            self.assertIs(type(back), type(expected))

    def test_a_subclass_cannot_lie_about_its_content(self) -> None:
        class Liar(list):  # type: ignore[type-arg]
            def __len__(self) -> int:
                return 1_000_000

            def __iter__(self) -> object:  # type: ignore[override]
                raise RuntimeError

        self.assertEqual(there_and_back(Liar([1, 2])), [1, 2])


class Refused(unittest.TestCase):
    def assert_refused(self, value: object, message: str, **limits: int) -> None:
        with self.assertRaises(ValueError) as caught:
            encode(value, **limits)
        self.assertEqual(str(caught.exception), message)

    def test_an_unsupported_type_is_named_with_its_path(self) -> None:
        value = {"items": [0, 1, 2, {"price": decimal.Decimal(1)}]}
        self.assert_refused(value, "result.items[3].price: Decimal is not supported")
        self.assert_refused({1, 2}, "result: set is not supported")
        self.assert_refused([(0, object())], "result[0][1]: object is not supported")

    def test_the_path_is_right_behind_finished_containers(self) -> None:
        self.assert_refused({"a": [[1], {"x": 1}], "b": [[], 1j]}, "result.b[1]: complex is not supported")

    def test_keys_that_are_no_names_are_quoted(self) -> None:
        self.assert_refused({"a b": {"": {'"': 1j}}}, 'result["a b"][""]["\\""]: complex is not supported')

    def test_integers_outside_64_bits_are_refused(self) -> None:
        for number in (2**64, -(2**63) - 1, 10**1000):
            self.assert_refused({"n": number}, "result.n: an int outside -2**63 ..= 2**64-1 is not supported")

    def test_lone_surrogates_are_refused(self) -> None:
        self.assert_refused(["\ud800"], "result[0]: a str with lone surrogates is not valid Unicode")
        self.assert_refused({"\ud800": 1}, "result: a str with lone surrogates is not valid Unicode")

    def test_keys_that_are_not_strings_are_refused(self) -> None:
        message = "result.a: a dict is sent as a map, and this one has a key that is not a str"
        self.assert_refused({"a": {1: 2}}, message)

    def test_a_list_that_contains_itself_ends_in_the_depth_limit(self) -> None:
        value: list[object] = []
        value.append(value)
        self.assert_refused(value, f"result{'[0]' * 128}: nested deeper than 128 levels (`depth_max`)")

    def test_ten_thousand_levels_are_refused_or_survive_as_the_limit_says(self) -> None:
        value: object = []
        for _ in range(9_999):
            value = [value]
        with self.assertRaisesRegex(ValueError, "nested deeper than 128 levels"):
            encode(value)
        data = encode(value, depth_max=10_000)
        with self.assertRaisesRegex(ValueError, "nested deeper than 9999 levels"):
            decode(data, depth_max=9_999)
        back = decode(data, depth_max=10_000)
        for _ in range(9_999):
            self.assertEqual(len(back), 1)
            back = back[0]
        self.assertEqual(back, [])

    def test_a_long_path_is_cut_in_its_middle(self) -> None:
        value: object = 1j
        for _ in range(1_000):
            value = [value]
        with self.assertRaises(ValueError) as caught:
            encode(value, depth_max=2_000)
        self.assertLess(len(str(caught.exception)), 1_200)
        self.assertTrue(str(caught.exception).startswith("result[0][0]"))

    def test_what_is_larger_than_the_limit_is_refused(self) -> None:
        self.assertEqual(len(encode(b"x" * 98, message_max=100)), 100)
        message = "the value is larger than 100 bytes (`message_max`)"
        self.assert_refused({"blob": b"x" * 101}, f"result.blob: {message}", message_max=100)
        self.assert_refused([1] * 101, f"result: {message}", message_max=100)
        self.assert_refused(["x"] * 60, f"result[48]: {message}", message_max=100)

    def test_a_list_that_shrinks_while_it_is_read_is_an_error_or_whole(self) -> None:
        shared: list[object] = list(range(2_000))
        done = threading.Event()

        def shrink_and_grow() -> None:
            while not done.is_set():
                del shared[1_000:]
                shared.extend(range(1_000))

        thread = threading.Thread(target=shrink_and_grow)
        thread.start()
        try:
            for _ in range(300):
                try:
                    encode(shared)
                except ValueError as error:
                    self.assertIn("the list became shorter while it was read", str(error))
        finally:
            done.set()
            thread.join()

    def test_a_dict_that_changes_while_it_is_read_is_sent_as_it_was(self) -> None:
        shared: dict[str, object] = {str(number): number for number in range(500)}
        done = threading.Event()

        def change() -> None:
            number = 0
            while not done.is_set():
                shared[f"new{number % 100}"] = number
                shared.pop(f"new{(number + 50) % 100}", None)
                number += 1

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(300):
                self.assertGreaterEqual(len(decode(encode(shared))), 500)
        finally:
            done.set()
            thread.join()


class Malformed(unittest.TestCase):
    def assert_malformed(self, data: bytes, message: str) -> None:
        with self.assertRaises(ValueError) as caught:
            decode(data)
        self.assertIn(message, str(caught.exception))

    def test_every_cut_of_a_message_is_an_error(self) -> None:
        data = encode({"a": [1, 2.0, "x" * 40, b"y" * 300, None, {"b": [2**40, -(2**40), True]}]})
        for length in range(len(data)):
            with self.assertRaises(ValueError):
                decode(data[:length])

    def test_what_is_no_value_of_the_protocol_is_refused(self) -> None:
        self.assert_malformed(b"", "ends in the middle")
        self.assert_malformed(b"\xc1", "is not a type of this protocol")
        self.assert_malformed(b"\xd4\x00\x00", "is not a type of this protocol")
        self.assert_malformed(b"\x81\x01\x01", "a key that is not a str")
        self.assert_malformed(b"\xa1\xff", "not valid UTF-8")
        self.assert_malformed(b"\x01\x01", "1 bytes follow the value")
        self.assert_malformed(b"\x81\xa1a\x92\x01\xc1", "value.a[1]: ")

    def test_a_huge_length_in_a_short_message_is_not_believed(self) -> None:
        for head in (b"\xdd", b"\xdf", b"\xdb", b"\xc6"):
            self.assert_malformed(head + b"\xff\xff\xff\xff", "ends in the middle")


class Numpy(unittest.TestCase):
    """NumPy is stood in for by a module of its name: what counts is that it is not imported by the bridge."""

    def test_scalars_travel_as_numbers_and_arrays_say_what_to_do(self) -> None:
        def item(self: object) -> object:
            return getattr(self, "stands_for", self)

        scalar = type("int64", (), {"__module__": "numpy", "item": item})
        array = type("ndarray", (), {"__module__": "numpy"})
        value = scalar()
        value.stands_for = 7  # type: ignore[attr-defined]
        self.assertEqual(there_and_back([value]), [7])
        with self.assertRaisesRegex(ValueError, r"result\[0\]: ndarray is not supported: return its `\.tolist\(\)`"):
            encode([array()])
        with self.assertRaisesRegex(ValueError, r"result: numpy\.int64 is not supported"):
            encode(scalar())

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "no NumPy here")
    def test_real_numpy_scalars_travel_as_numbers(self) -> None:
        import numpy  # type: ignore[import-not-found]

        values = [numpy.int64(-3), numpy.uint64(2**64 - 1), numpy.float32(0.5), numpy.float64(0.1), numpy.bool_(True)]
        self.assertEqual(there_and_back(values), [-3, 2**64 - 1, 0.5, 0.1, True])
        with self.assertRaises(ValueError):
            encode(numpy.zeros(3))


if __name__ == "__main__":
    unittest.main()
