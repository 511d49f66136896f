"""Apart from the modifiers: Salesman (1.3) imports this module while its own are only half imported."""

from rest_framework import serializers


class ProductSerializer(serializers.Serializer):
    name = serializers.CharField()
    code = serializers.CharField()
