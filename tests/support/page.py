"""An HTML page as tests see it: elements with their attributes, and text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"br", "hr", "img", "input", "link", "meta"}


@dataclass
class Element:
    """One element: its name, its attributes, all text in it, and the names of those that it stands in."""

    tag: str
    attributes: dict[str, str]
    parents: tuple[str, ...] = ()
    text: str = ""


@dataclass
class Page(HTMLParser):
    """What a page is made of.

    Attributes:
        elements: All elements, in the order in which they begin.
        text: All text, that of styles left out.
        misnested: Ends that were not those of the innermost open element.
    """

    html: str
    elements: list[Element] = field(default_factory=list)
    text: str = ""
    misnested: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(item.tag for item in self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element that ends where it begins."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Leave the innermost element."""
        if not self._open or self._open[-1].tag != tag:
            self.misnested.append(tag)
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        """Keep text."""
        if not any(element.tag == "style" for element in self._open):
            self.text += data
        for element in self._open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        """Return the elements with one of these names."""
        return [element for element in self.elements if element.tag in tags]

    @property
    def tags(self) -> list[str]:
        """The name of every element."""
        return [element.tag for element in self.elements]

    @property
    def references(self) -> list[str]:
        """All that elements refer to, by any attribute or style that browsers follow."""
        names = {"src", "href", "xlink:href", "data", "action", "srcset", "poster"}
        found = [value for element in self.elements for name, value in element.attributes.items() if name in names]
        return found + re.findall(r"""url\(["']?([^"')]+)""", self.html)

    def rows(self, caption: str) -> list[list[str]]:
        """Return the cells of the table whose caption begins so, row by row."""
        rows: list[list[str]] = []
        is_in = False
        for element in self.elements:
            if element.tag == "table":
                is_in = False
            elif element.tag == "caption":
                is_in = element.text.strip().startswith(caption)
            elif is_in and element.tag == "tr":
                rows.append([])
            elif is_in and element.tag in {"th", "td"}:
                rows[-1].append(element.text.strip())
        return rows
