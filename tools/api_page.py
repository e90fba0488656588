"""Writes the reference of the HTTP interface, a page of the documentation, from the OpenAPI document that nodes serve.

MkDocs calls ``on_files`` when it builds the site (mkdocs.yml names this file).
"""

import json
from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from footfall.web.openapi import document

Json = dict[str, Any]

METHODS = ("get", "put", "post", "delete")
INTRODUCTION = """# HTTP

Every node answers the same requests. This page is made from the OpenAPI 3.1 document that a node serves at
`/openapi.json`. Errors are problem details (RFC 9457): `title`, `detail`, `status`, and a `type` that stays the same
and can be opened. Where tokens are on, a request carries `Authorization: Bearer SECRET`; see [security](security.md).
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page to those of the site."""
    files.append(File.generated(config, "api.md", content=page(document(tokens=True))))
    return files


def page(found: Json) -> str:
    """The whole page, in Markdown."""
    return "\n".join([INTRODUCTION, *_operations(found), *_types(found), *_problems(found)])


def _operations(found: Json) -> Iterator[str]:
    for path, operations in found["paths"].items():
        for method in METHODS:
            if operation := operations.get(method):
                yield f"## `{method.upper()} {path}`\n"
                yield f"{operation['summary']}\n"
                yield from _parameters([*operations.get("parameters", []), *operation.get("parameters", [])])
                yield from _body(operation.get("requestBody"))
                yield from _answers(operation["responses"])


def _parameters(parameters: list[Json]) -> Iterator[str]:
    if parameters:
        yield "| parameter | in | what |\n|---|---|---|"
        for one in parameters:
            yield f"| `{one['name']}` | {one['in']} | {_cell(one['description'])} {_limits(one['schema'])} |"
        yield ""


def _body(body: Json | None) -> Iterator[str]:
    if body is None:
        return
    content = body["content"]["application/json"]
    forms = content["schema"].get("oneOf", [content["schema"]])
    yield f"Body: {' or '.join(map(_kind, forms))}{'' if body['required'] else ', or none'}.\n"
    for example in content.get("examples", {}).values():
        yield f"```json\n{json.dumps(example['value'])}\n```\n"


def _answers(responses: Json) -> Iterator[str]:
    good = {status: answer for status, answer in responses.items() if "$ref" not in answer}
    for status, answer in good.items():
        kinds = [_kind(content["schema"]) for content in answer.get("content", {}).values() if "schema" in content]
        yield f"- **{status}** {answer['description']} {', '.join(kinds)}"
    if bad := sorted(set(responses) - set(good)):
        yield f"- {', '.join(f'[{status}](#{status})' for status in bad)}"
    yield ""


def _types(found: Json) -> Iterator[str]:
    yield "## Types\n"
    for name, schema in found["components"]["schemas"].items():
        yield f"### {name}\n"
        yield f"{_plain(schema.get('description', ''))}\n"
        if "enum" in schema:
            yield " · ".join(f"`{value}`" for value in schema["enum"]) + "\n"
        if fields := schema.get("properties"):
            required = schema.get("required", [])
            yield "| field | type | |\n|---|---|---|"
            for field, kind in fields.items():
                yield f"| `{field}` | {_kind(kind)} | {_limits(kind)}{'' if field in required else ' optional'} |"
            yield ""


def _problems(found: Json) -> Iterator[str]:
    yield "## Problems\n"
    for status, response in found["components"]["responses"].items():
        yield f"### {status}\n"
        yield f"{response['description']}\n"


def _kind(schema: Json) -> str:
    """A type in a few words, with a link to where it is described."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if forms := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(map(_kind, forms))
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema.get("type") == "array":
        parts = schema.get("prefixItems") or [schema.get("items", {})]
        return f"list of {' and '.join(map(_kind, parts))}"
    return str(schema.get("type", "any"))


def _limits(schema: Json) -> str:
    """What a value must be like, in a few words."""
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    found = [
        f"{sign} {json.dumps(schema[key])}" for key, sign in {"minimum": "≥", "maximum": "≤"}.items() if key in schema
    ]
    if longest is not None:
        found.append(f"{f'{shortest} to' if shortest else 'up to'} {longest} characters")
    if schema.get("default") not in (None, ""):
        found.append(f"default {_value(schema['default'])}")
    return f"({', '.join(found)})" if found else ""


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """A docstring's words: two backquotes are its code."""
    return " ".join(text.replace("``", "`").split())
