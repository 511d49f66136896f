"""The member pages of Wagtail's admin: search, view, adjust, block, merge, export and erase."""
