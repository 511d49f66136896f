"""The colours of the shop."""

VERMILION = "#c8372d"
DEEP_RED = "#8f1f22"
MARIGOLD = "#f2a31b"
AMBER = "#d97f0e"
SUN = "#ffd166"
INDIGO = "#2b3a7c"
NIGHT = "#1b2450"
SKY = "#6f9bd1"
FOREST = "#2f6b4a"
PINE = "#1d4732"
LEAF = "#7fb069"
TEAL = "#2a8c8c"
PLUM = "#7a3b69"
ROSE = "#e07a8b"
LOKTA = "#f1e3c4"
CREAM = "#fbf4e4"
PAPER = "#fffdf7"
KHAKI = "#cfa56b"
KRAFT = "#b98a53"
WOOD = "#d9a566"
WALNUT = "#7b4b2a"
STEEL = "#b9c1ca"
IRON = "#6d7783"
INK = "#23212b"
GOLD = "#d8ac47"
BRASS = "#b98a2c"
WHITE = "#ffffff"
FLAGS = ("#3a6fb5", "#fdfaf2", "#cf3b32", "#3f8a56", "#f4bd3a")

# Twenty-four hues, warm to cool and back to earth: colour pencils, pans, tubes and pens are taken from here in order.
SPECTRUM = (
    "#fff1a8", "#ffdd4a", "#f9b934", "#f2921d", "#ea6a25", "#dd4530", "#c62a33", "#a31d3b",
    "#d94f7f", "#ea8fae", "#a4579f", "#74408f", "#4a3a8c", "#2b3a7c", "#2e5fae", "#4d93d1",
    "#7fc0dc", "#3aa3a0", "#2c7f62", "#4f9d4a", "#93bf4f", "#b98a4a", "#7b4b2a", "#2a262c",
)  # fmt: skip
