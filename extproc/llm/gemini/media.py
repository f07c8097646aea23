"""Bytes and files in contents: `inlineData` and `fileData`.

https://ai.google.dev/gemini-api/docs/file-input-methods. The media type says whether it is an
image, sound, a video or a document; Google's own files are known by their URIs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from extproc.llm.faults import Unfit, not_a
from extproc.llm.gemini.base64_forms import decoded, encoded, standard
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import (
    Audio,
    Document,
    Image,
    Inline,
    Plain,
    Remote,
    Source,
    Uploaded,
    Video,
)

Medium: TypeAlias = Image | Document | Audio | Video

_GOOGLES = ("gs://", "https://generativelanguage.googleapis.com/")
_YOUTUBE = ("https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/")
_TYPES: Mapping[str, str] = {
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "mov": "video/mov",
    "mp3": "audio/mp3",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "pdf": "application/pdf",
    "png": "image/png",
    "txt": "text/plain",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
}
"""By the ending of a URL."""
_USUAL_TYPES: Mapping[type, str] = {
    Image: "image/jpeg",
    Document: "application/pdf",
    Audio: "audio/wav",
    Video: "video/mp4",
}
"""Where nothing says it. Vertex wants some; images are looked at in any case."""
_PLAIN = "text/plain"


def read_blob(blob: object, where: str) -> Medium:
    """Of `inlineData`. Raises `Unfit`."""
    if type(blob) is not dict:
        raise Unfit(not_a(dict, {"inlineData": blob}, "inlineData", where))
    media_type, data = blob.get("mimeType"), blob.get("data")
    if type(media_type) is not str:
        raise Unfit(not_a(str, blob, "mimeType", f"{where}inlineData."))
    if type(data) is not str:
        raise Unfit(not_a(str, blob, "data", f"{where}inlineData."))
    if media_type == _PLAIN:
        text = decoded(data)
        if text is not None:
            return Document(Plain(text), _name(blob))
    return _medium(Inline(media_type, standard(data)), media_type, _name(blob))


def read_file(file: object, where: str) -> Medium:
    """Of `fileData`. Raises `Unfit`."""
    if type(file) is not dict:
        raise Unfit(not_a(dict, {"fileData": file}, "fileData", where))
    uri = file.get("fileUri")
    if type(uri) is not str:
        raise Unfit(not_a(str, file, "fileUri", f"{where}fileData."))
    media_type = file.get("mimeType")
    if type(media_type) is not str:
        media_type = ""
    source = Uploaded(uri, media_type) if uri.startswith(_GOOGLES) else Remote(uri, media_type)
    kind = media_type or ("video/" if uri.startswith(_YOUTUBE) else _type_of_url(uri))
    return _medium(source, kind, _name(file))


def write_medium(medium: Medium, losses: Losses, where: str) -> dict[str, object] | None:
    """The member of a part, or of a function's result, that holds it; None: it cannot be said."""
    source = medium.source
    said: dict[str, object]
    match source:
        case Inline():
            media_type = source.media_type or _USUAL_TYPES[type(medium)]
            said = {"mimeType": media_type, "data": source.data}
        case Plain():
            said = {"mimeType": _PLAIN, "data": encoded(source.text)}
        case Remote():
            if not source.url.startswith(("https://", "http://")):
                losses.lose(_url_feature(medium), where)
                return None
            said = {"fileUri": source.url, "mimeType": _type_of(source, source.url, medium)}
        case Uploaded():
            if not source.file_id.startswith(_GOOGLES):
                losses.lose(Feature.UPLOADED_FILE, where)
                return None
            said = {"fileUri": source.file_id}
            if source.media_type:
                said["mimeType"] = source.media_type
    if type(medium) is Document and medium.name:
        said["displayName"] = medium.name
    return {"fileData" if "fileUri" in said else "inlineData": said}


def _medium(source: Source, media_type: str, name: str) -> Medium:
    match media_type.partition("/")[0].lower():
        case "image":
            return Image(source)
        case "audio":
            return Audio(source)
        case "video":
            return Video(source)
        case _:
            return Document(source, name)


def _name(value: Mapping[str, object]) -> str:
    name = value.get("displayName")
    return name if type(name) is str else ""


def _type_of(source: Remote, url: str, medium: Medium) -> str:
    return source.media_type or _type_of_url(url) or _USUAL_TYPES[type(medium)]


def _type_of_url(url: str) -> str:
    path = url.partition("?")[0].partition("#")[0]
    return _TYPES.get(path.rpartition(".")[2].lower(), "")


def _url_feature(medium: Medium) -> Feature:
    match medium:
        case Image():
            return Feature.IMAGE_URL
        case Document():
            return Feature.DOCUMENT_URL
        case Audio():
            return Feature.AUDIO_INPUT
        case Video():
            return Feature.VIDEO_INPUT
