"""Small OpenAPI documents, written for tests: one shop in each edition, and single operations."""

from __future__ import annotations

import json
from typing import Any

from gateway.openapi.load import load_api
from gateway.openapi.values import Api, Operation, Terms
from gateway.problem import Problem

SHOP_31 = """\
openapi: 3.1.0
info: {title: Shop, version: 1.2.0, description: Sells things.}
servers:
  - url: https://{region}.shop.example:8443/v1/
    variables: {region: {default: eu, enum: [eu, us]}}
security: [{key: []}]
paths:
  /things:
    parameters:
      - {name: trace, in: header, schema: {type: string}}
    get:
      operationId: listThings
      tags: [things]
      summary: All things
      parameters:
        - {name: color, in: query, schema: {type: array, items: {type: string}}}
        - {name: limit, in: query, schema: {type: integer, minimum: 1, default: 20}}
        - {name: api_key, in: query, schema: {type: string}}
      responses:
        "200":
          description: some
          content:
            application/json:
              schema: {type: array, items: {$ref: '#/components/schemas/Thing'}}
    post:
      operationId: addThing
      tags: [things]
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
      responses:
        "201":
          description: made
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
  /things/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
    get:
      tags: [things]
      responses:
        "200":
          description: one
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
        "404": {description: none}
    delete:
      operationId: things/remove
      tags: [things, admin]
      deprecated: true
      responses: {"204": {description: gone}}
components:
  securitySchemes:
    key: {type: apiKey, in: query, name: api_key}
  schemas:
    Thing:
      type: object
      required: [id, name]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string}
        note: {type: [string, "null"]}
        secret: {type: string, writeOnly: true}
        parts: {type: array, items: {$ref: '#/components/schemas/Thing'}}
"""

SHOP_30 = (
    SHOP_31.replace("openapi: 3.1.0", "openapi: 3.0.3")
    .replace('{type: [string, "null"]}', "{type: string, nullable: true}")
    .replace("minimum: 1", "minimum: 0, exclusiveMinimum: true")
)

SHOP_2 = """\
swagger: "2.0"
info: {title: Shop, version: 1.2.0, description: Sells things.}
host: eu.shop.example:8443
basePath: /v1
schemes: [http, https]
consumes: [application/json]
produces: [application/json]
securityDefinitions:
  key: {type: apiKey, in: query, name: api_key}
paths:
  /things:
    parameters:
      - {name: trace, in: header, type: string}
    get:
      operationId: listThings
      tags: [things]
      summary: All things
      parameters:
        - {name: color, in: query, type: array, items: {type: string}, collectionFormat: multi}
        - {name: limit, in: query, type: integer, minimum: 0, exclusiveMinimum: true, default: 20}
        - {name: api_key, in: query, type: string}
      responses:
        200: {description: some, schema: {type: array, items: {$ref: '#/definitions/Thing'}}}
    post:
      operationId: addThing
      tags: [things]
      parameters:
        - {name: thing, in: body, required: true, schema: {$ref: '#/definitions/Thing'}}
      responses:
        201: {description: made, schema: {$ref: '#/definitions/Thing'}}
  /things/{id}:
    parameters:
      - {name: id, in: path, required: true, type: integer}
    get:
      tags: [things]
      responses:
        200: {description: one, schema: {$ref: '#/definitions/Thing'}}
        404: {description: none}
    delete:
      operationId: things/remove
      tags: [things, admin]
      deprecated: true
      responses: {204: {description: gone}}
definitions:
  Thing:
    type: object
    required: [id, name]
    properties:
      id: {type: integer, readOnly: true}
      name: {type: string}
      note: {type: string, x-nullable: true}
      parts: {type: array, items: {$ref: '#/definitions/Thing'}}
"""

JSON_BODY = "application/json"


def document(path: str, method: str, operation: dict[str, Any], **more: Any) -> str:
    """A document of OpenAPI 3.1 with one operation."""
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "One", "version": "1"},
        "paths": {path: {method: {"responses": {}, **operation}}},
        **more,
    }
    return json.dumps(whole)


def read(text: str, terms: Terms | None = None) -> Api:
    """A document that is right."""
    found = load_api(text, terms or Terms())
    assert isinstance(found, Api), "\n".join(map(str, found))
    return found


def only(text: str) -> Operation:
    """The operation of a document that has one."""
    (found,) = read(text).operations
    return found


def operation(
    *parameters: dict[str, Any], path: str = "/x", method: str = "get", **more: Any
) -> Operation:
    """An operation with these parameters."""
    rest = {name: more.pop(name) for name in ("components", "openapi") if name in more}
    return only(document(path, method, {"parameters": list(parameters), **more}, **rest))


def body(content: dict[str, Any], *, required: bool = True, **more: Any) -> Operation:
    """An operation with this body."""
    requested = {"content": content, "required": required}
    return operation(method="post", requestBody=requested, **more)


def parameter(name: str, location: str, schema: object = None, **more: Any) -> dict[str, Any]:
    """A parameter; a text if nothing is said of it."""
    found: dict[str, Any] = {"name": name, "in": location, "required": location == "path", **more}
    if "content" not in more:
        found["schema"] = {"type": "string"} if schema is None else schema
    return found


def problems(text: str, terms: Terms | None = None, file: str = "") -> list[str]:
    """What is wrong with a document."""
    found = load_api(text, terms or Terms(), file=file)
    assert not isinstance(found, Api)
    assert all(isinstance(each, Problem) for each in found)
    return [str(each) for each in found]
