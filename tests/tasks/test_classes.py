"""Which class of a model is which category of a data set."""

from __future__ import annotations

import pytest

from harness.tasks.classes import match_classes


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ("cat dog", "dog cat", {0: 1, 1: 0}),
        ("Cat DOG", "cat dog", {0: 0, 1: 1}),
        ("a b A B", "a b A B", {0: 0, 1: 1, 2: 2, 3: 3}),  # case alone distinguishes
        ("a b A B", "A B a b c", {0: 2, 1: 3, 2: 0, 3: 1}),
        ("a A", "a b", {0: 0}),
        ("cat cat", "cat cat", {0: 0, 1: 1}),  # the same list, by number
        ("cat cat dog", "dog cat", {0: 2}),  # which cat is open
        ("bird cat", "dog cow", {}),
    ],
)
def test_classes_are_matched_by_name_or_by_number_where_the_lists_are_one(ours, theirs, found):
    matched = match_classes(dict(enumerate(ours.split())), theirs.split())
    assert matched.categories == found
    assert not matched.note


@pytest.mark.parametrize(
    ("ours", "theirs", "note"),
    [
        ("person", "item", "the one class of the model, 'item', was matched with 'person'"),
        ("class_0 class_1", "cat dog", "matched by number ('cat' with 'class_0', …)"),
        ("cat dog", "class0 class1", "matched by number ('class0' with 'cat', …)"),
    ],
)
def test_a_match_by_something_else_than_names_is_noted(ours, theirs, note):
    matched = match_classes({7 + at: name for at, name in enumerate(ours.split())}, theirs.split())
    assert matched.categories == {at: 7 + at for at in range(len(ours.split()))}
    assert note in matched.note
