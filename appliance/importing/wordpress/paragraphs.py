"""Paragraphs of classic texts, as the `wpautop` of WordPress makes them.

WordPress stores blank lines and makes `<p>` of them only when it shows a page. Blank lines part paragraphs, and single
line breaks become `<br />`. Block elements stay as they are, and nothing is changed inside elements where white space
matters, such as `<pre>` and `<script>`.
"""

from __future__ import annotations

import re

from appliance.content.html_elements import TAG

#: Elements that end a paragraph.
_BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "caption", "center", "col", "colgroup", "dd", "details",
        "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3",
        "h4", "h5", "h6", "header", "hgroup", "hr", "legend", "li", "main", "menu", "nav", "ol", "p", "section",
        "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
    }
)  # fmt: skip
#: Blocks that stay as they are, with everything in them.
_KEPT_BLOCKS = frozenset({"pre", "script", "style", "noscript", "template"})
#: Inline elements that stay as they are.
_KEPT_INLINE = frozenset({"textarea", "svg", "math", "object", "audio", "video", "select", "canvas"})
#: Blocks without text of their own.
_BARE = frozenset({"col", "colgroup", "dir", "dl", "menu", "ol", "table", "tbody", "tfoot", "thead", "tr", "ul"})
#: Blocks with text that is never paragraphs, only lines.
_LINES = frozenset({"address", "caption", "dt", "figcaption", "h1", "h2", "h3", "h4", "h5", "h6", "legend", "summary"})
#: Blocks with text that is always paragraphs.
_TEXTS = frozenset({"", "article", "blockquote", "body", "main", "section"})
_EMPTY = frozenset({"col", "hr"})
#: Open elements that a new element ends: a list item ends the one before it.
_ENDS = {"li": ("li",), "dd": ("dd", "dt"), "dt": ("dd", "dt"), "td": ("td", "th"), "th": ("td", "th"), "tr": ("tr",)}

_BLANK = re.compile(r"\n[ \t]*\n\s*")
_BROKEN = re.compile(r"<br ?/?>\Z", re.IGNORECASE)
_COMMENT = re.compile(r"<!--(?:(?!-->|<!--).)*-->", re.DOTALL)
_MARK = re.compile(r"^[ \t]*(<!--[^<>]{0,200}-->)[ \t]*$", re.MULTILINE)
#: How deep blocks are followed. Deeper ones count as part of the innermost.
_DEPTH = 200
_HELD = re.compile("\0(\\d+)\0")


def paragraphs(text: str) -> str:
    """The HTML of a text with blank lines between paragraphs."""
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    return _Text(_MARK.sub(r"\n\n\1\n\n", text)).html()


class _Text:
    """A text that is being converted: `out` is done, `run` is the current line, `open` are the blocks around it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.out: list[str] = []
        self.run: list[str] = []
        self.open: list[str] = []
        self.held: list[str] = []

    def html(self) -> str:
        at = 0
        while (tag := TAG.search(self.text, at)) is not None:
            self.run.append(self.text[at : tag.start()])
            at = self._take(tag)
        self.run.append(self.text[at:])
        self._leave_paragraph()
        whole = "\n".join(part for part in (piece.strip("\n") for piece in self.out) if part.strip())
        return _HELD.sub(lambda match: self.held[int(match[1])], whole)

    def _take(self, tag: re.Match[str]) -> int:
        """Read a tag and the element that stays as it is, if it begins one; returns where the text goes on."""
        closes, name = bool(tag[1]), (tag[2] or "").lower()
        if name in _KEPT_BLOCKS | _KEPT_INLINE and not closes:
            end = self._end_of(name, tag)
            if name in _KEPT_BLOCKS:
                self._leave_paragraph()
                self.out.append(self._hold(self.text[tag.start() : end]))
            else:
                self.run.append(self._hold(self.text[tag.start() : end]))
            return end
        if name not in _BLOCKS:
            self.run.append(tag[0] if not name else _in_one_line(tag[0]))
        elif closes:
            self._close(name, tag[0])
        else:
            self._begin(name, tag[0])
        return tag.end()

    def _end_of(self, name: str, tag: re.Match[str]) -> int:
        if tag[3].endswith("/"):
            return tag.end()
        closing = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(self.text, tag.end())
        return closing.end() if closing else len(self.text)

    def _hold(self, kept: str) -> str:
        self.held.append(kept)
        return f"\0{len(self.held) - 1}\0"

    def _begin(self, name: str, tag: str) -> None:
        self._leave_paragraph()
        if self.open and self.open[-1] in _ENDS.get(name, ()):
            self.open.pop()
        self.out.append(tag)
        if name not in _EMPTY and not tag.endswith("/>") and len(self.open) < _DEPTH:
            self.open.append(name)

    def _close(self, name: str, tag: str) -> None:
        self._flush()
        if name in self.open:
            if name != "p":
                self._leave_paragraph()
            del self.open[len(self.open) - 1 - self.open[::-1].index(name) :]
            self._glue(tag)
        elif name != "p":  # no paragraph is open
            self.out.append(tag)

    def _glue(self, tag: str) -> None:
        if self.out:
            self.out[-1] = self.out[-1].rstrip("\n") + tag
        else:
            self.out.append(tag)

    def _leave_paragraph(self) -> None:
        """End the paragraph that is open: a block begins or ends."""
        self._flush()
        if self.open and self.open[-1] == "p":
            self.open.pop()
            self._glue("</p>")

    def _flush(self) -> None:
        run, self.run = "".join(self.run), []
        if not run.strip():
            return
        inside = self.open[-1] if self.open else ""
        if inside in _BARE:
            self.out.append(run)
        elif inside == "p":
            self._glue("</p>\n<p>".join(map(_broken, _pieces(run))))
        elif inside in _LINES:
            self._glue(_broken(run.strip()))
        elif inside in _TEXTS or _BLANK.search(run):
            self.out += map(_paragraph, _pieces(run))
        else:
            self._glue(_broken(run.strip()))


def _in_one_line(tag: str) -> str:
    return " ".join(filter(None, map(str.strip, tag.split("\n")))) if "\n" in tag else tag


def _pieces(run: str) -> list[str]:
    return [piece.strip() for piece in _BLANK.split(run) if piece.strip()]


def _paragraph(piece: str) -> str:
    return f"<p>{_broken(piece)}</p>" if _COMMENT.sub("", piece).strip() else piece


def _broken(piece: str) -> str:
    *lines, last = (line.strip(" \t") for line in piece.split("\n"))
    return "".join(f"{_BROKEN.sub('', line)}<br />\n" for line in lines) + last
