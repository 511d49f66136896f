"""``python -m sandbox.manage COMMAND``: every management command of the demo store."""

import os
import sys
from importlib.util import find_spec

from sandbox import bootstrap


def main() -> None:
    """Run the command in ``sys.argv``, in the ``.venv`` of ``python3 -m sandbox`` where this Python has no Django."""
    if not find_spec("django"):
        venv = bootstrap.Venv(bootstrap.ROOT)
        if venv.is_active() or not venv.python.exists():
            sys.exit("Nothing is installed yet: start the store once with `python3 -m sandbox`.")
        venv.restart("sandbox.manage")
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
    execute_from_command_line(["python -m sandbox.manage", *sys.argv[1:]])


if __name__ == "__main__":
    main()
