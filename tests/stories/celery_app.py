"""A shop's ``celery.py`` as docs/operations.md has it, for the stories; a pass is due every two seconds."""

import os

from celery import Celery

from loyalink_khalti.celery_tasks import CELERY_BEAT_SCHEDULE

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["loyalink_khalti"], related_name="celery_tasks")
app.conf.beat_schedule = CELERY_BEAT_SCHEDULE

if os.environ.get("STORY_PASS_EVERY"):
    app.conf.beat_schedule["loyalink_khalti.reconcile"]["schedule"] = float(os.environ["STORY_PASS_EVERY"])
