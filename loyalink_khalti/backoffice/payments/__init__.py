"""Payments on the editors' desk: all that came to Khalti, the story of each, and what staff do about it.

Nothing is edited and nothing is deleted here: a deed of staff goes through the flow, under its locks and its rules.
"""
