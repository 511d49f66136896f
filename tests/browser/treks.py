"""The example of ``examples/page`` in a process of its own: pages that sell, in the layout of their site."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loyalink_khalti.simulator import Simulator
from sandbox import children
from tests.stories.running_store import ROOT, free_port

MANAGE = "examples/page/manage.py"


@contextmanager
def running_treks(folder: Path) -> Iterator[str]:
    """Run the site with its demo in ``folder`` and return its address; stop it at the end."""
    port = free_port()
    ours = ("DJANGO_", "PYTEST_", "KHALTI_", "SITE_URL", "PORT")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    with Simulator() as khalti, (folder / "site.log").open("ab") as log:
        environment |= {"PORT": str(port), "KHALTI_BASE_URL": khalti.base_url, "SANDBOX_VAR": str(folder)}
        for command in (("migrate", "--verbosity=0"), ("load_demo",)):
            subprocess.run(
                [sys.executable, MANAGE, *command], cwd=ROOT, env=environment, stdout=log, stderr=log, check=True
            )
        command = [sys.executable, MANAGE, "runserver", "--noreload", f"127.0.0.1:{port}"]
        server = children.start(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            assert children.responds(f"http://127.0.0.1:{port}/", server), (folder / "site.log").read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            children.stop(server)
