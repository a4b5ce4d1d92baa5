"""What a mail says, and that nobody can make it say more."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import MailRefused
from appliance.notifications.message import Mailbox, compose

SENDER = Mailbox("Ein Blog", "blog@blog.example")


def sent(message: EmailMessage) -> EmailMessage:
    """A mail as its receiver reads it."""
    return message_from_bytes(message.as_bytes(), policy=policy.default)  # type: ignore[return-value]


def test_names_and_texts_of_any_script_arrive_as_they_are() -> None:
    made = compose(
        SENDER,
        Mailbox("Gülşen 李, “Jr.”", "author@bücher.example"),
        "Zoë über „Äpfel“ 🍏",
        "Grüße\n.\nFrom here on\n" + "x" * 2000 + "\n",
        identity=["blog", "7"],
        reply_to=Mailbox("Ада", "ada@lovelace.example"),
    )
    wire, read = made.as_bytes(), sent(made)
    assert wire.isascii()
    assert max(len(line) for line in wire.split(b"\r\n")) <= 998
    assert read["To"].addresses[0].display_name == "Gülşen 李, “Jr.”"
    assert read["To"].addresses[0].addr_spec == "author@xn--bcher-kva.example"
    assert read["Reply-To"].addresses[0].display_name == "Ада"
    assert read["Subject"] == "Zoë über „Äpfel“ 🍏"
    assert read.get_content().replace("\r\n", "\n") == "Grüße\n.\nFrom here on\n" + "x" * 2000 + "\n"
    assert (read["Auto-Submitted"], read["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert read.get_content_type() == "text/plain"
    assert read["Date"].datetime is not None


def test_the_same_mail_bears_the_same_message_id_and_another_one_does_not() -> None:
    ids = {
        str(compose(SENDER, Mailbox("A", "a@a.example"), "s", "t", identity=identity)["Message-ID"])
        for identity in (["blog", "1"], ["blog", "1"], ["blog", "2"], ["blog1", ""], ["blo", "g1"])
    }
    assert len(ids) == 4
    assert all(found.endswith("@blog.example>") for found in ids)


ANYTHING = st.text(st.characters(exclude_categories=[]), max_size=300) | st.sampled_from(
    ["A\r\nBcc: a@b.c", "A\nBcc: x", "A\x0bBcc: x", "A\u2028Bcc: x", "\x00", '"', "a@b, c@d",
     "=?utf-8?q?=0ABcc:?=", "=??Q?=0A0", "==??Q?=0A", "\r"]
)  # fmt: skip


@given(name=ANYTHING, title=ANYTHING, reader=ANYTHING, text=ANYTHING)
def test_nothing_written_by_anybody_adds_a_header_or_a_receiver(name: str, title: str, reader: str, text: str) -> None:
    made = compose(
        Mailbox(title, "blog@blog.example"),
        Mailbox(name, "author@a.example"),
        title,
        text,
        identity=["1"],
        reply_to=Mailbox(reader, "reader@r.example"),
    )
    read = sent(made)
    assert sorted(read.keys()) == sorted(
        ["From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress",
         "Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
    )  # fmt: skip
    assert [a.addr_spec for header in ("From", "To", "Reply-To") for a in read[header].addresses] == [
        "blog@blog.example", "author@a.example", "reader@r.example",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b\r\nRCPT TO:<c@d>",
        "a@b, c@d",
        "a b@c",
        "<a@b>",
        "a@",
        "@b",
        "a@b@c",
        "a@b\x00",
        "a@" + "b" * 300,
    ],
)
def test_anything_but_one_address_is_refused(address: str) -> None:
    with pytest.raises(MailRefused):
        compose(SENDER, Mailbox("A", address), "s", "t", identity=["1"])
    answered = compose(SENDER, Mailbox("A", "a@a.example"), "s", "t", identity=["1"], reply_to=Mailbox("B", address))
    assert "Reply-To" not in answered
