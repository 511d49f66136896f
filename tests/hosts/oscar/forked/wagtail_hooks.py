"""What such a shop writes to have its products in Wagtail."""

import loyalink_khalti.hosts.oscar.wagtail_hooks  # noqa: F401 - registers the hooks
