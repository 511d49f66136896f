"""The store under any WSGI server, static and media files included."""

import os

from django.core.wsgi import get_wsgi_application
from whitenoise import WhiteNoise

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")

from django.conf import settings

# Media come and go while the store runs (thumbnails, uploads): each is looked up when asked for.
application = WhiteNoise(get_wsgi_application(), autorefresh=True)
application.add_files(settings.MEDIA_ROOT, prefix=settings.MEDIA_URL)
