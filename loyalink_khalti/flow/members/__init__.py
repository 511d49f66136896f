"""Members: their points by hand, their names and data, a guest's points claimed, and notices before points expire."""
