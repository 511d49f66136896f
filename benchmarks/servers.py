"""What a measurement needs: PostgreSQL, the stand-in for Khalti, and Django with both packages on them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from sandbox import children
from sandbox.bootstrap import ROOT


class Khalti:
    """The stand-in for Khalti: see ``khalti_stub``."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.url}/api/v2/"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def control(self, **changes: Any) -> int:
        """Change status, latency (seconds) or hang; return the lookups since the last call."""
        return int(self._control(**changes)["lookups"])

    def return_urls(self) -> list[str]:
        """Return where the customers of the payments opened since the last call come back to."""
        return list(self._control()["return_urls"])

    def _control(self, **changes: Any) -> Any:
        request = urllib.request.Request(f"{self.url}/control", json.dumps(changes).encode(), method="POST")
        with self._opener.open(request, timeout=10) as response:
            return json.load(response)


@contextmanager
def khalti_stub() -> Iterator[Khalti]:
    """Run the stand-in for Khalti in a process of its own."""
    child = children.start([sys.executable, "-m", "benchmarks.khalti_stub"], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        yield Khalti(int(child.stdout.readline()))
    finally:
        children.stop(child)
        if child.stdout is not None:
            child.stdout.close()


@contextmanager
def django_on_postgresql(khalti: Khalti | None = None) -> Iterator[Any]:
    """Set Django up with a migrated PostgreSQL of its own, and with Khalti at the stand-in; yield the server.

    Migrating takes half a minute: the result is kept below ``.venv-bench`` until a migration changes.
    """
    from tests import postgres

    kept = kept_under("bench-databases")
    with ExitStack() as stack:
        cluster = stack.enter_context(postgres.cluster(kept if kept.exists() else None))
        os.environ["BENCHMARK_DATABASE_HOST"] = str(cluster.data)
        os.environ["BENCHMARK_KHALTI"] = khalti.base_url if khalti else "http://127.0.0.1:9/api/v2/"
        os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
        import django
        from django.core.management import call_command
        from django.db import connections

        django.setup()
        if not kept.exists():
            with cluster.running():
                call_command("migrate", verbosity=0, interactive=False)
                connections.close_all()
            shutil.copytree(cluster.data, kept)
        stack.enter_context(cluster.running())
        stack.callback(connections.close_all)
        yield cluster


def kept_under(name: str) -> Path:
    """Return where a migrated database is kept, named by the migrations and by the packages that are installed."""
    digest = hashlib.sha256()
    for path in sorted(ROOT.glob("*/migrations/*.py")) + sorted(ROOT.glob("sandbox/**/*.py")):
        digest.update(path.read_bytes())
    digest.update(repr(sorted(f"{each.name} {each.version}" for each in metadata.distributions())).encode())
    kept = Path(sys.prefix) / name / digest.hexdigest()[:16]
    for old in kept.parent.glob("*"):
        if old != kept:
            shutil.rmtree(old, ignore_errors=True)
    kept.parent.mkdir(exist_ok=True)
    return kept
