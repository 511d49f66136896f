"""Members on the editors' desk: found, looked at, and what staff may do to their points."""
