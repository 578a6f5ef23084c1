"""What a plain word is: the core schema of YAML 1.2.2, section 10.3.2.

Only `true`, `True`, `TRUE` and their opposites are booleans; `yes`, `on` and `22:22` are strings, `0777` is 777.
"""

from __future__ import annotations

import re

from supervisor.config.document.nodes import ScalarKind

_PREFIX = "tag:yaml.org,2002:"
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
# Most plain words are not numbers; their first character shows that without the expressions above.
_NUMBER_START = frozenset("+-.0123456789")

_TAGS = {
    _PREFIX + "str": ScalarKind.STRING,
    _PREFIX + "bool": ScalarKind.BOOL,
    _PREFIX + "int": ScalarKind.INT,
    _PREFIX + "float": ScalarKind.FLOAT,
    _PREFIX + "null": ScalarKind.NULL,
}
SEQUENCE_TAGS = frozenset({"!", _PREFIX + "seq"})
MAPPING_TAGS = frozenset({"!", _PREFIX + "map"})


def plain_kind(text: str) -> ScalarKind:
    """The kind of a word without quotes and tag."""
    if text in _NULL:
        return ScalarKind.NULL
    if text in _BOOL:
        return ScalarKind.BOOL
    if text[0] in _NUMBER_START:
        if _INT.fullmatch(text):
            return ScalarKind.INT
        if _FLOAT.fullmatch(text):
            return ScalarKind.FLOAT
    return ScalarKind.STRING


def tagged_kind(tag: str, text: str) -> ScalarKind | None:
    """The kind of a tagged word, in quotes or not; None if the tag is unknown or does not fit the text."""
    if tag == "!":
        return ScalarKind.STRING
    kind = _TAGS.get(tag)
    if kind is None or kind is ScalarKind.STRING:
        return kind
    found = plain_kind(text)
    fits = found is kind or (kind is ScalarKind.FLOAT and found is ScalarKind.INT)
    return kind if fits else None


def is_known(tag: str) -> bool:
    """Whether a word may have the tag at all."""
    return tag == "!" or tag in _TAGS


def tag_text(tag: str) -> str:
    """The tag as it is written."""
    return "!!" + tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else tag
