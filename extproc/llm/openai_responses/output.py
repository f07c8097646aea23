"""The output of a response, item by item, as a client is told it.

https://platform.openai.com/docs/api-reference/responses/object#responses/object-output
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from extproc.llm.answer import AnswerPart, Citation, Logprob, Speech
from extproc.llm.openai_responses.drawing import drawn_item
from extproc.llm.openai_responses.items import CUSTOM_INPUT
from extproc.llm.openai_responses.sealed import encrypted, on_call, on_text, summary_of
from extproc.llm.openai_responses.tools import custom_names
from extproc.llm.request import Image, Refusal, Remote, Text, Thinking, ToolCall

_arguments = msgspec.json.Decoder(dict[str, object])


class Output:
    """Told part by part: texts and refusals in a row are one message."""

    __slots__ = ("_content", "_custom", "_items", "_seed")

    def __init__(self, response_id: str, document: Mapping[str, object]) -> None:
        """`document` is the client's request, whose custom tools are called in their own way."""
        self._seed = response_id.removeprefix("resp_")
        self._custom = custom_names(document)
        self._items: list[dict[str, object]] = []
        self._content: list[dict[str, object]] | None = None
        """Of the message that is being told."""

    def add(self, part: AnswerPart) -> None:
        match part:
            case Text(text, _, signature):
                self._message().append(text_part(text))
                if signature is not None:
                    self._append("rs", sealing_item(on_text(signature)))
            case Speech():
                self._message().append(text_part(part.transcript))
            case Refusal(text):
                self._message().append(refusal_part(text))
            case Citation():
                self._cite(part)
            case Image():
                self._image(part)
            case Thinking():
                self._append("rs", reasoning_item(part))
            case ToolCall():
                if part.signature is not None:
                    self._append("rs", sealing_item(on_call(part.signature)))
                item = call_item(part, is_custom=part.name in self._custom)
                self._append("ctc" if part.name in self._custom else "fc", item)

    def _image(self, image: Image) -> None:
        item = drawn_item(image)
        if item is not None:
            self._append("ig", item)
        elif isinstance(image.source, Remote):  # items hold images, not addresses
            self._message().append(text_part(image.source.url))
        if image.signature is not None:
            self._append("rs", sealing_item(on_text(image.signature)))

    def items(self, logprobs: Sequence[Logprob]) -> list[dict[str, object]]:
        """All of them, with the logprobs of the whole text, token by token."""
        if logprobs:
            self._spread(logprobs)
        return self._items

    def _append(self, prefix: str, item: dict[str, object]) -> None:
        self._content = None
        self._items.append({"id": item_id(prefix, self._seed, len(self._items)), **item})

    def _message(self) -> list[dict[str, object]]:
        content = self._content
        if content is None:
            content = []
            self._append("msg", message_item("completed", content))
            self._content = content
        return content

    def _texts(self) -> list[dict[str, object]]:
        """The text parts so far, in order."""
        found: list[dict[str, object]] = []
        for item in self._items:
            content = item.get("content")
            if type(content) is list:
                found += [part for part in content if part["type"] == "output_text"]
        return found

    def _cite(self, citation: Citation) -> None:
        """With the text that it is of; without any, a citation says nothing."""
        texts = self._texts()
        if not texts:
            return
        before = sum(len(str(text["text"])) for text in texts[:-1])
        annotations = texts[-1]["annotations"]
        if isinstance(annotations, list):
            annotations.append(annotation(citation, before))

    def _spread(self, logprobs: Sequence[Logprob]) -> None:
        """Each token to the text in which it stands; what is left over to the last."""
        texts = self._texts()
        rest = list(logprobs)
        for text in texts:
            room = len(str(text["text"]))
            taken = 0
            while taken < len(rest) and (room > 0 or text is texts[-1]):
                room -= len(rest[taken].token)
                taken += 1
            text["logprobs"] = [logprob_object(each) for each in rest[:taken]]
            del rest[:taken]


def item_id(prefix: str, seed: str, index: int) -> str:
    """OpenAI's kinds of items have prefixes of their own."""
    return f"{prefix}_{seed}_{index}"


def message_item(status: str, content: list[dict[str, object]]) -> dict[str, object]:
    return {"type": "message", "status": status, "role": "assistant", "content": content}


def text_part(
    text: str,
    annotations: Sequence[dict[str, object]] = (),
    logprobs: Sequence[dict[str, object]] = (),
) -> dict[str, object]:
    return {
        "type": "output_text",
        "annotations": list(annotations),
        "logprobs": list(logprobs),
        "text": text,
    }


def refusal_part(text: str) -> dict[str, object]:
    return {"type": "refusal", "refusal": text}


def reasoning_item(thinking: Thinking) -> dict[str, object]:
    return {
        "type": "reasoning",
        "summary": summary_of(thinking),
        "encrypted_content": encrypted(thinking),
    }


def sealing_item(encrypted_content: str) -> dict[str, object]:
    """The reasoning item that holds the seal of something else."""
    return {"type": "reasoning", "summary": [], "encrypted_content": encrypted_content}


def call_item(call: ToolCall, *, is_custom: bool, status: str = "completed") -> dict[str, object]:
    if is_custom:
        return {
            "type": "custom_tool_call",
            "status": status,
            "call_id": call.call_id,
            "name": call.name,
            "input": custom_input(call.arguments),
        }
    return {
        "type": "function_call",
        "status": status,
        "call_id": call.call_id,
        "name": call.name,
        "arguments": call.arguments,
    }


def custom_input(arguments: str) -> str:
    """The text in the arguments of the function that stands for a custom tool.

    A model that was not held to the schema may have written something else.
    """
    try:
        text = _arguments.decode(arguments).get(CUSTOM_INPUT)
    except msgspec.MsgspecError:
        return arguments
    return text if type(text) is str else arguments


def annotation(citation: Citation, before: int) -> dict[str, object]:
    """Of a text with so many characters before it."""
    is_placed = citation.end > citation.start
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title,
        "start_index": max(0, citation.start - before) if is_placed else 0,
        "end_index": max(0, citation.end - before) if is_placed else 0,
    }


def logprob_object(logprob: Logprob) -> dict[str, object]:
    return {**_token(logprob), "top_logprobs": [_token(each) for each in logprob.top]}


def _token(logprob: Logprob) -> dict[str, object]:
    raw = logprob.token.encode() if logprob.raw is None else logprob.raw
    return {"token": logprob.token, "bytes": list(raw), "logprob": logprob.logprob}
