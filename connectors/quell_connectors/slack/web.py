"""slack-sdk's Web API client, carried by the guarded HTTP client; what Slack answers becomes one of our errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from quell.errors import ConnectorError, Denied, NoAnswer, Refused, Unreachable
from quell.sdk.http import Http, checked, retry_after_s
from quell.sdk.secret import Secret
from quell_connectors.slack.limits import Gate

TIMEOUT_S = 10.0
UNKNOWN_WAIT_S = 30.0
"""After a limit that names no wait; Slack counts over a minute."""
_DOUBTFUL = frozenset({"fatal_error", "internal_error"})
"""Slack says of these that some of it may have been done."""
_LATER = frozenset({"service_unavailable", "request_timeout", "team_added_to_org", "rollout_error"})
_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_DENIED = frozenset(
    {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "not_allowed_token_type"}
)
_INSTALL = "install the app again (api.slack.com/apps, Install App) and put its token where the option names it"
_ADVICE = {
    "not_in_channel": "invite the app there: /invite @quell",
    "channel_not_found": "no such channel, or a private one that the app was not invited to",
    "is_archived": "the channel is archived",
    "invalid_auth": f"the token is not valid; {_INSTALL}",
    "not_authed": "there is no token; give one by the option bot_token, or app_token for Socket Mode",
    "token_revoked": f"the token was revoked; {_INSTALL}",
    "token_expired": f"the token has expired; {_INSTALL}",
    "account_inactive": f"the app was removed from the workspace; {_INSTALL}",
    "missing_scope": "add the scope (api.slack.com/apps, OAuth & Permissions) and install the app again",
    "not_allowed_token_type": "another kind of token is needed: xoxb-… for the bot, xapp-… for Socket Mode",
    "edit_window_closed": "the workspace does not let messages be edited for so long",
}


class Gone(Refused):
    """The message is not there any more."""


class BadPicture(Refused):
    """Slack does not take the file in a message, or not yet."""


class Web(AsyncWebClient):
    """Asks as slack-sdk does, but through ``http``: guarded against inside addresses, and in the tenure's permit.

    It repeats nothing by itself: who calls knows what may be repeated. No token is kept as plain text.
    """

    def __init__(self, http: Http, url: str, token: Secret, hide: tuple[Secret | None, ...] = ()) -> None:
        super().__init__(base_url=url, retry_handlers=[])
        self._http = http
        self._bot_token = token
        self._hide = (token, *hide)
        self._gate = Gate()

    async def api_call(self, api_method: str, **asked: Any) -> AsyncSlackResponse:
        """One call. Raises `Unreachable`, `NoAnswer` and `Refused`."""
        try:
            return await super().api_call(api_method, **asked)
        except SlackApiError as error:
            said: AsyncSlackResponse = error.response
            failed = failure(api_method, said.data if isinstance(said.data, dict) else {}, said.headers or {})
            if isinstance(failed, Unreachable) and failed.retry_after_s is not None:
                self._gate.close(api_method, _channel_of(asked), failed.retry_after_s)
            raise failed from None
        except SlackClientError as error:
            raise Refused(f"Slack ({api_method}) was not asked: {type(error).__name__}") from None

    async def to_response_url(self, url: str, said: Mapping[str, Any]) -> None:
        """Answers a command or a click at the address that came with it."""
        answer = await self._http.request("POST", url, json=said, timeout_s=TIMEOUT_S)
        checked(answer, "Slack (response_url)", (*self._hide, Secret(url)))

    async def upload(self, url: str, content: bytes) -> None:
        """The bytes of a file, to the address that Slack gave for it."""
        headers = {"Content-Type": "application/octet-stream"}
        answer = await self._http.request("POST", url, headers=headers, data=content, timeout_s=TIMEOUT_S)
        checked(answer, "Slack (upload)", (*self._hide, Secret(url)))

    async def _request(self, *, http_verb: str, api_url: str, req_args: dict[str, Any]) -> dict[str, Any]:
        """What slack-sdk would do with a session of its own."""
        method = api_url.removeprefix(self.base_url)
        await self._gate.turn(method, _channel_of(req_args))
        headers = dict(req_args.get("headers") or {})
        headers.setdefault("Authorization", f"Bearer {self._bot_token.reveal()}")
        query = {name: str(value) for name, value in (req_args.get("params") or {}).items()}
        answer = await self._http.request(
            http_verb, api_url, headers=headers, query=query or None, json=req_args.get("json"), timeout_s=TIMEOUT_S
        )
        who = f"Slack ({method})"
        if answer.status == 429:
            wait = retry_after_s(answer.headers)
            self._gate.close(method, _channel_of(req_args), UNKNOWN_WAIT_S if wait is None else wait)
        body = checked(answer, who, self._hide).body
        try:
            data = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NoAnswer(f"{who} answered what is no JSON object; something between here and Slack did") from error
        return {"data": data, "headers": answer.headers, "status_code": answer.status}


def failure(method: str, data: Mapping[str, Any], headers: Mapping[str, str]) -> ConnectorError:
    """What an answer that is not ok comes to."""
    error = str(data.get("error") or "")
    who = f"Slack ({method})"
    if not error:
        return NoAnswer(f"{who} answered neither ok nor an error; something between here and Slack did")
    details = _details(data)
    message = f"{who} answered {error}" + (f": {_ADVICE[error]}" if error in _ADVICE else "") + details
    if error in _LIMITED:
        wait = retry_after_s(headers)
        return Unreachable(message, UNKNOWN_WAIT_S if wait is None else wait)
    if error in _DOUBTFUL:
        return NoAnswer(message)
    if error in _LATER:
        return Unreachable(message)
    if error in {"message_not_found", "thread_not_found"}:
        return Gone(message)
    if error == "invalid_blocks" and "slack_file" in details:
        return BadPicture(message)
    if error in _DENIED or (error == "missing_scope" and method.startswith(("auth.", "chat.", "apps."))):
        return Denied(message)
    return Refused(message)


def _details(data: Mapping[str, Any]) -> str:
    """What was wrong, or which right is missing, in Slack's own words."""
    parts = [f"the app needs the scope {data['needed']}"] if data.get("needed") else []
    meta = data.get("response_metadata")
    told = meta.get("messages") if isinstance(meta, dict) else None
    parts += [str(one) for one in (data.get("errors") or told or ()) if one][:3]
    return (" (" + "; ".join(parts) + ")")[:300] if parts else ""


def _channel_of(asked: Mapping[str, Any]) -> str:
    found = (asked.get("json") or {}).get("channel") or (asked.get("params") or {}).get("channel")
    return str(found or "")
