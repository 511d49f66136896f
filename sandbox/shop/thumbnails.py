"""Thumbnails, made when the store is loaded rather than while a customer waits for a page."""

from oscar.core.loading import get_model
from sorl.thumbnail import get_thumbnail
from wagtail.images import get_image_model

SIZES = ("360x360", "180x180", "900x900")
"""The sizes that the templates use."""


def prepare() -> None:
    """Make the thumbnails of all products, in every size, and of the home page's picture."""
    for image in get_model("catalogue", "ProductImage").objects.all():
        for size in SIZES:
            get_thumbnail(image.original, size, upscale=False)
    for image in get_image_model().objects.all():
        get_thumbnail(image.file, SIZES[-1], upscale=False)
