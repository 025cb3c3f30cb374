"""Every rule of `prep.values`, as tables of cells before and after and the rules that count them."""

import tomllib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from prep.checks import TYPE_CHECKS
from prep.errors import SettingsError
from prep.model import DateOrder, EmailCase
from prep.schema import NORMALISERS as SCHEMA_NORMALISERS
from prep.schema import Field
from prep.values import DecimalMark, Normalised, Spelling, normalise, words
from prep.values.normalisers import NORMALISERS
from prep.values.placeholders import placeholder_rule
from prep.values.text import NFC, SUSPICIOUS, text_rules
from prep.values.words import ERRORS, MONTHS, NONE, NOTHING

ISO = Spelling()
DMY = Spelling(date_order=DateOrder.DMY)
MDY = Spelling(date_order=DateOrder.MDY)
MADRID = Spelling(timezone="Europe/Madrid")
KATHMANDU = Spelling(timezone="Asia/Kathmandu")
UTC = Spelling(timezone="UTC")
AS_TYPED = Spelling(repair_emails=False)


class Case(NamedTuple):
    type: str
    before: str
    after: str | None
    rules: str = ""
    spelling: Spelling = ISO


def become(
    type_name: str, after: str | None, rules: str, *cells: str, spelling: Spelling = ISO
) -> list[Case]:
    return [Case(type_name, cell, after, rules, spelling) for cell in cells]


def stay(type_name: str, *cells: str, spelling: Spelling = ISO) -> list[Case]:
    return [Case(type_name, cell, cell, "", spelling) for cell in cells]


def respell(field: Field, *cells: str | None, spelling: Spelling = ISO) -> Normalised:
    frame = pl.DataFrame({field.name: pl.Series(cells, dtype=pl.String)})
    return normalise(frame, {field.name: field}, spelling)


def check(field: Field, case: Case) -> None:
    result = respell(field, case.before, spelling=case.spelling)
    assert result.frame["x"].to_list() == [case.after]
    assert result.changes == {("x", rule): 1 for rule in case.rules.split()}


PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
WALES = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
ARABIC_FIVE = "\u0665"

TEXT = [
    *stay("string", "Anna", "Anna Müller-Łukasz 株式会社 Пушкин", "one\n\ttwo", "Null", "n/a", "Anna  Bo"),
    Case("string", "An\x00na\x1b\x7f\x9f", "Anna", "control"),
    Case("string", "\ufeffAnna\u200b \u2060Bo\u00ad\u180e", "Anna Bo", "control"),
    Case("string", "\u202eAnna\u202c \u2066\u05d0\u2069\u200e\u200f\u061c", "Anna \u05d0", "control"),
    Case("string", "one\r\ntwo\rthree\n\tfour", "one\ntwo\nthree\n\tfour", "control"),
    Case("string", "one\x0btwo\x0cthree\x85four", "one\ntwo\nthree\nfour", "control"),
    Case("string", "one\r\x00\ntwo", "one\ntwo", "control"),
    Case("string", "\x1fone\x1dtwo\x1e\x1e", "one\ntwo", "control"),
    Case("phone", "910 12 34 56\x1d911 22 33 44", "910 12 34 56\n911 22 33 44", "control"),
    Case("email", "ana@example.com\x1fbo", "ana@example.com\nbo", "control"),
    Case("email", "ana@example.com\x1d", "ana@example.com", "control"),
    Case("email", " \x1fana@example.com \x1d \xa0 ", "ana@example.com", "control"),
    Case("email", "ana@example.com\n\x1d", "ana@example.com\n", "control"),
    *stay("string", PERSIAN, FAMILY, WALES, "\u2764\ufe0f", "\U0001f44d\U0001f3fd"),
    *stay("text", PERSIAN, FAMILY),
    Case("string", "\u200d\u200cAnna\u200d", "Anna", "control"),
    Case("string", " \u200dAnna\u200c\u00a0\u200c", "Anna", "control trim"),
    Case("email", "an\u200dna@example.com", "anna@example.com", "control"),
    Case("phone", "+34\u200d600", "+34600", "control"),
    Case("string", "a\u00a0b\u1680c\u2000d\u200ae\u202ff\u205fg\u3000h", "a b c d e f g h", "spaces"),
    Case("string", "a\u2028b\u2029c", "a\nb\nc", "spaces"),
    Case("string", "\u00a0Anna\u3000", "Anna", "spaces trim"),
    Case("string", " \t\nAnna  Bo\n\t ", "Anna  Bo", "trim"),
    Case("string", "Jose\u0301", "José", "nfc"),
    Case("string", "\u212b \u1112\u1161\u11ab", "\u00c5 \ud55c", "nfc"),
    *stay("string", "\ufa1b\u5cf6 \u82b1\u5b50", "\u5c0f\ufa10", "\U0002f81a"),
    Case("string", "\ufa1b\u5cf6 \u304b\u3099", "\ufa1b\u5cf6 \u304c", "nfc"),
    Case("string", '="01234"', "01234", "as_text"),
    Case("string", '\u200b ="01234"\n', "01234", "control trim as_text"),
    Case("string", '=" Anna "', "Anna", "as_text trim"),
    Case("email", '="anna@example.com"', "anna@example.com", "as_text"),
    Case("string", '=""', None, "as_text blank"),
    *stay("string", '="a"&"b"', '="a', 'a="b"', "=1+1", "='a'"),
    *stay("string", "\ufb01", "\uff12", "™"),
    *become("string", None, "blank", ""),
    *become("string", None, "null", "NULL", "null", r"\N"),
    *become("integer", None, "null", "NULL", "null", r"\N"),
    *stay("string", r"\n", r"\N\N", "N"),
    *become("string", None, "trim blank", " ", " \n\t "),
    *become("string", None, "control blank", "\u200b\u200d", "\x00"),
    *become("string", None, "control spaces trim blank", "\u00a0\u200b"),
    *stay("string", "None", "Null", "Unknown", "-", "Xxx", "Keine"),
    *stay("text", "n/a", "none"),
    Case("url", " https://example.com/a b ", "https://example.com/a b", "trim"),
    *become("url", None, "placeholder", "-", "n/a", "N/A", "none", "keine Angabe"),
    *stay("url", "example.com/n/a", "nothing.example.com", "brochure"),
    Case("reference", " Unicode\u00a0here", "Unicode here", "spaces trim"),
    *stay("formula", "=1+1"),
    *become("string", None, "placeholder", "#N/A", "#REF!", "#NAME?", "#NV", "#¡VALOR!", "#дел/0!"),
    *[
        Case(name, "#N/A", None, "placeholder")
        for name in ("text", "phone", "url", "integer", "date", "boolean")
    ],
    *stay("string", "#1 Tools", "#hashtag", "N/A", "see #REF!", "#"),
]

LONG_DOMAIN = ".".join(["b" * 60] * 3 + ["b" * 50, "bücher.example"])

EMAIL = [
    *stay("email", "Anna.O'Neil+x@Example.COM", "an na@example.com", "info@example.com"),
    Case("email", "\u202fanna@example.com ", "anna@example.com", "spaces trim"),
    Case("email", "Anna@Bücher.example", "Anna@xn--bcher-kva.example", "idn"),
    Case("email", "anna@faß.de", "anna@xn--fa-hia.de", "idn"),
    Case("email", "anna@例え。jp", "anna@xn--r8jz45g.jp", "idn"),
    Case("email", "anna@bu\u0308cher.example", "anna@xn--bcher-kva.example", "nfc idn"),
    *stay("email", "josé@bücher.example", "josé@example.com", "an na@bücher.example", "anna@bü cher.example"),
    *stay("email", "anna@bücher", "anna@bücher@example.com", "anna@bücher.test", "@bücher.example", "bücher"),
    *stay("email", f"{'a' * 65}@bücher.example", "anna@-bücher.example"),
    *stay(
        "email",
        "anna@gm\u0430il.com",
        "anna@example.\u0441om",
        "ANNA@GMA\u0130L.COM",
        "<anna@gm\u0430il.com>",
    ),
    Case("email", "anna@\u043f\u0440\u0438\u043c\u0435\u0440.com", "anna@xn--e1afmkfd.com", "idn"),
    Case("email", "anna@日本abc.jp", "anna@xn--abc-s08fl0d.jp", "idn"),
    *become("email", "anna@example.com", "mailto", "mailto:anna@example.com", "MAILTO: anna@example.com"),
    Case("email", "mailto:anna@example.com?subject=Hi&cc=bo@example.com", "anna@example.com", "mailto"),
    *become("email", "anna@example.com", "angles", "<anna@example.com>", "Anna <anna@example.com>"),
    *become(
        "email",
        "anna@example.com",
        "angles",
        '"Lee, Anna" < anna@example.com >',
        "L\u00e9a<anna@example.com>",
    ),
    Case("email", "mailto:anna%2Bnews@example.com", "anna+news@example.com", "mailto"),
    Case("email", "<mailto:anna%40example.com>", "anna@example.com", "angles mailto"),
    *stay(
        "email",
        "mailto:anna%20lund@example.com",
        "mailto:anna@example.com%2Cbo@example.com",
        "a%2Bb@example.com",
    ),
    Case("email", "Anna@example.com <anna@Example.com>", "anna@Example.com", "angles"),
    *become("email", "anna@example.com", "punctuation", *(f"anna@example.com{end}" for end in ".,;:")),
    Case("email", "anna@example.com ;.", "anna@example.com", "punctuation"),
    Case("email", "anna\uff20example.com", "anna@example.com", "nfkc"),
    Case("email", "\uff41\uff4e\uff4e\uff41@example.com", "anna@example.com", "nfkc"),
    Case("email", "o\ufb03ce@example.com", "office@example.com", "nfkc"),
    Case("email", "Anna <mailto:anna@example.com>;", "anna@example.com", "punctuation angles mailto"),
    Case("email", "<anna\uff20b\u00fccher.example>", "anna@xn--bcher-kva.example", "nfkc angles idn"),
    Case("email", " anna@example.com. ", "anna@example.com", "trim punctuation"),
    *stay(
        "email", "anna@example.com; bo@example.com", "bo@example.com <anna@example.com>", "<anna>", "Anna <>"
    ),
    *stay("email", "anna@example.com!", "<anna@example.com> x", "<anna@example.com", "mailto:anna", "anna.@"),
    *stay(
        "email",
        "anna\u00b2@example.com",
        "anna\u2122@example.com",
        "anna@\u2488example.com",
        "jos\u00e9@example.com;",
    ),
    *stay("email", "mailto:anna@example.com", "<anna@example.com>", "anna@example.com.", spelling=AS_TYPED),
    Case("email", "anna@B\u00fccher.example", "anna@xn--bcher-kva.example", "idn", AS_TYPED),
    *stay(
        "email", "\nanna@example.com", "anna@example.com\n", "Anna\n<anna@example.com>", "anna@\nexample.com"
    ),
    Case("email", "\tanna@example.com\r\n ", "anna@example.com\n", "control trim"),
    Case("email", " \n ", None, "trim blank"),
    *become(
        "email", None, "placeholder", "n/a", "-", "None", "UNKNOWN", "xxx@xxx.com", "NoEmail@NoEmail.com"
    ),
    Case("email", "<none@none.com>", None, "angles placeholder"),
    *stay("email", "unknown person", "none@example.com", "n/a; n/b"),
    *stay("email", f"anna@{LONG_DOMAIN}", f"{'a' * 60}@{LONG_DOMAIN.removeprefix('b' * 60 + '.')}"),
]

BOOLEANS = [
    *become("boolean", "true", "boolean", "True", "TRUE", "t", "Yes", "y", "Y", "on", "1", "1.0"),
    *become(
        "boolean",
        "true",
        "boolean",
        "Ja",
        "s\u00ed",
        "SI",
        "oui",
        "Sim",
        "s\u00ec",
        "tak",
        "ano",
        "evet",
        "да",
        "はい",
    ),
    *become(
        "boolean",
        "true",
        "boolean",
        "是",
        "예",
        "네",
        "نعم",
        "kyll\u00e4",
        "\u03bd\u03b1\u03b9",
        "כן",
        "vrai",
        "真",
    ),
    *become(
        "boolean", "true", "boolean", "WAHR", "VERDADERO", "vero", "waar", "sant", "tosi", "prawda", "ИСТИНА"
    ),
    *become(
        "boolean", "false", "boolean", "nein", "non", "não", "nej", "nei", "nee", "nie", "ne", "ei", "нет"
    ),
    *become(
        "boolean", "false", "boolean", "hay\u0131r", "HAYIR", "いいえ", "否", "아니요", "لا", "όχι", "לא"
    ),
    *become("boolean", "false", "boolean", "FALSCH", "falso", "faux", "onwaar", "YANLIŞ"),
    *become("boolean", None, "placeholder", "n/a", "-", "unknown", "keine Angabe"),
    *stay("boolean", "x", "ok", "vielleicht", "si no", "無", "有"),
    *become("boolean", "false", "boolean", "False", "F", "No", "n", "OFF", "0", "0.0"),
    *stay("boolean", "true", "false", "maybe", "2", "yes no", "-1", "0.5", "1.00"),
    Case("boolean", " yes\u200b", "true", "control trim boolean"),
    Case("boolean", " maybe", "maybe", "trim"),
    *become("boolean", None, "trim blank", "  "),
]

INTEGERS = [
    *stay("integer", "0", "5", "-5", "120", "9223372036854775808"),
    *become("integer", "5", "integer", "+5", "05", "005", "5.0", "5.00", "5.", "+05.0"),
    *become("score", "-7", "integer", "-007", "-7.0", "-7.0000"),
    *become("integer", "1000", "separators", "1 000", "1'000"),
    *become("percent", "0", "integer", "-0", "000", "-0.0", "+0"),
    *become("percent", "85", "sign", "85%", "85 %"),
    Case("percent", "\u221285.0 %", "-85", "sign integer"),
    *stay("percent", "%", "85%%", "about 85 %"),
    *stay("score", "85 %"),
    *become("integer", "-5", "sign", "\u22125"),
    Case("percent", "1 000\u00a0%", "1000", "spaces sign separators"),
    Case("integer", "\u00a05.0", "5", "spaces trim integer"),
    *stay(
        "integer", "5.5", "5.01", "1,000", "1.000", "+1.000", "1.000,0", "1e5", "99%", "+-5", "--5", ".0", "+"
    ),
    *become(
        "integer",
        None,
        "placeholder",
        "-",
        ".",
        "N/A",
        "#N/A",
        "#NV",
        "#N/D",
        "(null)",
        "NaN",
        "k. A.",
        "нет данных",
    ),
    *stay("integer", "5.0.0", "+5.5", "05.5", ARABIC_FIVE),
]

NUMBERS = [
    *stay("float", "0", "-1", "1.50", "007.50", "-0", "0.0"),
    *become("float", "1.50", "number", "+1.50"),
    *become("currency", "0.5", "number", ".5", "+.5"),
    *become("currency", "-5", "number", "-5."),
    *become("float", "-0.50", "number", "-.50"),
    *become("currency", "-1.5", "sign", "\u22121.5"),
    *stay("float", "1.5 %", "\u2013 1.5", "\u2212about 5"),
    Case("float", " 1.5", "1.5", "trim"),
    *become("float", "-1234567", "separators", "-1 234 567", "-1\u2019234\u2019567"),
    *stay("float", "1 234,5", "1 234.5", "12 34", "1'234 567"),
    *stay("float", "1,5", "1.234,5", "1,234.5", "1e5", "1.5E+10", "$5", "5 €", "+.", "1.2.3", "+1.2.3"),
    *stay("currency", "--5.", f"{ARABIC_FIVE}.{ARABIC_FIVE}"),
]

COMMA = Spelling(decimal=DecimalMark.COMMA)
POINT = Spelling(decimal=DecimalMark.POINT)
SEPARATED = [
    *become("float", "1234.5", "separators", "1.234,5", "1234,5", "1 234,5", "1'234,5", spelling=COMMA),
    *become("currency", "-1234567.50", "separators", "-1.234.567,50", "-1234567,50", spelling=COMMA),
    Case("float", "1\u202f234,5", "1234.5", "spaces separators", COMMA),
    Case("float", "0,5", "0.5", "separators", COMMA),
    *become("float", "0.5", "separators number", ",5", "+0,5", spelling=COMMA),
    Case("float", "1.234", "1234", "separators", COMMA),
    Case("float", "1,234", "1.2340", "separators", COMMA),
    *stay(
        "float",
        "1.5",
        "1.2340",
        "1234.567",
        "1.23.456",
        "1.234.56",
        "1,2,3",
        "1.234 567",
        ",",
        spelling=COMMA,
    ),
    *become("integer", "1234", "separators", "1.234", "1 234", "1\u2019234", spelling=COMMA),
    Case("integer", "1.234,0", "1234", "separators integer", COMMA),
    *become("float", "1234.5", "separators", "1,234.5", "1 234.5", "1'234.5", spelling=POINT),
    *become("integer", "1234567", "separators", "1,234,567", "1 234 567", spelling=POINT),
    *stay("float", "1.234", "1,5", "1.234,5", "12,34", "1,2345", "0,123", "1,234 567", spelling=POINT),
]

DATES = [
    *stay("date", "2026-01-31", "2024-02-29", "1899-12-31"),
    *become("date", "2026-01-03", "date", "2026/01/03", "2026.01.03", "20260103", "2026-1-3", "2026/1/03"),
    *become("date", "2026-01-03", "date", "2026-01-03 00:00:00", "2026-01-03T00:00:00Z", "2026/1/3 0:00"),
    *become("date", "2026-01-03", "date", "2026-01-03T00:00:00.000+02:00", "2026-01-03 00:00:00 +0100"),
    *become("date", "2024-02-29", "date", "2024/2/29"),
    Case("date", " 2026-01-31 ", "2026-01-31", "trim"),
    *stay("date", "2026-02-29", "2026-13-01", "2026-00-10", "2026/02/30", "20260231", "0000-00-00"),
    *stay("date", "2026-01-31 00:00:01", "2026-01-31 12:00", "2026-01-31T00:00:00.001", "2026-01-31T"),
    *stay(
        "date", "2026-01/31", "2026-0131", "2026131", "202611", "26-01-31", "Sat 31 Jan 2026", "44197", "2026"
    ),
    *stay("date", "01/02/2026", "31/01/2026", "1.2.2026", f"202{ARABIC_FIVE}-01-31", f"202{ARABIC_FIVE}/1/3"),
    *become("date", "2026-05-05", "date", "05/05/2026", "5.5.2026", "5-5-2026 0:00"),
    *stay("date", "05/05.2026", "13/13/2026", "5/5/26"),
    *become("date", "2026-04-13", "date", "13 April 2026", "13-Apr-2026", "13.apr.2026", "13APR2026"),
    *become("date", "2026-04-03", "date", "Apr 3, 2026", "APRIL 3RD 2026", "Apr. 3, 2026", "Apr-03-2026"),
    *become(
        "date", "2026-04-03", "date", "2026-Apr-03", "2026 April 3", "3rd of April 2026", "3/apr/2026 0:00"
    ),
    *become("date", "2026-03-01", "date", "1er mars 2026", "1. März 2026", "1 MÄRZ 2026", "1 maart 2026"),
    *become("date", "2026-03-01", "date", "1 de marzo de 2026", "1º de março de 2026", "1 marzo 2026"),
    *become("date", "2026-03-01", "date", "Mar 1, 2026", spelling=DMY),
    *become("date", "2026-03-01", "date", "1 Mar 2026", spelling=MDY),
    *stay("date", "31 Feb 2026", "13-Apr-26", "Apr 2026", "Apr132026", "1 Apr 20261", "2026 Apr 123"),
    *stay("date", "2026-Apr-Mar-1", "13 listopad 2026", "13 x-apr-2026", "1 Apr 2026 10:00", "2026-1-apr-"),
    *become(
        "date", "2026-02-01", "date", "01/02/2026", "1.2.2026", "1-2-2026", "01/02/2026 0:00", spelling=DMY
    ),
    *become("date", "2026-02-01", "date", "01.02.2026 00:00:00", "2026/2/1", "20260201", spelling=DMY),
    *become(
        "date", "2026-01-02", "date", "01/02/2026", "1.2.2026", "1-2-2026", "1/2/2026 0:00", spelling=MDY
    ),
    *become("date", "2026-01-02", "date", "2026/1/2", "20260102", spelling=MDY),
    *stay("date", "1/31/2026", "31/1/26", "1/2.2026", "29/02/2026", "31012026", "2026-31-01", spelling=DMY),
    *stay("date", "31/1/2026", "1/31/26", "02/29/2026", "01312026", "2026-31-01", spelling=MDY),
]

DATETIMES = [
    *stay(
        "datetime", "2026-01-31T12:34:56Z", "2026-01-31T12:34:56+02:00", "2026-01-31T12:34:56.123456-05:30"
    ),
    *stay("datetime", "2026-01-31T12:34:56", "2026-01-31T12:34:56.1"),
    *become("datetime", "2026-01-31T12:34:56Z", "datetime", "2026-01-31 12:34:56Z", "2026-01-31t12:34:56z"),
    *become("datetime", "2026-01-31T09:05:00", "datetime", "2026/1/31 9:05", "20260131 09:05"),
    *become(
        "datetime", "2026-01-31T12:34:00+02:00", "datetime", "2026-01-31T12:34+0200", "2026-01-31 12:34 +02"
    ),
    *become("datetime", "2026-01-31T12:34:56.789-03:30", "datetime", "2026-01-31 12:34:56.789 -0330"),
    *become("datetime", "2026-01-31T00:00:00", "datetime", "2026-01-31", "20260131", "2026/1/31"),
    *become(
        "datetime", "2026-01-31T12:34:00", "datetime", "31/01/2026 12:34", "2026-01-31 12:34", spelling=DMY
    ),
    *become(
        "datetime", "2026-01-31T12:34:00", "datetime", "1/31/2026 12:34", "2026-01-31 12:34", spelling=MDY
    ),
    *become(
        "datetime",
        "2026-01-31T14:05:00",
        "datetime",
        "1/31/2026 2:05 PM",
        "1/31/2026 02:05:00pm",
        spelling=MDY,
    ),
    *become(
        "datetime",
        "2026-01-31T00:05:00Z",
        "datetime",
        "2026-01-31 12:05 AM Z",
        "1/31/2026 12:05am z",
        spelling=MDY,
    ),
    *become(
        "datetime",
        "2026-01-31T14:05:00",
        "datetime",
        "1/31/2026, 2:05 PM",
        "1/31/2026, 14:05:00",
        spelling=MDY,
    ),
    *become(
        "datetime",
        "2026-01-31T14:05:00",
        "datetime",
        "31.01.2026, 14:05",
        "31.1.2026, 14:05:00",
        spelling=DMY,
    ),
    *become("datetime", "2026-01-31T14:05:00", "datetime", "Jan 31, 2026 02:05:00 PM", "31-jan-2026, 14:05"),
    *become("datetime", "2026-01-31T14:05:00Z", "datetime", "31 JAN 2026 14:05Z", "31-Jan-2026T14:05:00UTC"),
    *become("datetime", "2026-01-31T14:05:00Z", "datetime", "2026-01-31 14:05:00 UTC", "2026-01-31 14:05utc"),
    *become("date", "2026-01-31", "date", "2026-01-31 00:00:00 UTC", "2026-01-31, 00:00"),
    *stay(
        "datetime",
        "2026-01-31,14:05",
        "2026-01-31,",
        "2026-01-31 14:05 GMT",
        "2026-01-31 14:05 UTC+1",
        "2026-01-31 UTC",
    ),
    *become("datetime", "2026-01-31T12:00:00", "datetime", "2026-01-31 12:00 PM", spelling=MDY),
    *stay("datetime", "2026-01-31 13:00 PM", "2026-01-31 0:30 AM", "2026-01-31 2 PM", spelling=MDY),
    *become("date", "2026-01-31", "date", "1/31/2026 12:00:00 AM", spelling=MDY),
    *stay("date", "1/31/2026 12:00:00 PM", spelling=MDY),
    *stay("datetime", "2026-02-29 12:00", "2026-01-31 24:00", "2026-01-31 12:60", "2026-01-31 23:59:60"),
    *stay("datetime", "2026-01-31 12", "2026-01-31 12:00 +25:00", "2026-01-31 12:00:00.1234567890", "12:00"),
    *stay("datetime", "31/01/2026 12:34", "1/31/2026 2:05 PM", "yesterday", "2026-01-31+02:00"),
    Case("datetime", "2026-01-31T12:34:56", "2026-01-31T12:34:56+01:00", "timezone", MADRID),
    Case("datetime", "2026-07-31 12:34:56.5", "2026-07-31T12:34:56.5+02:00", "datetime timezone", MADRID),
    Case("datetime", "2026-01-31", "2026-01-31T00:00:00+01:00", "datetime timezone", MADRID),
    Case("datetime", "2026-01-31 12:34 -0500", "2026-01-31T12:34:00-05:00", "datetime", MADRID),
    Case("datetime", "2026-03-29T01:59:59", "2026-03-29T01:59:59+01:00", "timezone", MADRID),
    Case("datetime", "2026-03-29T03:00:00", "2026-03-29T03:00:00+02:00", "timezone", MADRID),
    Case("datetime", "2026-10-25T02:30:00", "2026-10-25T02:30:00+02:00", "timezone", MADRID),
    Case("datetime", "2026-10-25T03:00:00", "2026-10-25T03:00:00+01:00", "timezone", MADRID),
    *stay("datetime", "2026-03-29T02:30:00", "2026-02-30T00:00:00", "1890-01-01T00:00:00", spelling=MADRID),
    *stay("datetime", "2026-01-31T12:34:56Z", "2026-01-31T12:34:56-08:00", spelling=MADRID),
    *become("datetime", "2026-01-31T12:00:00+05:45", "timezone", "2026-01-31T12:00:00", spelling=KATHMANDU),
    *become("datetime", "2026-01-31T12:00:00+00:00", "timezone", "2026-01-31T12:00:00", spelling=UTC),
]


@pytest.mark.parametrize(
    "case", [*TEXT, *EMAIL, *BOOLEANS, *INTEGERS, *NUMBERS, *SEPARATED, *DATES, *DATETIMES], ids=repr
)
def test_a_value_has_one_spelling(case: Case) -> None:
    check(Field("x", case.type), case)


NORMALISER_CASES = [
    (("collapse_spaces",), Case("string", "a  b\t\nc", "a b c", "collapse_spaces")),
    (("collapse_spaces",), Case("string", "a\u00a0 b", "a b", "spaces collapse_spaces")),
    (("collapse_spaces",), Case("string", "a b", "a b")),
    (("lower",), Case("string", "ANNA Ñu", "anna ñu", "lower")),
    (("lower",), Case("email", "Anna@BÜCHER.example", "anna@xn--bcher-kva.example", "idn lower")),
    (("upper",), Case("string", "anna ñu ß", "ANNA ÑU SS", "upper")),
    (("upper",), Case("string", "ΐ", "Ϊ\u0301", "upper")),
    *[((name,), Case("string", "Null", "Null")) for name in SCHEMA_NORMALISERS],
    (("upper",), Case("string", "Null Island", "NULL ISLAND", "upper")),
    (("title",), Case("string", "ANNA maria", "Anna Maria", "title")),
    (("title",), Case("string", "o'neil D\u2019ANGELO", "O'Neil D\u2019Angelo", "title")),
    (("title",), Case("string", "ΓΙΩΡΓΟΣ ΠΑΠΑΔΌΠΟΥΛΟΣ", "Γιωργος Παπαδόπουλος", "title")),
    (("title",), Case("string", "Σ. ΟΔΥΣΣΕΎΣ νίκος", "Σ. Οδυσσεύς Νίκος", "title")),
    (("title",), Case("string", "women's DELL'ACQUA", "Women's Dell'acqua", "title")),
    (("title",), Case("string", "JEAN-LUC ĐORĐEVIĆ", "Jean-Luc Đorđević", "title")),
    (("title",), Case("string", "M\u0303ANE ALİ", "M\u0303ane Ali", "title")),
    (("title",), Case("string", "\u01f0an ßa", "\u01f0an ßa")),
    (("title",), Case("string", "McDonald LaToya J. 5th", "McDonald LaToya J. 5th")),
    (
        ("collapse_spaces", "title"),
        Case("string", " anna  maria ", "Anna Maria", "trim collapse_spaces title"),
    ),
    (("upper",), Case("boolean", "true", "true")),
    (("lower",), Case("datetime", "2026-01-31 12:00Z", "2026-01-31T12:00:00Z", "datetime")),
]


@pytest.mark.parametrize(("normalisers", "case"), NORMALISER_CASES, ids=repr)
def test_a_field_may_ask_for_more(normalisers: tuple[str, ...], case: Case) -> None:
    check(Field("x", case.type, normalisers=normalisers), case)


def test_every_normaliser_that_a_schema_may_name_has_its_rule() -> None:
    assert set(NORMALISERS) == set(SCHEMA_NORMALISERS)


def test_a_frame_keeps_its_rows_its_columns_and_their_order() -> None:
    frame = pl.DataFrame(
        {
            "_source": ["a.csv", "a.csv", " b.csv "],
            "optIn": [None, "YES", "true"],
            "_row": [1, 2, 3],
            "email": [" anna@example.com", "bo@example.com", None],
            "city": ["Ávila", "", "Roma "],
        },
        schema_overrides={"_row": pl.UInt32},
    )
    before = frame.clone()
    fields = {"email": Field("email", "email"), "optIn": Field("optIn", "boolean"), "city": Field("city")}
    result = normalise(frame, fields, ISO)
    assert result.frame.equals(
        before.with_columns(
            optIn=pl.Series([None, "true", "true"]),
            email=pl.Series(["anna@example.com", "bo@example.com", None]),
            city=pl.Series(["Ávila", None, "Roma"]),
        )
    )
    assert result.frame.schema == before.schema
    assert result.changes == {
        ("optIn", "boolean"): 1, ("email", "trim"): 1, ("city", "trim"): 1, ("city", "blank"): 1
    }  # fmt: skip
    assert frame.equals(before), "the frame that was passed in is never altered"


def test_a_rule_leaves_the_cells_that_it_is_given() -> None:
    cells = pl.Series(["Jose\u0301", "Anna"])
    assert NFC.apply(cells)[0].to_list() == ["José", "Anna"]
    assert cells.to_list() == ["Jose\u0301", "Anna"]


def test_changes_are_counted_in_cells_not_in_distinct_values() -> None:
    result = respell(Field("x", "date"), *["2026/01/31"] * 5, *["2026/02/01"] * 3, None, "2026-01-31", "no")
    assert result.changes == {("x", "date"): 8}
    assert result.frame["x"].to_list() == [*["2026-01-31"] * 5, *["2026-02-01"] * 3, None, "2026-01-31", "no"]


@pytest.mark.parametrize("type_name", sorted(TYPE_CHECKS))
def test_blank_and_empty_columns_pass(type_name: str) -> None:
    field = Field("x", type_name)
    for cells in ((), (None, None)):
        result = respell(field, *cells, spelling=MADRID)
        assert result.frame["x"].to_list() == list(cells)
        assert result.changes == {}


@pytest.mark.parametrize("name", ["", "Madrid", "Europe/Madridd", "local", "europe/madrid", "../UTC"])
def test_an_unknown_timezone_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="--timezone does not know") as caught:
        Spelling(timezone=name)
    assert caught.value.code == "bad_timezone"


def characters(end: int) -> pl.Series:
    return pl.Series([chr(point) for point in range(end) if not 0xD800 <= point < 0xE000])


def test_no_character_that_a_text_rule_changes_escapes_the_look_at_a_whole_column() -> None:
    every = characters(0x110000)
    for cells in (every, "e" + every + "e", every + "\u0301", "\u1112" + every):
        seen = cells.to_frame("cell").select(SUSPICIOUS(pl.col("cell"))).to_series()
        unseen = cells.filter(~seen)
        for rule in {*text_rules("string"), *text_rules("email")}:
            assert rule.apply(unseen)[1] == 0, rule.name
        assert NFC.respell(unseen).equals(unseen)


@pytest.mark.parametrize("name", sorted(NORMALISERS))
def test_no_character_that_a_normaliser_changes_escapes_it(name: str) -> None:
    rule = NORMALISERS[name]
    every = characters(0x20000)
    cells = NFC.respell(pl.concat([every, every + "a", "aBc'" + every, "XY" + every + "Z"]))
    needed = cells.to_frame("cell").select(rule.needed(pl.col("cell"))).to_series()
    unneeded = cells.filter(~needed)
    assert rule.respell(unneeded).equals(unneeded)
    once = rule.respell(cells)
    assert rule.respell(once).equals(once), "twice is once"
    assert NFC.respell(once).equals(once)


def test_words_for_nothing_are_found_in_every_case_that_a_letter_has() -> None:
    variants = defaultdict(list)
    for letter in filter(str.isprintable, map(chr, range(0x110000))):
        variants[letter.lower()].append(letter)
    words = NOTHING | NONE | ERRORS
    cells = pl.Series(
        word.replace(letter, variant) for word in words for letter in word for variant in variants[letter]
    )
    assert cells.len() > 3 * len(words)
    blanked, _ = placeholder_rule(words).apply(cells)
    assert blanked.is_null().equals(cells.str.to_lowercase().is_in(sorted(words)))


def test_addresses_in_small_letters_on_request() -> None:
    fields = {"email": Field("email", "email"), "firstName": Field("firstName", "string", length=255)}
    frame = pl.DataFrame(
        {"email": ["Ana@Example.COM", "bo@example.com", None], "firstName": ["ANA", "Bo", None]}
    )

    normalised = normalise(frame, fields, Spelling(email_case=EmailCase.LOWER))
    assert normalised.frame.rows() == [("ana@example.com", "ANA"), ("bo@example.com", "Bo"), (None, None)]
    assert normalised.changes == {("email", "lower"): 1}
    assert normalise(frame, fields, Spelling()).frame.equals(frame)


def test_every_name_of_a_month_is_read_and_is_that_of_one_only() -> None:
    months = tomllib.loads(Path(words.__file__).with_name("words.toml").read_text("utf-8"))["months"]
    assert [*months] == [f"{number:02}" for number in range(1, 13)]
    assert len(MONTHS) == sum(map(len, months.values()))
    for number, names in months.items():
        cells = [cell for name in names for cell in (f"5 {name} 2026", f"{name.title()}. 5, 2026")]
        assert set(respell(Field("x", "date"), *cells).frame["x"]) == {f"2026-{number}-05"}
