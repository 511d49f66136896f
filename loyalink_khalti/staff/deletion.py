"""Rows of a shop that staff must not delete, because money, points or stock depend on them."""

from django.contrib import messages
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect


class DeletionRefused(ProtectedError):
    """A row must not be deleted; ``str()`` is a sentence for staff. Raised by a host's ``pre_delete`` receiver.

    Django's admin and Oscar's dashboard know a ``ProtectedError`` only from foreign keys, before they delete: this one
    would be an error page, so ``PendingPaymentMiddleware`` answers with ``refused``.
    """

    def __str__(self) -> str:
        return str(self.args[0])


def refused(request: HttpRequest, exc: DeletionRefused) -> HttpResponse:
    """Return to the page on which staff asked for the deletion, with the reason. Nothing was deleted."""
    messages.error(request, str(exc), fail_silently=True)
    return redirect(request.get_full_path())
