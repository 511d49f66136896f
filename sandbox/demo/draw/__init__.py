"""The store's pictures, drawn in code: shapes in, SVG out.

``svg`` has the few shapes everything is made of and ``motifs`` the ornaments; then a module for each shelf of the
shop, whose functions draw one thing centred on the origin, lying on a table; ``scenes`` puts things together.
"""
