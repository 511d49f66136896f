"""A shop's colour can be read wherever it is used, whatever the shop has chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalink_khalti import colours

ANY = st.builds("#{:06x}".format, st.integers(0, 0xFFFFFF))


@pytest.mark.parametrize(
    ("one", "other", "contrast"), [("#000", "#fff", 21), ("#ffffff", "#fff", 1), ("#777777", "#ffffff", 4.48)]
)
def test_contrast_is_that_of_the_guidelines(one, other, contrast):
    assert colours.contrast(one, other) == pytest.approx(contrast, abs=0.005)


@given(ANY)
def test_text_on_any_colour_can_be_read(colour):
    assert colours.contrast(colours.text_on(colour), colour) >= colours.READABLE


@given(ANY, st.sampled_from([colours.WHITE, colours.DARK_PAPER]))
def test_any_colour_has_a_shade_that_can_be_read_on_a_page(colour, page):
    shade = colours.readable(colour, on=page)

    assert colours.contrast(shade, page) >= colours.READABLE
    assert shade == colour or colours.contrast(colour, page) < colours.READABLE


@pytest.mark.parametrize("text", ["", "red", "#12", "#12345g", "#1234567", "url(x)"])
def test_what_is_no_colour_is_none(text):
    assert not colours.is_colour(text)
    with pytest.raises(ValueError, match="not a colour"):
        colours.contrast(text, colours.WHITE)
