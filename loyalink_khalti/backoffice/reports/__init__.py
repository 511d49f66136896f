"""Reports in Wagtail's own menu of reports: a module each, over the questions of ``loyalty`` and ``payments``."""
