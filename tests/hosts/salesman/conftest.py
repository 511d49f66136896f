"""The fixtures of a shop on Salesman, where it is installed: its newest release refuses Django 6."""

from importlib.util import find_spec

if find_spec("salesman"):
    from .store import guest, khalti, khalti_simulator, maya, store

    __all__ = ["guest", "khalti", "khalti_simulator", "maya", "store"]
else:
    collect_ignore_glob = ["test_*.py"]
