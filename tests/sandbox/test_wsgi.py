import importlib
from io import BytesIO
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage


@pytest.fixture
def application(settings):
    settings.MIDDLEWARE = settings.WITH_STATIC_FILES
    return importlib.reload(importlib.import_module("sandbox.wsgi")).application


@pytest.fixture
def upload():
    name = default_storage.save("uploads/नमस्ते.txt", ContentFile(b"namaste"))
    yield name
    default_storage.delete(name)


def get(application, path):
    environ = {"PATH_INFO": path.encode().decode("latin-1"), "REQUEST_METHOD": "GET", "wsgi.input": BytesIO()}
    setup_testing_defaults(environ)
    environ["HTTP_HOST"] = "127.0.0.1"
    answer = {}

    def start_response(status, headers, exc_info=None):
        answer.update(status=int(status.split()[0]), headers=dict(headers))

    body = application(environ, start_response)
    try:
        answer["body"] = b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
    return answer


def test_the_health_page_needs_no_database(application):
    assert get(application, "/healthz")["status"] == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/static/sandbox/store.css", "text/css"),
        ("/static/sandbox/logo.svg", "image/svg+xml"),
        ("/static/oscar/css/dashboard.css", "text/css"),
        ("/static/wagtailadmin/css/core.css", "text/css"),
    ],
)
def test_it_serves_static_files_from_their_source_folders(application, path, kind):
    answer = get(application, path)

    assert answer["status"] == 200
    assert answer["headers"]["Content-Type"].startswith(kind)
    assert answer["body"]


def test_it_serves_media_that_are_uploaded_while_it_runs(application, upload):
    assert get(application, f"/media/{upload}")["body"] == b"namaste"


@pytest.mark.parametrize("path", ["/media/../settings.py", "/media/../store.sqlite3", "/static/../settings.py"])
def test_it_serves_no_other_files(application, transactional_db, path):
    assert get(application, path)["status"] == 404
