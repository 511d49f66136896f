from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.generic import TemplateView
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from .models import Tea
from .serializers import TeaSerializer


@method_decorator(ensure_csrf_cookie, name="dispatch")
class Index(TemplateView):
    """The page that buys: teahouse/static/teahouse/shop.js calls the API."""

    template_name = "teahouse/index.html"


@api_view()
@permission_classes([AllowAny])
def teas(_request: Request) -> Response:
    rows: Any = Tea.objects.order_by("pk")
    return Response(TeaSerializer(rows, many=True).data)
