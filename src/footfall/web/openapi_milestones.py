"""What /openapi.json says of milestones, claims and imports."""

from footfall.core.vector import ENTRY_MAX
from footfall.web import wire
from footfall.web.openapi_parts import (
    READING,
    WRITING,
    Json,
    answers,
    body,
    key_parameter,
    name_parameter,
    parameter,
    source_parameter,
)

TYPES = (
    wire.Milestone,
    wire.MilestoneList,
    wire.Claim,
    wire.Import,
    wire.Imported,
    wire.ImportList,
)


def milestones() -> Json:
    """The paths of milestones."""
    n = parameter(
        "n",
        "path",
        {"type": "integer", "minimum": 1, "maximum": ENTRY_MAX, "examples": [1_000_000]},
        "Whose visit is sought: the N-th. In digits alone, as a whole number is written; not 1e6 or 5.0.",
    )
    key = key_parameter(
        "Makes the claim safe to repeat: with the same key and receipt it is answered as the first was."
    )
    return {
        "/v1/counters/{name}/milestones/{n}": {
            "parameters": [name_parameter(), n],
            "get": {
                "operationId": "getMilestone",
                "summary": "How far a milestone is, and its winner.",
                "responses": answers({200: (wire.Milestone, "The milestone.")}, 404, *READING),
            },
            "put": {
                "operationId": "putMilestone",
                "summary": "Set a milestone: the counter's N-th visit will be named. It must not have come yet.",
                "responses": answers(
                    {200: (wire.Milestone, "It stands already."), 201: (wire.Milestone, "It is set now.")},
                    404,
                    409,
                    507,
                    *WRITING,
                ),
            },
        },
        "/v1/counters/{name}/milestones/{n}/claim": {
            "parameters": [name_parameter(), n],
            "post": {
                "operationId": "postClaim",
                "summary": "Show the winner's receipt. It is accepted once.",
                "parameters": [key],
                "requestBody": body(wire.Claim(receipt="b0e2d1ed2f1c5e7e8a4c9b3f6d5a7c10")),
                "responses": answers(
                    {200: (wire.Milestone, "It is the winner's, and claimed.")}, 404, 409, 429, *WRITING
                ),
            },
        },
        "/v1/counters/{name}/milestones": {
            "parameters": [name_parameter()],
            "get": {
                "operationId": "listCounterMilestones",
                "summary": "A counter's milestones, the lowest first.",
                "responses": answers({200: (wire.MilestoneList, "Its milestones.")}, 404, *READING),
            },
        },
        "/v1/milestones": {
            "get": {
                "operationId": "listMilestones",
                "summary": "All milestones, in the order in which they were set.",
                "responses": answers({200: (wire.MilestoneList, "The milestones.")}, *READING),
            }
        },
    }


def imports() -> Json:
    """The paths of imports."""
    source = source_parameter("source", "What was counted there. Each source is imported once.")
    return {
        "/v1/counters/{name}/imports/{source}": {
            "parameters": [name_parameter(), source],
            "put": {
                "operationId": "putImport",
                "summary": "Take over a count from before. It must not bring an open milestone near.",
                "requestBody": body(wire.Import(value=1_000_000, note="counted by the old server until May")),
                "responses": answers(
                    {200: (wire.Imported, "It was imported before."), 201: (wire.Imported, "It is imported now.")},
                    404,
                    409,
                    507,
                    *WRITING,
                ),
            },
        },
        "/v1/counters/{name}/imports": {
            "parameters": [name_parameter()],
            "get": {
                "operationId": "listImports",
                "summary": "What was imported into a counter.",
                "responses": answers({200: (wire.ImportList, "Its imports.")}, 404, *READING),
            },
        },
    }
