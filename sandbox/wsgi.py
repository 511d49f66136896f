"""The store for any WSGI server, with its static and media files."""

import os

from django.core.wsgi import get_wsgi_application
from whitenoise import WhiteNoise

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")

from django.conf import settings

# Media files change while the store runs (thumbnails, uploads): each is looked up on request.
application = WhiteNoise(get_wsgi_application(), autorefresh=True)
application.add_files(settings.MEDIA_ROOT, prefix=settings.MEDIA_URL.removeprefix(settings.SITE_PATH))
