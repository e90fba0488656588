"""What keeps a connection to NATS from coming about is told with what to do."""

import pytest

from footfall.log.api import said
from footfall.log.connection import with_advice

SSL = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed:"


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (f"{SSL} certificate has expired (_ssl.c:1006)", "certificate has expired: renew the server's, or set this"),
        (f"{SSL} certificate is not yet valid (_ssl.c:1)", "certificate is not yet valid: set this machine's clock"),
        (
            f"{SSL} Hostname mismatch, certificate is not valid for 'localhost'. (_ssl.c:1006)",
            "Hostname mismatch, certificate is not valid for 'localhost': name the server as its certificate does",
        ),
        (
            f"{SSL} unable to get local issuer certificate (_ssl.c:1)",
            "issuer certificate: name who signed the server's",
        ),
        (
            "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2580)",
            "tlsv13 alert certificate required: it asks for a certificate of ours: name one with --nats-cert",
        ),
        (
            "[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert certificate expired (_ssl.c:2580)",
            "sslv3 alert certificate expired: it says so of ours: renew what --nats-cert names",
        ),
        (
            "[Errno 111] Connection refused",
            "Connection refused; is it running, and is the credential right?",
        ),
    ],
)
def test_what_is_to_be_done_depends_on_what_was_said(why: str, said: str) -> None:
    told = with_advice(why)
    assert said in told
    assert "_ssl" not in told


def test_servers_without_a_majority_are_told_to_need_one() -> None:
    told = said({"error": {"description": "JetStream system temporarily unavailable", "err_code": 10008}})
    assert told == (
        "JetStream system temporarily unavailable (10008); a majority of the servers must be up, and have a leader"
    )
    assert said({"error": {"description": "insufficient resources", "err_code": 10023}}).endswith("resources (10023)")
