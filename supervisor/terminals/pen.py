"""Pens: colours and attributes of characters, as the sequence SGR (`ESC [ ... m`) sets them."""

from __future__ import annotations

BOLD, FAINT, ITALIC, BLINK, INVERSE, HIDDEN, STRUCK, OVERLINED = (1 << n for n in range(8))
_SWITCHES = {1: BOLD, 2: FAINT, 3: ITALIC, 5: BLINK, 7: INVERSE, 8: HIDDEN, 9: STRUCK, 53: OVERLINED}
_ON = {**_SWITCHES, 6: BLINK}
_OFF = {
    22: BOLD | FAINT,
    23: ITALIC,
    25: BLINK,
    27: INVERSE,
    28: HIDDEN,
    29: STRUCK,
    55: OVERLINED,
}
_MOST_UNDERLINE = 5


class Pen:
    """How a character looks. Immutable: a change makes another pen.

    Attributes:
        foreground, background: the parameters of SGR that set it, such as "31", "38;5;200" or "48;2;1;2;3"; empty:
            the terminal's own.
        flags: BOLD and so on.
        underline: "4", or "4:2" to "4:5" for other lines than a plain one; empty: none.
        underline_colour: "58:5:N" or "58:2::R:G:B"; empty: that of the text.
        link: what follows `OSC 8 ;` for a hyperlink, "parameters;URI"; empty: none.
        sgr: the sequence that sets all of it but the link, whatever the pen was before.
    """

    __slots__ = (
        "_blank",
        "background",
        "flags",
        "foreground",
        "link",
        "sgr",
        "underline",
        "underline_colour",
    )

    def __init__(
        self,
        foreground: str = "",
        background: str = "",
        flags: int = 0,
        underline: str = "",
        underline_colour: str = "",
        link: str = "",
    ) -> None:
        self.foreground = foreground
        self.background = background
        self.flags = flags
        self.underline = underline
        self.underline_colour = underline_colour
        self.link = link
        on = [str(number) for number, flag in _SWITCHES.items() if flags & flag]
        parts = ["0", *on, underline, foreground, background, underline_colour]
        self.sgr = f"\x1b[{';'.join(part for part in parts if part)}m"
        self._blank: Pen | None = None

    @property
    def blank(self) -> Pen:
        """The pen of cells that are erased with this one: its background alone."""
        if self._blank is None:
            self._blank = Pen(background=self.background) if self.background else DEFAULT
        return self._blank

    def linked(self, link: str) -> Pen:
        """The same with this hyperlink; empty: with none."""
        return Pen(self.foreground, self.background, self.flags, self.underline, self.underline_colour, link)

    def changed(self, parameters: str) -> Pen:
        """The pen after SGR with these parameters, such as "1;38;5;200". What is unknown changes nothing."""
        foreground, background, flags = self.foreground, self.background, self.flags
        underline, underline_colour = self.underline, self.underline_colour
        fields = parameters.split(";")
        at = 0
        while at < len(fields):
            field = fields[at]
            at += 1
            head, colon, rest = field.partition(":")
            number = int(head) if head.isdecimal() else 0 if not head else -1
            if number in (38, 48, 58):
                if colon:
                    colour = _colour(rest.split(":"), with_space=True)
                else:
                    count = {"5": 2, "2": 4}.get(fields[at] if at < len(fields) else "", 0)
                    colour = _colour(fields[at : at + count], with_space=False)
                    at += count or len(fields)
                if not colour:
                    continue
                if number == 38:
                    foreground = "38;" + colour
                elif number == 48:
                    background = "48;" + colour
                else:
                    kind, _, values = colour.partition(";")
                    gap = "::" if kind == "2" else ":"
                    underline_colour = f"58:{kind}{gap}{values.replace(';', ':')}"
            elif number == 4:
                style = int(rest) if rest.isdecimal() else 1
                if style <= _MOST_UNDERLINE:
                    underline = "" if style == 0 else "4" if style == 1 else f"4:{style}"
            elif colon:
                continue
            elif number == 0:
                foreground = background = underline = underline_colour = ""
                flags = 0
            elif number in _ON:
                flags |= _ON[number]
            elif number in _OFF:
                flags &= ~_OFF[number]
            elif number == 21:
                underline = "4:2"
            elif number == 24:
                underline = ""
            elif 30 <= number <= 37 or 90 <= number <= 97:
                foreground = str(number)
            elif 40 <= number <= 47 or 100 <= number <= 107:
                background = str(number)
            elif number == 39:
                foreground = ""
            elif number == 49:
                background = ""
            elif number == 59:
                underline_colour = ""
        return Pen(foreground, background, flags, underline, underline_colour, self.link)


def _colour(fields: list[str], *, with_space: bool) -> str:
    """What follows 38, 48 or 58 as "5;N" or "2;R;G;B"; empty if it is no colour.

    With colons, a colour space may stand before red, green and blue: `2:SPACE:R:G:B`.
    """
    kind, values = fields[0] if fields else "", fields[1:]
    count = {"5": 1, "2": 3}.get(kind, 0)
    if with_space and kind == "2" and len(values) > 3:
        values = values[1:]
    numbers = [int(value or "0") if (value or "0").isdecimal() else 256 for value in values[:count]]
    if not count or len(numbers) < count or max(numbers) > 255:
        return ""
    return ";".join([kind, *map(str, numbers)])


DEFAULT = Pen()
