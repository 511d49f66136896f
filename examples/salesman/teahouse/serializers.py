from rest_framework import serializers

from .models import Tea


class TeaSerializer(serializers.ModelSerializer[Tea]):
    class Meta:
        model = Tea
        fields = ("id", "name", "code", "price", "stock")
