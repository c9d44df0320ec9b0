"""The push hook: a git server says that there is something new; what, is asked of the repository itself."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from quell.config.settings import GitSettings
from quell.sdk import connector
from quell.sdk.secret import Secret
from quell.sdk.signatures import Bearer, Hmac, refusal

HOOK_PATH = "/hooks/git"
_MOST_BODY = 5_000_000
_GITLAB = "x-gitlab-token"


class GitHook:
    """Believes a delivery that is signed as GitHub and Gitea do, or that shows the secret as GitLab does."""

    def __init__(
        self, settings: Callable[[], GitSettings | None], ask: Callable[[], None], now: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._ask = ask
        self._now = now

    async def pushed(self, request: Request) -> Response:
        """One delivery."""
        settings = self._settings()
        if settings is None or settings.hook_secret is None:
            return PlainTextResponse("no push hook is configured: quell.yaml has no git.hook_secret", 404)
        body = bytearray()
        try:
            async for part in request.stream():
                body += part
                if len(body) > _MOST_BODY:
                    return PlainTextResponse("too large", 413)
        except ClientDisconnect:
            return Response(status_code=400)
        headers = dict(request.headers.items())
        heard = connector.Request("POST", HOOK_PATH, bytes(body), headers)
        wrong = refusal(heard, _scheme(headers, settings.hook_secret), self._now())
        if wrong:
            return PlainTextResponse(wrong, 401)
        self._ask()
        return PlainTextResponse("the branch is looked at", 202)


def _scheme(headers: dict[str, str], secret: Secret) -> Hmac | Bearer:
    if _GITLAB in headers:
        return Bearer(secrets=(secret,), header=_GITLAB)
    return Hmac(secrets=(secret,), header="x-hub-signature-256", prefix="sha256=")
