"""The page of the loyalty rules: sentences with fields, saved as a new version of the programme."""
