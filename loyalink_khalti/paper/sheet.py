"""Sheets of A4 as PDF files, in Latin script and in Devanagari: fonts, lines and tables. It needs the extra ``pdf``.

fpdf2 shapes Devanagari with HarfBuzz (uharfbuzz). The font is beside this file, under the SIL Open Font License: one
for both scripts, because fpdf2 (2.8) loses the font after a text that falls back to another one.
"""

from collections.abc import Sequence
from pathlib import Path

from django.utils.translation import get_language
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace

FONTS = Path(__file__).parent / "fonts"
FONT = "Noto Sans Latin Devanagari"
_LINE_HEIGHT = 1.45
BOLD = FontFace(emphasis="BOLD")
QUIET = FontFace(color=(90, 90, 90))
Row = tuple[Sequence[str], FontFace | None]
"""The cells, and how they are set."""


def new_sheet(*, title: str, author: str) -> FPDF:
    """Return an empty file of A4 with its first page, in the active language."""
    pdf = FPDF(format="A4")
    pdf.set_margin(18)
    for style, weight in (("", "Regular"), ("B", "Bold")):
        pdf.add_font(FONT, style, FONTS / f"{FONT.replace(' ', '')}-{weight}.ttf")
    pdf.set_text_shaping(use_shaping_engine=True, script="deva")  # of the first letter alone, where it is not named
    pdf.set_title(title)
    pdf.set_author(author)
    pdf.set_lang(get_language() or "en")
    pdf.add_page()
    return pdf


def write_head(pdf: FPDF, name: str, lines: Sequence[str]) -> None:
    """Write who prints it: the name, and lines about it, with a rule below."""
    pdf.set_font(FONT, "B", 16)
    write_line(pdf, name)
    pdf.set_font(FONT, "", 10)
    for text in lines:
        if text.strip():
            write_line(pdf, text.strip())
    pdf.ln(2)
    pdf.set_draw_color(120, 120, 120)
    draw_rule(pdf)
    pdf.ln(4)


def write_title(pdf: FPDF, title: str) -> None:
    """Write a heading; what follows is plain again."""
    pdf.set_font(FONT, "B", 13)
    write_line(pdf, title)
    pdf.set_font(FONT, "", 10)


def write_line(pdf: FPDF, text: str) -> None:
    """Write a text over the width of the page."""
    pdf.multi_cell(0, pdf.font_size * _LINE_HEIGHT, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def draw_rule(pdf: FPDF) -> None:
    """Draw a line over the width of the page."""
    pdf.line(pdf.l_margin, pdf.y, pdf.w - pdf.r_margin, pdf.y)


def write_table(pdf: FPDF, rows: Sequence[Row], *, widths: tuple[int, ...] = (70, 30)) -> None:
    """Draw rows, all but the first column at the right, and a rule below them; nothing for no rows."""
    if not rows:
        return
    aligned = ("LEFT", *["RIGHT"] * (len(widths) - 1))
    with pdf.table(
        borders_layout=TableBordersLayout.NONE, col_widths=widths, first_row_as_headings=False,
        line_height=pdf.font_size * _LINE_HEIGHT, text_align=aligned, width=pdf.epw,
    ) as table:  # fmt: skip
        for cells, style in rows:
            row = table.row(style=style)
            for cell in cells:
                row.cell(cell)
    pdf.ln(1)
    draw_rule(pdf)
    pdf.ln(2)
