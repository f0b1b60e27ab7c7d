"""The colours of a report, light and dark: the page's variables and the plots' inks are these.

Text has at least 4.5:1 against what it stands on, lines of plots 3:1 (WCAG 2.2, 1.4.3 and
1.4.11). Where colours tell series apart, line styles do too.
"""

from __future__ import annotations

from collections.abc import Mapping

SERIES = 6

LIGHT: Mapping[str, str] = {
    "page": "#f6f7f5",
    "card": "#ffffff",
    "ink": "#1b2127",
    "muted": "#59636d",
    "grid": "#dfe3e2",
    "link": "#155fa0",
    "good": "#176f42",
    "warn": "#8a5600",
    "bad": "#b3261e",
    "series-1": "#1f6fb2",
    "series-2": "#c05a12",
    "series-3": "#2a8354",
    "series-4": "#8a5ab5",
    "series-5": "#947014",
    "series-6": "#4f6d7a",
}
DARK: Mapping[str, str] = {
    "page": "#13171b",
    "card": "#1b2127",
    "ink": "#e6e9ec",
    "muted": "#a2adb8",
    "grid": "#343d46",
    "link": "#86c1f5",
    "good": "#5cc58d",
    "warn": "#e0a94a",
    "bad": "#f48d85",
    "series-1": "#6fb4ee",
    "series-2": "#f0a05f",
    "series-3": "#6fce9b",
    "series-4": "#c3a0e8",
    "series-5": "#dcc06a",
    "series-6": "#9db8c4",
}
