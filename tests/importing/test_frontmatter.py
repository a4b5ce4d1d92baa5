from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ContentError
from appliance.importing import dates
from appliance.importing.markdown.frontmatter import split


@pytest.mark.parametrize(
    ("source", "form"),
    [
        ("---\ntitle: Hello\n---\nText\n", "yaml"),
        ("---\r\ntitle: Hello\r\n---\r\nText\r\n", "yaml"),
        ("\ufeff---\ntitle: Hello\n...\nText\n", "yaml"),
        ('+++\ntitle = "Hello"\n+++\nText\n', "toml"),
        ('{\n"title": "Hello"\n}\n\nText\n', "json"),
        (';;;\n"title": "Hello"\n;;;\nText\n', "json"),
        ('---json\n{"title": "Hello"}\n---\nText\n', "json"),
        ("Title: Hello\n\nText\n", "headers"),
    ],
)
def test_every_format_is_read(source: str, form: str) -> None:
    document = split(source.encode())
    assert document.format == form
    assert {key.lower(): value for key, value in document.meta.items()} == {"title": "Hello"}
    assert document.text == "Text\n"


@pytest.mark.parametrize(
    "source", ["Just text\n", "---\n\nA rule above.\n\n---\n\nMore\n", "{{ x }}\n", "Note: this\n\nx\n"]
)
def test_text_without_front_matter_stays_whole(source: str) -> None:
    assert split(source.encode()).text == source
    assert split(source.encode()).meta == {}


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (b"---\ntitle: [a\ndate: x\n---\n", "line 3: front matter is not YAML"),
        (b"+++\ntitle = 'a'\nx = = 1\n+++\n", "line 3: front matter is not TOML"),
        (b'{\n"title": \n}\n', "line 3: front matter is not JSON"),
        (b"---\ntitle: a\n", "never ends"),
        (b"+++\ntitle = 1\n", "never ends"),
        (b"---js\n{}\n---\n", "is a program"),
        (b"---\ntitle: a\n---\nfine\nb\xe4d\n", "line 5: is not UTF-8"),
        (b"a\0b", "NUL"),
        (b"---\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
         b"d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d]\n---\n", "more than"),
        (b"---\na: &a [*a]\n---\n", "nested too deeply"),
        (b"---\ndate: 2024-13-45\n---\n", "not YAML"),
    ],
)  # fmt: skip
def test_errors_name_the_line(source: bytes, sentence: str) -> None:
    with pytest.raises(ContentError, match=sentence):
        split(source)


@given(
    st.one_of(
        st.binary(),
        st.text().map(str.encode),
        st.tuples(
            st.sampled_from([b"---\n", b"+++\n", b"{", b"T: ", b"Title: "]),
            st.binary(),
            st.sampled_from([b"\n---\n", b"\n+++\n", b"}", b"\n\n"]),
        ).map(b"".join),
    )
)
def test_any_bytes_end_in_a_document_or_a_content_error(raw: bytes) -> None:
    try:
        document = split(raw)
    except ContentError:
        return
    document.text.encode()


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (date(2024, 5, 1), "2024-04-30T22:00:00+00:00"),
        (datetime(2024, 5, 1, 10), "2024-05-01T08:00:00+00:00"),
        (datetime(2024, 5, 1, 10, tzinfo=UTC), "2024-05-01T10:00:00+00:00"),
        ("2024-05-01", "2024-04-30T22:00:00+00:00"),
        ("2024-05-01 10:30", "2024-05-01T08:30:00+00:00"),
        ("2024-05-01 10:30:15 +0200", "2024-05-01T08:30:15+00:00"),
        ("2024-05-01T10:30:15.123Z", "2024-05-01T10:30:15+00:00"),
        ("2024/5/1 1:05 PM", "2024-05-01T11:05:00+00:00"),
        ("Wed, 01 May 2024 10:30:00 -0700", "2024-05-01T17:30:00+00:00"),
        ("May 1, 2024", "2024-04-30T22:00:00+00:00"),
        (1714559400, "2024-05-01T10:30:00+00:00"),
    ],
)
def test_common_date_formats_are_read(value: object, expected: str) -> None:
    moment = dates.timestamp(value, BERLIN)
    assert moment is not None
    assert datetime.fromtimestamp(moment, UTC).isoformat() == expected


@pytest.mark.parametrize("value", [None, "", "Last Modified", True])
def test_an_empty_date_is_none(value: object) -> None:
    assert dates.timestamp(value, BERLIN) is None


@pytest.mark.parametrize("value", [date(1, 1, 1), "9999-12-31T23:59:59-12:00", -(10**17), 10**30, "2024-13-01", "soon"])
def test_dates_beyond_the_calendar_are_refused(value: object) -> None:
    with pytest.raises(ContentError, match="is not a date"):
        dates.timestamp(value, BERLIN)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.lists(st.text())))
def test_invalid_dates_are_content_errors(value: object) -> None:
    try:
        dates.timestamp(value, BERLIN)
    except ContentError:
        return


def test_dates_in_names_and_addresses() -> None:
    assert dates.split_file_name("2024-05-01-hello-world") == (date(2024, 5, 1), "hello-world")
    assert dates.split_file_name("2024-15-01-x") == (None, "2024-15-01-x")
    assert dates.date_in_address("inside-rust/2025/06/26/x") == date(2025, 6, 26)
    assert dates.date_in_address("2025/99/26/x") is None
