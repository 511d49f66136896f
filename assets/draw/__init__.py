"""The sources of the pictures in ``sandbox/demo/pictures``: each is drawn in code, as SVG.

``svg`` has the basic shapes and ``motifs`` the ornaments. A module per category of the shop draws its products, each
centred on the origin; ``scenes`` puts several together for a category and for the home page.
"""
