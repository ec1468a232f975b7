"""Words of messages: counts, and names of files of any bytes."""

from __future__ import annotations

from harness.core.words import counted, is_whole, printable


def test_one_thing_is_counted_without_an_s():
    assert [counted(count, "cell") for count in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]


def test_a_byte_that_is_not_utf_8_is_escaped_and_all_else_stays():
    name = b"caf\xe9 \xc3\xa9.png".decode("utf-8", "surrogateescape")
    assert printable(name) == "caf\\xe9 é.png"
    assert printable("unchanged") == "unchanged"
    assert printable("lone \ud800").isprintable()


def test_a_whole_number_is_written_in_ascii_digits_alone():
    assert [text for text in ("0", "007", "", "-1", "1.0", "٣", "²", "a1") if is_whole(text)] == ["0", "007"]
