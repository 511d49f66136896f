"""The daily close, and the week on the first page of Wagtail's admin."""
