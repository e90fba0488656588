"""What /openapi.json says of badges and of the pixel; the script and the public page are no part of the interface."""

from footfall.core.visit import VISITOR_BYTES_MAX
from footfall.web import problems, wire
from footfall.web.badge_drawing import Style
from footfall.web.badge_options import COLORS, LABEL_CHARACTERS_MAX
from footfall.web.openapi_parts import READING, Json, answers, name_parameter, parameter, reference

TYPES = (wire.Badge,)

PICTURE = {"type": "string", "contentMediaType": "image/gif"}


def embedding() -> Json:
    """The paths of this module."""
    return {
        "/v1/counters/{name}/badge.svg": {
            "parameters": [name_parameter()],
            "get": {
                "operationId": "getBadge",
                "summary": "A counter's value as a picture. It may be a minute old, and is no visit.",
                "parameters": _options(),
                "responses": {
                    "200": {
                        "description": "The badge.",
                        "content": {"image/svg+xml": {"schema": {"type": "string"}}},
                    },
                    **answers({}, *READING),
                },
            },
        },
        "/v1/counters/{name}/badge.json": {
            "parameters": [name_parameter()],
            "get": {
                "operationId": "getBadgeJson",
                "summary": "The same, as shields.io's endpoint badges ask for it.",
                "parameters": _options(),
                "responses": answers({200: (wire.Badge, "The badge.")}, *READING),
            },
        },
        "/v1/counters/{name}/pixel.gif": {
            "parameters": [name_parameter()],
            "get": {
                "operationId": "getPixel",
                "summary": "Visit a counter by showing a picture. Errors have the picture, too, and their status.",
                "parameters": [
                    parameter("visitor", "query", _visitor(), "Who came."),
                    parameter(
                        "ack",
                        "query",
                        {"enum": ["durable", "received"], "default": "received"},
                        "durable: the answer waits until the visit is stored in the log. received: it does not.",
                    ),
                ],
                "responses": {str(status): _picture(status, text) for status, text in PICTURES.items()},
            },
        },
    }


PICTURES = {
    200: "The visit was taken; not, if the browser only looked ahead.",
    401: "It was not: there is no token, or none that this node knows.",
    403: "It was not: the token is not good for this.",
    404: "It was not: there is no such counter, and nobody may define it by a visit.",
    422: "It was not: the name or a parameter is wrong, or the counter needs a visitor.",
    429: "It was not: visits come faster than they may.",
    500: "It was not: a bug, or what is stored is not what it was.",
    503: "It was not: not now.",
    507: "It was not: the log holds as many counters as it may.",
}


def _picture(status: int, text: str) -> Json:
    found: Json = {"description": text, "content": {"image/gif": {"schema": PICTURE}}}
    if status == 503:  # of a node that is behind with its work, too
        found["content"][problems.CONTENT_TYPE] = {"schema": reference(wire.Problem)}
    return found


def _visitor() -> Json:
    """The schema of a visitor."""
    return {"type": "string", "minLength": 1, "maxLength": VISITOR_BYTES_MAX, "pattern": wire.PRINTABLE}


def _options() -> list[Json]:
    color = {"type": "string", "pattern": rf"^([0-9A-Fa-f]{{3}}|[0-9A-Fa-f]{{6}}|{'|'.join(COLORS)})$"}
    label = {"type": "string", "maxLength": LABEL_CHARACTERS_MAX, "pattern": f"{wire.PRINTABLE}|^$"}
    n = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
    return [
        parameter("style", "query", {"enum": [*Style], "default": Style.FLAT}, "How it looks."),
        parameter("label", "query", label, "What stands left; by default the counter's name."),
        parameter("color", "query", color, "Behind the value."),
        parameter("label_color", "query", color, "Behind the label."),
        parameter("numbers", "query", {"enum": ["compact", "full"], "default": "compact"}, "12k, or all digits."),
        parameter("milestone", "query", n, "Show the distance to this number. It need not be set as a milestone."),
    ]
