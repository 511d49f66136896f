"""Oscar's catalogue with names in the reader's language.

The demo's texts are translated by ``sandbox.demo.nepali``, and what editors type is shown as they typed it. A shop
whose editors translate uses django-modeltranslation or the like: any title that follows the active language will do.
"""

from typing import Any

from oscar.apps.catalogue.abstract_models import AbstractProduct

from sandbox.demo.nepali import in_language


class Product(AbstractProduct):  # type: ignore[django-manager-missing]  # Oscar is untyped
    def __str__(self) -> str:
        return str(self.get_title())

    def get_title(self) -> Any:
        return in_language(super().get_title())


from oscar.apps.catalogue.models import *  # type: ignore[assignment]  # noqa: E402, F403
