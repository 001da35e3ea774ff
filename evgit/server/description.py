"""The OpenAPI description of the server: what other programs can ask of it over HTTP."""

from __future__ import annotations

from typing import Any

from evgit.sync.messages import PROTOCOL


def _text(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }


def openapi(version: str) -> dict[str, Any]:
    """The description, as OpenAPI 3.1 has it."""
    name = {
        "name": "repository",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "name of a repository: its path below the server's root",
    }
    binary = {"application/x-evgit": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "evgit server",
            "version": version,
            "description": "Clone, fetch and push event repositories. Messages and transfers are "
            f"described in docs/protocol.md (protocol {PROTOCOL}).",
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "paths": {
            "/{repository}/evgit": {
                "post": {
                    "operationId": "converse",
                    "summary": "One request of the protocol, and its reply",
                    "parameters": [name],
                    "security": [{"token": []}, {}],
                    "requestBody": {"required": True, "content": binary},
                    "responses": {
                        "200": {"description": "a reply, which may refuse", "content": binary},
                        "401": _text("a token is needed, or has expired"),
                        "403": _text("the token doesn't allow that"),
                        "404": _text("no such repository"),
                        "408": _text("the request came too slowly"),
                        "413": _text("the request is too large"),
                        "503": _text("too many requests at once"),
                    },
                }
            },
            "/health": {
                "get": {
                    "operationId": "health",
                    "summary": "Is the server up?",
                    "responses": {"200": _text("ok")},
                }
            },
            "/metrics": {
                "get": {
                    "operationId": "metrics",
                    "summary": "Counters, in the text format of Prometheus",
                    "responses": {"200": _text("counters")},
                }
            },
            "/openapi.json": {
                "get": {
                    "operationId": "description",
                    "summary": "This description",
                    "responses": {"200": {"description": "OpenAPI 3.1"}},
                }
            },
        },
    }
