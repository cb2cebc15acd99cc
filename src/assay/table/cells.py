"""What a cell of text says: nothing, a number, yes or no, a moment.

Training and prediction read cells through these same functions, so a file means the same to both.
Each takes a Series and gives one of equal length with null where the text does not say such a thing.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import polars as pl

MISSING = (
    "", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "?", "-", ".",
)
"""Words for a missing value, after outer blanks are cut off."""

SMALL = 1000
"""Up to so many values Python is quicker than the start of an expression in polars."""

YES_NO = (("no", "yes"), ("false", "true"), ("n", "y"), ("f", "t"))
_FALSE = [no for no, _ in YES_NO]
_TRUE = [yes for _, yes in YES_NO]

_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
NUMBER_LIKE = re.compile(r"[+-]?[$€£]?\s?[+-]?(?:[\d.,]+(?:e[+-]?\d+)?|inf|infinity)\s?[%$€£]?$", re.IGNORECASE)
CODE = r"^[+-]?0\d+$"                                        # a leading zero: a code such as a postcode, not a number
_MONEY = r"^[+-]?[$€£]?\s?[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?\s?[%$€£]?$"
_ORNAMENT = r"[$€£%,\s]"


def tidy(text: pl.Series, *, keep: Collection[str] = ()) -> tuple[pl.Series, tuple[str, ...]]:
    """Outer blanks cut off, and words for a missing value made null; with the words that were met.

    A lone "-" stays where "+" is another value of the column: there it is a sign, not a gap."""
    if text.len() <= SMALL:
        if all(value is None or (value not in MISSING and value == value.strip()) for value in text.to_list()):
            return text, ()
    elif _repeats(text) and _is_tidy(text.unique(), keep):
        return text, ()
    stripped = text.str.strip_chars()
    gone = stripped.is_in([word for word in MISSING if word not in keep])
    if not gone.any():
        return stripped, ()
    met = set(stripped.filter(gone).unique().drop_nulls())
    if "-" in met and bool((stripped == "+").any()):
        met.discard("-")
        gone = stripped.is_in(list(met))
    return stripped.set(gone, None), tuple(sorted(met - {""}))


def _repeats(text: pl.Series) -> bool:
    """Whether a long column has so few values that looking at each once is the quicker way."""
    return text.len() > 20_000 and text.gather_every(text.len() // 500).n_unique() < 100


def _is_tidy(values: pl.Series, keep: Collection[str]) -> bool:
    gone = values.is_in([word for word in MISSING if word not in keep]).any()
    return not gone and bool((values == values.str.strip_chars()).all())


def numbers(text: pl.Series) -> pl.Series:
    """Int64 where every number is whole and fits, else Float64. "$1,200.50" and "45 %" are read as 1200.5 and 45."""
    if text.len() <= SMALL and (plain := _plain_numbers(text.to_list())) is not None:
        return pl.Series(text.name, plain, dtype=pl.Float64 if any(isinstance(x, float) for x in plain) else pl.Int64)
    floats = _floats(text)
    if floats.is_not_nan().all() and not text.str.contains(r"[.eEnN]").any():
        whole = text.cast(pl.Int64, strict=False)
        if whole.null_count() == floats.null_count():
            return whole
    return floats


def _plain_numbers(values: list[str | None]) -> list[float | int | None] | None:
    """The numbers of a short column in which nothing is adorned; else None."""
    numbers: list[float | int | None] = []
    for value in values:
        if value is not None and not _PLAIN.fullmatch(value):
            return None
        numbers.append(None if value is None else float(value) if set(value) & set(".eE") else int(value))
    return None if any(isinstance(x, int) and abs(x) >= 2**63 for x in numbers) else numbers


def seem(pattern: re.Pattern[str], sample: pl.Series) -> bool:
    """Whether at least half of the first twenty values match: a cheap look before the whole column is tried."""
    values = sample.head(20).to_list()
    return 2 * sum(bool(pattern.match(value)) for value in values) >= len(values)


def _floats(text: pl.Series) -> pl.Series:
    plain = text.cast(pl.Float64, strict=False).fill_nan(None)
    if plain.null_count() == text.null_count():
        return plain
    left = text.set(plain.is_not_null(), None)
    adorned = left.str.contains(_MONEY)
    if not adorned.any():
        return plain
    bare = left.set(~adorned.fill_null(value=False), None).str.replace_all(_ORNAMENT, "").cast(pl.Float64, strict=False)
    return plain.zip_with(plain.is_not_null(), bare)


_MEANT = {**dict.fromkeys((*_TRUE, "1", "1.0"), True), **dict.fromkeys((*_FALSE, "0", "0.0"), False)}


def meant(word: str) -> bool | None:
    """Whether a word says yes or no; None where it says neither."""
    return _MEANT.get(word.lower())


def booleans(text: pl.Series) -> pl.Series:
    """yes/no, true/false, y/n, t/f in any case, and 1/0."""
    folded = text.str.to_lowercase()
    true, false = folded.is_in([*_TRUE, "1", "1.0"]), folded.is_in([*_FALSE, "0", "0.0"])
    return true.set(~(true | false).fill_null(value=False), None)


def says_yes_or_no(words: Collection[str]) -> tuple[str, str] | None:
    """(the word for no, the word for yes) if these are the two words of one pair.

    >>> says_yes_or_no(["Yes", "No"])
    ('No', 'Yes')
    """
    by_fold = {word.lower(): word for word in words}
    for no, yes in YES_NO:
        if len(words) == 2 and set(by_fold) == {no, yes}:
            return by_fold[no], by_fold[yes]
    return None


# --- moments ------------------------------------------------------------------------------------

_DATE = re.compile(
    r"(?P<iso>\d{4}(?P<s1>[-/.])\d{1,2}(?P=s1)\d{1,2})"
    r"|(?P<mixed>\d{1,2}(?P<s2>[-/.])\d{1,2}(?P=s2)(?P<year>\d{4}|\d{2}))(?!\d)"
    r"|(?P<day_first>\d{1,2}(?P<s3>[ -])[A-Za-z]{3,9}(?P=s3)(?P<year3>\d{4}|\d{2}))(?!\d)"
    r"|(?P<month_first>[A-Za-z]{3,9} \d{1,2}, ?\d{4})"
    r"|(?P<compact>\d{8})$"
)
_TIME = re.compile(
    r"(?P<sep>[ T])\d{1,2}:\d{2}(?P<seconds>:\d{2}(?:\.\d+)?)?(?P<half> ?[AaPp][Mm])?"
    r"(?P<zone> ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?$"
)


def formats(text: str) -> tuple[str, ...]:
    """The strptime formats that this text may be written in: two where day and month could be either.

    >>> formats("03/04/2024 17:05")
    ('%d/%m/%Y %H:%M', '%m/%d/%Y %H:%M')
    """
    date = _DATE.match(text)
    if not date:
        return ()
    rest = text[date.end():]
    time = _TIME.match(rest)
    if rest and not time:
        return ()
    return tuple(day + (_time_format(time) if time else "") for day in _date_formats(date))


def _date_formats(date: re.Match[str]) -> tuple[str, ...]:
    if date["iso"]:
        return (f"%Y{date['s1']}%m{date['s1']}%d",)
    if date["mixed"]:
        s, year = date["s2"], "%Y" if len(date["year"]) == 4 else "%y"
        return (f"%d{s}%m{s}{year}", f"%m{s}%d{s}{year}")
    if date["compact"]:
        return ("%Y%m%d",)
    letters = len(re.sub(r"[^A-Za-z]", "", date[0]))
    months = ("%B",) if letters > 3 else ("%b", "%B")           # "May" may be either
    if date["day_first"]:
        s, year = date["s3"], "%Y" if len(date["year3"]) == 4 else "%y"
        return tuple(f"%d{s}{month}{s}{year}" for month in months)
    return tuple(f"{month} %d, %Y" if ", " in date[0] else f"{month} %d,%Y" for month in months)


def _time_format(time: re.Match[str]) -> str:
    seconds = ":%S%.f" if time["seconds"] else ""
    half = (" %p" if time["half"].startswith(" ") else "%p") if time["half"] else ""
    zone = time["zone"] or ""
    zoned = (" " if zone.startswith(" ") else "") + ("%#z" if zone.strip() != "UTC" else "UTC") if zone else ""
    return time["sep"] + ("%I" if half else "%H") + ":%M" + seconds + half + zoned


def moments(text: pl.Series, form: str) -> pl.Series:
    """Datetime in microseconds without a zone; a zone in the text is converted to UTC."""
    read = text.str.to_datetime(form, strict=False, time_unit="us")
    return naive(read)


def naive(moment: pl.Series) -> pl.Series:
    """Any Date or Datetime as microseconds in UTC without a zone."""
    if getattr(moment.dtype, "time_zone", None):
        moment = moment.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return moment.cast(pl.Datetime("us"))


# --- the way back -------------------------------------------------------------------------------


def as_text(values: pl.Series) -> pl.Series:
    """Any plain column as text; whole floats lose their ".0", so 1 and 1.0 are the same category."""
    if values.dtype.is_float():
        return values.fill_nan(None).cast(pl.String).str.replace(r"\.0$", "")
    if values.dtype.is_temporal():
        return values.dt.to_string("iso:strict") if values.dtype == pl.Datetime else values.cast(pl.String)
    return values.cast(pl.String)
