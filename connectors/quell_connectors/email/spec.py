"""What the e-mail connector declares."""

from __future__ import annotations

from quell.sdk.spec import ActionSpec, Option, Spec

PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""The usual port for each way of encrypting."""

SPEC = Spec(
    name="email",
    summary="Sends e-mail through a mail server (SMTP).",
    options=(
        Option(name="host", type="text", summary="The mail server.", required=True, example="smtp.example.org"),
        Option(
            name="port",
            type="integer",
            summary="Its port; without it 587 for starttls, 465 for tls, 25 for none.",
            example="587",
        ),
        Option(
            name="encryption",
            type="text",
            summary="starttls and tls check the server's certificate; none sends in the clear, and no password.",
            default="starttls",
            choices=tuple(PORTS),
        ),
        Option(
            name="ca_file",
            type="path",
            summary="Certificates to trust instead of the system's.",
            example="/etc/quell/mail-ca.pem",
        ),
        Option(name="user", type="text", summary="Who logs in; without it nobody does."),
        Option(name="password", type="secret", summary="The user's password."),
        Option(
            name="sender",
            type="text",
            summary="Whom mail comes from, an address or Name <address>.",
            required=True,
            example="quell <quell@example.org>",
        ),
        Option(
            name="to",
            type="list",
            summary="The addresses of mail that names none.",
            example="[oncall@example.org]",
        ),
        Option(
            name="name",
            type="text",
            summary="What quell calls itself in the greeting, should the server ask for more than the sender's domain.",
            example="quell.example.org",
        ),
    ),
    actions=(
        ActionSpec(
            name="send",
            summary=(
                "Sends one mail to all addresses. A repeat has the same Message-ID, by which most mailboxes show it "
                "once; the server promises nothing, so in doubt a step asks a person, and a page is sent again."
            ),
            params=(
                Option(
                    name="to",
                    type="list",
                    summary="Addresses; the option to if left out.",
                    example="[ana@example.org, payments-oncall@example.org]",
                ),
                Option(
                    name="subject",
                    type="text",
                    summary="The subject; severity and title, as pages have them, if left out.",
                ),
                Option(
                    name="text", type="text", summary="What it says; the first line shows in previews.", required=True
                ),
                Option(name="html", type="text", summary="The same as HTML, for mail programs that show it."),
                Option(
                    name="pictures",
                    type="list",
                    summary="Pictures (name, alt, text, png as base64); quell fills in those of an incident's drift.",
                ),
                Option(name="title", type="text", summary="The incident's title, as pages carry it."),
                Option(name="severity", type="text", summary="How bad it is; the worst are marked as important."),
                Option(name="incident", type="text", summary="The incident's id; its mails make up one conversation."),
                Option(name="link", type="url", summary="Where there is more."),
            ),
            effect="tell",
            repeat="never",
        ),
    ),
)
