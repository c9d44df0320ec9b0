"""The route by which a command is said in words, as it is where people talk."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from quell.chatops.plain import plain_answer
from quell.daemon.api.services import Services, answer, need
from quell.daemon.auth import Principal
from quell.daemon.chat.floor import Asker
from quell.sdk.chat import Answer


class Words(BaseModel):
    """What is said; ``about`` is the incident or run that it is about when it names none."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(max_length=10_000)
    about: str = Field(default="", max_length=200)


def add_saying(router: APIRouter, services: Services) -> None:
    """Reading needs the scope read; what more a command needs is checked where it is done."""

    @router.post("/say", summary='A command in words, such as "why INC-3f9a1c"')
    async def say(words: Words, _request: Request, by: Annotated[Principal, Depends(need("read"))]) -> Response:
        said = await services.chat.say(words.text, Asker(principal=by, source="api", about=words.about))
        return answer(_shown(said))


def _shown(said: Answer) -> dict[str, Any]:
    """An answer as JSON: ``text`` has all of it that can be read, ``png`` a picture."""
    card = said.card
    found: dict[str, Any] = {"text": plain_answer(said), "ok": said.ok}
    if card is not None and card.picture is not None and card.picture.png:
        found["png"] = b64encode(card.picture.png).decode()
        card = msgspec.structs.replace(card, picture=None)
    if card is not None:
        found["card"] = msgspec.to_builtins(card)
    return found
