"""Reports in Wagtail's menu of reports, one module each, over the reports of ``loyalty`` and ``payments``."""
