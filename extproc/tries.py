"""The tries of a plan: one provider's turn each, and what is forwarded to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from extproc.llm.dialect import Codec
from extproc.wire import Said
from gateway import names
from gateway.model import BodyForm, Dialect
from gateway.operations import Operation
from gateway.price import Price

REPEATED = frozenset(
    {Operation.BATCH_EMBED_CONTENTS, Operation.COUNT_TOKENS, Operation.EMBED_CONTENT}
)
"""Operations whose bodies may repeat the model of the path, and must then agree with it."""


@dataclass(frozen=True, slots=True)
class Try:
    """One provider's turn."""

    cluster: str
    provider: str
    model: str
    """As this provider knows it."""
    operation: Operation
    said: Said
    """What this provider is to be told."""
    path: str
    price: Price | None
    codec: Codec | None
    """Of a conversation: its dialect, as this vendor takes it."""
    is_instead: bool = False
    """It is asked for embeddings, or to rerank, as models on Bedrock are invoked."""
    vendor: str = ""
    """Where its servers' form of the dialect counts: the client has no form of it."""
    target: str = ""
    """The same of the model."""

    @property
    def dialect(self) -> Dialect | None:
        return self.said.dialect

    @property
    def written(self) -> Said:
        """What it is to be told, and in whose form: all of it that its attempt needs."""
        return structs.replace(self.said, vendor=self.vendor, target=self.target)

    def is_foreign(self, client: Dialect | None) -> bool:
        """Some answers have to be said otherwise for a client of this dialect."""
        is_other = self.dialect is not client or self.said.form is not BodyForm.PLAIN
        return is_other or self.is_instead


def once(places: Sequence[tuple[int, Try]]) -> list[tuple[int, Try]]:
    """Each target is tried once."""
    first: dict[tuple[str, str], tuple[int, Try]] = {}
    for place, found in places:
        first.setdefault((found.provider, found.model), (place, found))
    return list(first.values())


def readdressed(tries: Sequence[Try], places: Sequence[tuple[int, Try]]) -> list[Try]:
    """What is tried after a body was said otherwise must have its own length put back."""
    rewritten = {
        found.cluster
        for place, found in places
        if found.cluster == names.attempt_cluster(found.provider, place)
    }
    found: list[Try] = []
    for each in tries:
        is_after = any(earlier.cluster in rewritten for earlier in found)
        if is_after and each.cluster == names.provider_cluster(each.provider):
            found.append(replace(each, cluster=names.addressed_cluster(each.provider)))
        else:
            found.append(each)
    return found


def forwarded_of(tries: Sequence[Try], client: Dialect | None) -> Said:
    """As the first try wants it, when all want one dialect; else as the client said it."""
    first = tries[0].said
    if all(structs.replace(each.said, model=first.model) == first for each in tries):
        return tries[0].written
    model = next((each.said.model for each in tries if each.dialect is client), first.model)
    return Said(client, model)


def of_one_form(places: list[tuple[int, Try]]) -> list[tuple[int, Try]]:
    """The tries that can be told the same body: embeddings have a form for each of Bedrock's
    models, and requests to Gemini name the model in places that no attempt knows."""
    if any(found.is_instead for _, found in places):
        own = [each for each in places if not each[1].is_instead]
        return own or places[:1]
    if places and places[0][1].operation in REPEATED:
        model = places[0][1].said.model
        return [each for each in places if each[1].said.model == model]
    return places
