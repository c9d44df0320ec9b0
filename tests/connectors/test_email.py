"""Mail through a real server: what it looks like, what becomes of faults, and that a repeat is known for one."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mail_server import PASSWORD, USER, MailServer, open_mail_server
from quell.errors import ConnectorError, Denied, NoAnswer, Refused, Unreachable
from quell.sdk.connector import Call, Context, Done
from quell.sdk.dial import permit
from quell.sdk.http_client import GuardedHttp
from quell.sdk.pictures import Png
from quell.sdk.secret import Secret
from quell.sdk.testkit import NOW, check_connector, run
from quell_connectors.email import Email
from quell_connectors.email.letter import letter_of
from sdk.test_identity import certificate

PAGE = {
    "text": "INC-7 [critical] checkout fails\nfirst cause: payments (87%)\npath: payments → checkout",
    "title": "checkout fails",
    "severity": "critical",
    "incident": "INC-7",
    "link": "https://quell.example/i/INC-7",
    "to": ["ana@example.org", "Ben B. <ben@example.org>"],
}
OPTIONS: dict[str, Any] = {"sender": "quell <quell@example.org>", "host": "127.0.0.1", "encryption": "none"}
Act = Callable[..., Awaitable[Done]]


def built(port: int, allow: tuple[str, ...] = ("loopback",), **options: Any) -> Email:
    http = GuardedHttp(allow)
    return Email({**OPTIONS, "port": port, **options}, Context("mail", http, dial=http.dial))


async def sent(
    email: Email, key: str = "page/INC-7/1/mail", dry_run: bool = False, timeout_s: float = 5.0, **params: Any
) -> Done:
    return await email.act(Call(key, "send", {**PAGE, **params}, NOW, dry_run, timeout_s))


def at_the_server(work: Callable[[MailServer, Email], Awaitable[None]], **options: Any) -> None:
    async def inner() -> None:
        async with open_mail_server() as mail:
            await work(mail, built(mail.port, **options))

    run(inner())


def test_the_rules_of_the_house_hold() -> None:
    check_connector(Email, {**OPTIONS, "encryption": "tls", "user": USER, "password": Secret(PASSWORD)})


def test_pictures_stand_in_the_mail_and_their_words_in_the_text() -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    told = Png("drift-dataset/payments", "before and after: amount <x>", "amount: values ×100", png)
    given = {**PAGE, "pictures": [told.told(), {"png": "no picture"}, {"png": "bm8="}, "odd"]}
    letter = message_from_bytes(letter_of(given, OPTIONS, "mail", "k", NOW).raw, policy=SMTP)
    assert isinstance(letter, EmailMessage)
    plain, page = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert page is not None
    assert "amount: values ×100" in plain.get_content()
    (picture,) = [part for part in letter.walk() if part.get_content_type() == "image/png"]
    assert picture.get_payload(decode=True) == png
    assert picture["Content-Disposition"] == 'inline; filename="drift-dataset-payments.png"'
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in page.get_content()
    assert "amount &lt;x&gt;" in page.get_content()
    bare = {**PAGE, "pictures": [Png("a", "b", "amount: values ×100", b"").told()]}
    only = message_from_bytes(letter_of(bare, OPTIONS, "mail", "k", NOW).raw, policy=SMTP)
    assert only.get_content_type() == "text/plain", "without a picture the words do"


def test_a_page_reads_well_on_a_phone() -> None:
    async def work(mail: MailServer, email: Email) -> None:
        done = await sent(email)
        assert done.sentence == 'sent "CRITICAL: checkout fails" to ana@example.org, ben@example.org'
        [letter] = mail.mails
        assert letter["Subject"] == "CRITICAL: checkout fails"
        assert letter["From"] == "quell <quell@example.org>"
        assert letter["To"] == 'ana@example.org, "Ben B." <ben@example.org>'
        assert letter["Date"] == "Sun, 01 Mar 2026 10:00:00 +0000"
        assert letter["Importance"] == "high"
        assert letter["Auto-Submitted"] == "auto-generated"
        assert letter["Message-ID"] == done.output["message_id"]
        assert letter.get_content().replace("\r\n", "\n") == (
            "first cause: payments (87%)\npath: payments → checkout\n\n"
            "https://quell.example/i/INC-7\nINC-7 [critical] checkout fails\n"
        )
        sender, to, raw = mail.envelopes[0]
        assert (sender, to) == ("quell@example.org", ["ana@example.org", "ben@example.org"])
        assert max(map(len, raw.split(b"\r\n"))) <= 78
        assert b"\n" not in raw.replace(b"\r\n", b"")

    at_the_server(work)


def test_a_step_may_say_all_itself() -> None:
    async def work(mail: MailServer, email: Email) -> None:
        params = {"subject": "Nightly report", "text": ".\nall well", "severity": "", "incident": "", "title": ""}
        await sent(email, **params, link="", to=None)
        [letter] = mail.mails
        assert letter["Subject"] == "Nightly report"
        assert letter.get_content().replace("\r\n", "\n") == ".\nall well\n"
        assert letter["To"] == "team@example.org"
        assert letter["References"] is None
        assert letter["Importance"] is None

    at_the_server(work, to=["team@example.org"])


def test_a_key_is_sent_once_and_has_one_message_id() -> None:
    async def work(mail: MailServer, email: Email) -> None:
        first = await sent(email)
        again = await sent(email)
        assert len(mail.mails) == 1
        assert again.output["message_id"] == first.output["message_id"]
        assert again.sentence.endswith("it was sent before")
        await sent(email, key="page/INC-7/2/mail")
        assert mail.mails[1]["Message-ID"] != mail.mails[0]["Message-ID"]
        assert mail.mails[1]["References"] == mail.mails[0]["References"]

    at_the_server(work)


def test_after_a_lost_answer_the_repeat_is_known_by_its_message_id_even_by_another_process() -> None:
    async def work(mail: MailServer, email: Email) -> None:
        mail.faults = ["cut"]
        with pytest.raises(NoAnswer, match="was given the mail and did not answer"):
            await sent(email)
        await sent(built(mail.port))
        assert len(mail.mails) == 2
        assert len({letter["Message-ID"] for letter in mail.mails}) == 1

    at_the_server(work)


@pytest.mark.parametrize(
    ("fault", "expected", "said"),
    [
        ("451 greylisted", Unreachable, "answered to the mail: 451 greylisted"),
        ("554 spam", Refused, "answered to the mail: 554 spam; nothing was sent"),
        ("slow", NoAnswer, "did not answer"),
    ],
)
def test_what_the_server_says_to_a_mail(fault: str, expected: type[ConnectorError], said: str) -> None:
    async def work(mail: MailServer, email: Email) -> None:
        mail.faults = [fault]
        with pytest.raises(expected, match=said) as caught:
            await sent(email, timeout_s=0.3 if fault == "slow" else 5.0)
        assert type(caught.value) is expected
        if fault != "slow":
            await sent(email)
            assert len(mail.mails) == 1

    at_the_server(work)


def test_whoever_is_taken_is_told_once_though_others_are_asked_to_wait() -> None:
    async def work(mail: MailServer, email: Email) -> None:
        mail.answers = {"ben@example.org": "450 mailbox busy"}
        with pytest.raises(Unreachable, match=r"ana@example\.org got it; .*later for ben@example\.org \(.*450 mailbox"):
            await sent(email)
        mail.answers = {}
        done = await sent(email)
        assert [to for _, to, _ in mail.envelopes] == [["ana@example.org"], ["ben@example.org"]]
        assert done.output["sent"] == ["ana@example.org", "ben@example.org"]

    at_the_server(work)


def test_a_wrong_address_does_not_keep_the_others_from_being_told() -> None:
    async def work(mail: MailServer, email: Email) -> None:
        mail.answers = {"ben@example.org": "550 no such user"}
        done = await sent(email)
        assert done.sentence.endswith("to ana@example.org; refused: ben@example.org: 550 no such user")
        assert done.output["refused"] == ["ben@example.org"]
        mail.answers["ana@example.org"] = "550 nor her"
        with pytest.raises(Refused, match=r"takes nothing for ana@example\.org, ben@example\.org"):
            await sent(email, key="k2")
        assert len(mail.mails) == 1

    at_the_server(work)


def test_a_dry_run_asks_and_sends_nothing() -> None:
    async def work(mail: MailServer, email: Email) -> None:
        done = await sent(email, dry_run=True)
        assert done.sentence == 'would send "CRITICAL: checkout fails" to ana@example.org, ben@example.org'
        mail.answers = {"ben@example.org": "550 no such user"}
        with pytest.raises(Refused, match="550 no such user"):
            await sent(email, dry_run=True, to=["ben@example.org"])
        assert mail.mails == []
        assert (await sent(email)).output["sent"] == ["ana@example.org"]

    at_the_server(work)


def test_a_server_inside_is_asked_only_if_it_is_allowed() -> None:
    async def work(mail: MailServer, email: Email) -> None:
        with pytest.raises(Unreachable, match=r"was not asked: 127\.0\.0\.1 is this very machine; allow it by name"):
            await sent(built(mail.port, allow=()))
        with pytest.raises(Unreachable, match="was not asked"):
            await sent(built(mail.port, allow=(), host="localhost"))
        await sent(built(mail.port, allow=("localhost",), host="localhost"))
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 cannot be connected to \(connection refused\)"):
            await sent(built(1))
        with pytest.raises(Unreachable, match="nothing outside is asked here"):
            await sent(Email(OPTIONS, Context("mail", GuardedHttp())))

    at_the_server(work)


def test_nothing_is_sent_without_the_permit() -> None:
    async def work(mail: MailServer, email: Email) -> None:
        answers = ["", "the lease is lost"]
        permit.set(lambda: answers.pop(0))
        with pytest.raises(Unreachable, match="was not given the mail: the lease is lost"):
            await sent(email)
        assert mail.mails == []

    at_the_server(work)


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("encryption", ["starttls", "tls"])
def test_logging_in_over_tls(encryption: str, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "mail")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    how = {"encryption": encryption, "ca_file": cert, "user": USER, "password": Secret(PASSWORD)}

    async def inner() -> None:
        async with open_mail_server(encryption, context) as mail:
            await sent(built(mail.port, **how))
            assert mail.encrypted == [True]
            assert mail.logins == [USER.encode()]
            wrong = built(mail.port, **{**how, "user": "other"})
            with pytest.raises(Denied, match=r"answered to the greeting: 535 no: \*\*\*; nothing was sent"):
                await sent(wrong, key="k2")
            unknown = built(mail.port, **{**how, "ca_file": ""})
            with pytest.raises(Unreachable, match="has a certificate that cannot be trusted; nothing was sent"):
                await sent(unknown, key="k3")
            assert len(mail.mails) == 1

    run(inner())


def test_no_password_goes_in_the_clear() -> None:
    with pytest.raises(ValueError, match="not sent in the clear"):
        built(25, user=USER, password=Secret(PASSWORD))
    with pytest.raises(ValueError, match="a user needs a password"):
        built(25, encryption="tls", user=USER)

    async def work(mail: MailServer, email: Email) -> None:
        with pytest.raises(Refused, match="does not offer STARTTLS; nothing was sent"):
            await sent(email)

    at_the_server(work, encryption="starttls", user=USER, password=Secret(PASSWORD))


@pytest.mark.parametrize(
    "address",
    ["", "ana", "@example.org", "ana@", "ana@example.org\r\nBcc: eve@example.org", "a b@example.org", "a@b@c.org",
     "<ana@example.org> SIZE=1", "ana@exa\u0000mple.org", "änä@example.org", 7, None,
     "ana@example.org, eve@example.org"],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: Any) -> None:
    with pytest.raises(Refused, match="is no e-mail address"):
        letter_of({"text": "x", "to": [address]}, OPTIONS, "mail", "k", NOW)


@pytest.mark.parametrize(
    ("option", "value"),
    [("sender", "quell"), ("to", ["ana"]), ("host", "smtp example"), ("name", "a\r\nMAIL FROM:<x>"), ("name", "ä")],
)
def test_what_is_wrong_in_the_options_is_told_at_once(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"is no (e-mail address|name of a machine)"):
        built(25, **{option: value})


def test_a_mail_to_nobody_or_about_nothing_is_refused() -> None:
    for params, said in (
        ({"text": "x"}, 'needs a "to"'),
        ({"text": " \n", "to": ["a@example.org"]}, 'needs a "text"'),
        ({"text": "x", "to": [f"a{n}@example.org" for n in range(101)]}, "101 addresses; at most 100"),
    ):
        with pytest.raises(Refused, match=said):
            letter_of(params, OPTIONS, "mail", "k", NOW)


ANY = st.text(max_size=60) | st.sampled_from(
    ["a\r\nBcc: eve@example.org", "\r\n.\r\nMAIL FROM:<x>", "\u2028X: y", "\x85Z: y"]
)
NAMES = {
    "from", "to", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted",
    "x-auto-response-suppress", "importance", "x-priority", "content-type", "content-transfer-encoding", "mime-version",
}  # fmt: skip


@given(ANY, ANY, ANY, ANY, ANY, ANY)
def test_no_text_becomes_a_header_or_a_command(
    text: str, title: str, severity: str, incident: str, link: str, name: str
) -> None:
    params = {"text": text + "x", "title": title, "severity": severity, "incident": incident, "link": link}
    quoted = "".join(letter for letter in name if letter not in '"\\<>@,;:()[].')
    options = {**OPTIONS, "sender": f'"{quoted}" <quell@example.org>'}
    try:
        letter = letter_of({**params, "to": ["ana@example.org"]}, options, "mail", "k", NOW)
    except Refused as error:
        assert "is no e-mail address" in str(error)  # noqa: PT017
        return
    head, _, body = letter.raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert all(b"\r" not in line and b"\n" not in line for line in lines)
    found = {line.partition(b":")[0].decode().lower() for line in lines if not line[:1].isspace()}
    assert found <= NAMES
    assert letter.raw.isascii()
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert b"\r" not in body.replace(b"\r\n", b"")
