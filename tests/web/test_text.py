"""NFC as unicodedata has it, whatever marks a text has and in whatever order."""

import random
import sys
import time
import unicodedata

import pytest

from todo_api.web.text import nfc

# with starters, and with the marks that decompose into marks of other classes
OTHERS = "aeoIA\u1100\u1161\u11a8\uac00\u0f71\u0f73\u0f75\u0f81\u0344"


@pytest.mark.slow
def test_every_character_and_every_order_of_marks_is_composed_as_usual():
    parts = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.combining(character) or unicodedata.decomposition(character)
    ]
    chosen = random.Random(1)
    for character in parts:
        assert nfc(character) == unicodedata.normalize("NFC", character)
    for _ in range(20_000):
        letters = parts if chosen.random() < 0.7 else OTHERS
        text = "".join(
            chosen.choice(letters if chosen.random() < 0.8 else OTHERS) for _ in range(12)
        )
        assert nfc(text) == unicodedata.normalize("NFC", text), ascii(text)


@pytest.mark.parametrize(
    "marks", ["\u0344\u0316", "\u0f73\u0f71", "\u0f81\u0f72", "\u0301\u0316", "\u1fb7\u0316"]
)
def test_the_time_grows_with_the_length(marks):
    def took(count):
        text = "a" + marks[0] * count + marks[1] * count
        times = []
        for _ in range(3):
            began = time.thread_time()
            nfc(text)
            times.append(time.thread_time() - began)
        return min(times)

    assert took(16_000) < 16 * 8 * took(1_000)  # by its square it would be 256 times as long
