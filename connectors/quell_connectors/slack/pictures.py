"""Pictures: uploaded once by the way that Slack takes files today, and shown once Slack has looked at them."""

from __future__ import annotations

import asyncio
from typing import Any

from quell.errors import Refused, Unreachable
from quell.sdk.chat import Picture
from quell_connectors.slack.blocks import Block, picture_block
from quell_connectors.slack.web import Web

_WAITS_S = (0.2, 0.5, 1.0, 2.0)
"""Slack takes a moment to look at a file; a message that shows it before is refused."""
_MOST_KEPT = 500


class Pictures:
    """Files by the mark of their picture; "" for one that Slack refused."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._files: dict[str, str] = {}

    async def block(self, picture: Picture) -> Block | None:
        """The picture as a block; None when it cannot be shown, which must keep no card from being shown."""
        if not picture.png:
            return picture_block(picture.alt, url=picture.url) if picture.url.startswith("https://") else None
        try:
            known = self._files.get(picture.mark)
            file_id = await self._uploaded(picture) if known is None else known
        except Unreachable:
            return None
        except Refused:
            self.refuse(picture)
            return None
        return picture_block(picture.alt, file_id=file_id) if file_id else None

    def refuse(self, picture: Picture | None) -> None:
        """Slack does not want it, so it is not tried with every edit of its card."""
        if picture is not None:
            self._keep(picture.mark, "")

    def _keep(self, mark: str, file_id: str) -> None:
        if len(self._files) >= _MOST_KEPT:
            self._files.pop(next(iter(self._files)))
        self._files[mark] = file_id

    async def _uploaded(self, picture: Picture) -> str:
        name = "".join(sign if sign.isalnum() else "-" for sign in picture.mark)[:80] + ".png"
        place = await self._web.files_getUploadURLExternal(filename=name, length=len(picture.png))
        file_id, url = str(place.get("file_id") or ""), str(place.get("upload_url") or "")
        await self._web.upload(url, picture.png)
        await self._web.files_completeUploadExternal(files=[{"id": file_id, "title": picture.alt[:200] or name}])
        for wait in _WAITS_S:
            found: dict[str, Any] = (await self._web.files_info(file=file_id)).get("file") or {}
            if found.get("mimetype"):
                self._keep(picture.mark, file_id)
                return file_id
            await asyncio.sleep(wait)
        return ""
