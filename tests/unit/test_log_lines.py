"""Lines as servers write them, after each vendor's documentation, and the requests that they tell of."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.cli.formats import Format, Reading, dialect_of
from footfall.cli.logs.hit import Hit, Skip, parse_time, split_request, unescape
from footfall.cli.logs.templates import nginx
from footfall.cli.recognising import recognise
from footfall.errors import ConfigError, InputError

UA = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
TIME = "26/Nov/2026:08:00:00 +0100"
NGINX = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    '"$http_x_forwarded_for" rt=$request_time $upstream_addr $host'
)
NGINX_JSON = (
    '{"time":"$time_iso8601","ip":"$remote_addr","method":"$request_method","uri":"$request_uri",'
    '"status":$status,"agent":"$http_user_agent","host":"$host"}'
)
APACHE = r"%v:%p %a %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\" %D %{X-Tenant}i"
CLOUDFRONT = [
    b"#Version: 1.0",
    b"#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "
    b"cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes "
    b"time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status "
    b"fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len "
    b"sc-range-start sc-range-end",
]
CLOUDFRONT_LINE = (
    "2026-11-26\t07:00:00\tFRA56-P1\t1045\t2001:db8::7\tGET\td111111abcdef8.cloudfront.net\t/caf%C3%A9/\t200\t-\t"
    "Mozilla/5.0%20(X11;%20Linux%20x86_64)\tq=1\t-\tHit\tSOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==\t"
    "www.example.com\thttps\t23\t0.001\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tHit\tHTTP/2.0\t-\t-\t11040\t0.001\tHit\t"
    "text/html\t78\t-\t-"
)
ALB = (
    "https 2026-11-26T07:00:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 {client} 10.0.0.1:80 0.086 0.048 0.037 200 "
    '200 0 57 "GET https://www.example.com:443/shop?a=b HTTP/1.1" "{agent}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 '
    "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "
    '"Root=1-58337281-1d84f3d73c47ec4e58577259" "www.example.com" '
    '"arn:aws:acm:us-east-2:123456789012:certificate/12345678-1234-1234-1234-123456789012" 1 '
    '2026-11-26T06:59:59.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_1234abcd5678ef90'
)
CLOUDFRONT_JSON = (
    '{"date":"2026-11-26","time":"07:00:00","x-edge-location":"SFO53-P7","sc-bytes":"1068","c-ip":"2001:db8::7",'
    '"cs-method":"GET","cs(Host)":"d111111abcdef8.cloudfront.net","cs-uri-stem":"/caf%C3%A9/","sc-status":"304",'
    '"cs(Referer)":"-","cs(User-Agent)":"' + UA.replace(" ", "%20") + '","x-host-header":"www.example.com"}'
)
CADDY = (
    '{"level":"info","ts":1795676400.5,"logger":"http.log.access.log0","msg":"handled request","request":{'
    '"remote_ip":"10.0.0.9","remote_port":"41342","client_ip":"2001:db8::7","proto":"HTTP/2.0","method":"GET",'
    '"host":"example.com:8443","uri":"/a?\\"b\\"","headers":{"User-Agent":["' + UA + '"],"X-Tenant":["acme","b"]},'
    '"tls":{"resumed":false,"version":772}},"bytes_read":0,"user_id":"","duration":0.0009,"size":10900,"status":200,'
    '"resp_headers":{"Server":["Caddy"]}}'
)
TRAEFIK = (
    '{"ClientAddr":"[2001:db8::7]:48352","ClientHost":"2001:db8::7","ClientPort":"48352","ClientUsername":"-",'
    '"DownstreamContentSize":19,"DownstreamStatus":404,"Duration":70500,"OriginStatus":0,"RequestAddr":"example.com",'
    '"RequestHost":"example.com","RequestMethod":"GET","RequestPath":"/a?b","RequestProtocol":"HTTP/1.1",'
    '"RouterName":"web@docker","StartUTC":"2026-11-26T07:00:00.5Z","entryPointName":"web","level":"info","msg":"",'
    '"request_User-Agent":"' + UA + '","time":"2026-11-26T08:00:00+01:00"}'
)

LINES: list[tuple[Reading, str, Hit]] = [
    (
        Reading(Format.COMMON),
        f'2001:db8::7 - frank [{TIME}] "GET /a HTTP/1.0" 200 2326',
        Hit("2001:db8::7", TIME, "GET /a HTTP/1.0", status="200"),
    ),
    (
        Reading(Format.COMBINED),
        f'192.0.2.7 - - [{TIME}] "GET /\\"a\\" HTTP/1.1" 304 - "-" "{UA}"',
        Hit("192.0.2.7", TIME, 'GET /\\"a\\" HTTP/1.1', status="304", agent=UA),
    ),
    (
        Reading(Format.NGINX),
        f'192.0.2.7 - - [{TIME}] "\\x16\\x03\\x01" 400 157 "-" "-"',
        Hit("192.0.2.7", TIME, "\\x16\\x03\\x01", status="400", agent="-"),
    ),
    (
        Reading(Format.VHOST_COMBINED),
        f'www.example.com:443 2001:db8::7 - - [{TIME}] "GET /a HTTP/1.1" 200 5 "-" "{UA}"',
        Hit("2001:db8::7", TIME, "GET /a HTTP/1.1", host="www.example.com:443", status="200", agent=UA),
    ),
    (
        Reading(Format.VHOST_COMBINED),
        f'example.com 2001:db8::7 - - [{TIME}] "GET /a HTTP/1.1" 200 5 "-" "{UA}"',
        Hit("2001:db8::7", TIME, "GET /a HTTP/1.1", host="example.com", status="200", agent=UA),
    ),
    (
        Reading(Format.TRAEFIK),
        f'192.0.2.7 - - [{TIME}] "GET /a HTTP/1.1" 200 5 "-" "{UA}" 17 "web@docker" "http://10.0.0.2:80" 3ms',
        Hit("192.0.2.7", TIME, "GET /a HTTP/1.1", status="200", agent=UA),
    ),
    (
        Reading(Format.TRAEFIK),
        f'192.0.2.7 - - [{TIME}] "GET /"a" HTTP/1.1" 200 5 "-" "a "b" c" 17 "-" "-" 0ms',
        Hit("192.0.2.7", TIME, 'GET /"a" HTTP/1.1', status="200", agent="a "),
    ),
    (
        Reading(Format.TRAEFIK),
        TRAEFIK,
        Hit("2001:db8::7", "2026-11-26T07:00:00.5Z", None, "GET", "/a?b", "example.com", "404", UA),
    ),
    (
        Reading(Format.CADDY),
        CADDY,
        Hit("2001:db8::7", 1795676400.5, None, "GET", '/a?"b"', "example.com:8443", "200", UA),
    ),
    (
        Reading(Format.CADDY),
        '{"level":"info","request":{"remote_addr":"[2001:db8::7]:51","method":"GET","uri":"/"},"status":0}',
        Hit("2001:db8::7", None, None, "GET", "/", "", "0", ""),
    ),
    (
        Reading(Format.ALB),
        ALB.format(client="192.0.2.7:2817", agent=UA),
        Hit(
            "192.0.2.7",
            "2026-11-26T07:00:00.186641Z",
            "GET https://www.example.com:443/shop?a=b HTTP/1.1",
            status="200",
            agent=UA,
        ),
    ),
    (
        Reading(Format.HAPROXY),
        "2001:db8::7:33317 [26/Nov/2026:08:00:00.655] http-in~ static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 "
        '0/0 {example.com|Mozilla} {} "GET /a?b=#22 HTTP/1.1"',
        Hit("2001:db8::7", None, "GET /a?b=#22 HTTP/1.1", status="200"),
    ),
    (
        Reading(Format.HAPROXY),
        '192.0.2.7:1 [26/Nov/2026:08:00:00.655] http-in http-in/<NOSRV> -1/-1/-1/-1/+3 -1 +0 - - CR-- 1/1/0/0/0 0/0 "<',
        Hit("192.0.2.7", None, "<", status="-1"),
    ),
    (
        Reading(Format.CLOUDFRONT, head=CLOUDFRONT),
        CLOUDFRONT_LINE,
        Hit(
            "2001:db8::7",
            "2026-11-26T07:00:00",
            None,
            "GET",
            "/caf%C3%A9/",
            "www.example.com",
            "200",
            "Mozilla/5.0 (X11; Linux x86_64)",
        ),
    ),
    (
        Reading(Format.CLOUDFRONT, head=[CLOUDFRONT_JSON.encode()]),
        CLOUDFRONT_JSON,
        Hit("2001:db8::7", "2026-11-26T07:00:00", None, "GET", "/caf%C3%A9/", "www.example.com", "304", UA),
    ),
    (
        Reading(Format.CLOUDFRONT, head=[b'{"timestamp(ms)":"1"}']),
        '{"timestamp(ms)":"1795676400123","DistributionId":"E1","c-ip":"192.0.2.7","sc-status":200,"cs(Host)":"d.cf.net"}',
        Hit("192.0.2.7", "1795676400123", None, None, None, "d.cf.net", "200"),
    ),
    (
        Reading(Format.NGINX, NGINX),
        f'2001:db8::7 - John Doe [{TIME}] "GET /\\x22q\\x22 HTTP/2.0" 200 12 "-" "{UA} \\x22x\\x22" '
        '"198.51.100.1, 10.0.0.2" rt=0.001 10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80 example.com',
        Hit("2001:db8::7", TIME, "GET /\\x22q\\x22 HTTP/2.0", None, None, "example.com", "200", f"{UA} \\x22x\\x22"),
    ),
    (
        Reading(Format.NGINX, NGINX_JSON),
        '{"time":"2026-11-26T08:00:00+01:00","ip":"192.0.2.7","method":"GET","uri":"/a?\\"b\\"","status":200,'
        f'"agent":"{UA}","host":"example.com"}}',
        Hit("192.0.2.7", "2026-11-26T08:00:00+01:00", None, "GET", '/a?\\"b\\"', "example.com", "200", UA),
    ),
    (
        Reading(Format.NGINX, "$remote_addr:$remote_port $scheme://$host$request_uri ${status}"),
        "2001:db8::7:5555 https://example.com/a/b?c 200",
        Hit("2001:db8::7", None, None, None, "/a/b?c", "example.com", "200"),
    ),
    (
        Reading(Format.NGINX, "$msec\t$remote_addr\t$request_method\t$uri$is_args$args\t$status\t$http_user_agent"),
        f"1795676400.123\t192.0.2.7\tGET\t/a b\t200\t{UA}",
        Hit("192.0.2.7", "1795676400.123", None, "GET", "/a b", None, "200", UA),
    ),
    (
        Reading(Format.APACHE, APACHE),
        f'example.com:443 2001:db8::7 - frank [{TIME}] "GET /a\\"b HTTP/1.0" 200 2326 "-" "Moz \\"x\\"" 123 acme',
        Hit("2001:db8::7", f"[{TIME}]", 'GET /a\\"b HTTP/1.0', None, None, "example.com", "200", 'Moz \\"x\\"'),
    ),
    (
        Reading(Format.APACHE, "%m %U%q %H %h %!200,304{User-agent}i %400,501s"),
        "GET /a?b=c HTTP/1.1 192.0.2.7 - 404",
        Hit("192.0.2.7", None, None, "GET", "/a", None, "404", "-"),
    ),
    (
        Reading(Format.APACHE, "[%{%Y-%m-%dT%H:%M:%S%z}t] %h %s"),
        "[2026-11-26T08:00:00+0100] 192.0.2.7 200",
        Hit("192.0.2.7", "2026-11-26T08:00:00+0100", status="200"),
    ),
    (
        Reading(Format.APACHE, "%{Host}i %a %r 100%% %s"),
        "example.com 192.0.2.7 GET /a HTTP/1.1 100% 200",
        Hit("192.0.2.7", None, "GET /a HTTP/1.1", None, None, "example.com", "200"),
    ),
]


@pytest.mark.parametrize(("reading", "line", "hit"), LINES, ids=lambda value: getattr(value, "form", ""))
def test_a_line_tells_of_its_request(reading: Reading, line: str, hit: Hit) -> None:
    dialect = dialect_of(reading)
    assert dialect.read(line.encode()) == hit
    told = {"method", "target"} if hit.request else set()
    told |= {name for name in dialect.tells if getattr(hit, name) not in (None, ())}
    assert told <= dialect.tells


@pytest.mark.parametrize(
    ("reading", "line", "hit"),
    [one for one in LINES if not one[0].template and one[0].form is not Format.NGINX],
    ids=lambda value: getattr(value, "form", ""),
)
def test_a_log_is_recognised_by_its_lines(reading: Reading, line: str, hit: Hit) -> None:
    assert recognise([*reading.head, line.encode(), line.encode()]) is reading.form


def test_a_log_is_recognised_though_it_begins_with_many_other_messages() -> None:
    other = CADDY.replace("http.log.access.log0", "http.handlers.reverse_proxy").encode()
    assert recognise([other] * 50 + [CADDY.encode()]) is Format.CADDY
    assert recognise([b'{"level":"info","msg":"Starting"}'] * 50 + [TRAEFIK.encode()]) is Format.TRAEFIK
    with pytest.raises(InputError, match="no format"):
        recognise([b'{"level":"info","msg":"Starting"}'] * 50)


def test_combined_lines_of_ipv6_are_not_taken_for_lines_with_a_virtual_host() -> None:
    line = f'2001:db8::7 - John Doe [{TIME}] "GET /a HTTP/1.1" 200 5 "-" "{UA}"'.encode()
    assert recognise([line] * 3) is Format.COMBINED


def test_of_two_names_nobody_knows_which_is_the_site() -> None:
    rest = f'- - [{TIME}] "GET /a HTTP/1.1" 200 5 "-" "{UA}"'
    with pytest.raises(InputError, match="no format"):
        recognise([f"example.com client.example.net {rest}".encode()])
    for first in ("192.0.2.7 example.com", "client.example.net -", "client.example.net ident"):
        assert recognise([f"{first} {rest}".encode()]) is Format.COMBINED


def test_a_request_that_named_no_site_is_read_in_a_log_with_the_site_first() -> None:
    line = f' 192.0.2.7 - - [{TIME}] "GET / HTTP/1.0" 200 5 "-" "-"'.encode()
    hit = dialect_of(Reading(Format.VHOST_COMBINED)).read(line)
    assert isinstance(hit, Hit)
    assert (hit.host, hit.address) == ("", "192.0.2.7")
    with pytest.raises(InputError, match="no format"):
        recognise([line])


@pytest.mark.parametrize("client", ["2001:db8::7:2817", "[2001:db8::7]:2817", "2001:db8::7:-"])
def test_an_alb_s_client_has_a_port_behind_whatever_address(client: str) -> None:
    hit = dialect_of(Reading(Format.ALB)).read(ALB.format(client=client, agent="-").encode())
    assert isinstance(hit, Hit)
    assert (hit.address, hit.agent) == ("2001:db8::7", "-")


# --- fields by name ---


@pytest.mark.parametrize(
    ("reading", "line", "fields", "values"),
    [
        (Reading(Format.CADDY), CADDY, ("request.host", "request.headers.X-Tenant"), ("example.com:8443", "acme")),
        (Reading(Format.CADDY), CADDY, ("status", "request.tls.resumed", "request.none"), ("200", "false", "")),
        (Reading(Format.TRAEFIK), TRAEFIK, ("RouterName", "request_User-Agent"), ("web@docker", UA)),
        (Reading(Format.ALB), ALB.format(client="192.0.2.7:1", agent="x"), ("domain_name", "conn_trace_id"),
         ("www.example.com", "TID_1234abcd5678ef90")),
        (Reading(Format.CLOUDFRONT, head=CLOUDFRONT), CLOUDFRONT_LINE, ("x-edge-location", "cs(User-Agent)"),
         ("FRA56-P1", "Mozilla/5.0 (X11; Linux x86_64)")),
        (Reading(Format.CLOUDFRONT, head=[CLOUDFRONT_JSON.encode()]), CLOUDFRONT_JSON,
         ("x-edge-location", "cs(User-Agent)", "c-country"), ("SFO53-P7", UA, "")),
        (Reading(Format.NGINX, NGINX_JSON), LINES[17][1], ("$host", "status"), ("example.com", "200")),
        (Reading(Format.APACHE, APACHE), LINES[20][1], ("%{x-tenant}i", "D", "%>s"), ("acme", "123", "200")),
    ],
    ids=lambda value: getattr(value, "form", ""),
)  # fmt: skip
def test_a_field_is_found_by_its_name(
    reading: Reading, line: str, fields: Sequence[str], values: Sequence[str]
) -> None:
    hit = dialect_of(reading, fields).read(line.encode())
    assert isinstance(hit, Hit)
    assert hit.fields == values


def test_an_alb_s_newer_fields_have_names_and_older_lines_lack_them() -> None:
    line = ALB.format(client="192.0.2.7:1", agent="x")
    read = dialect_of(Reading(Format.ALB), ["transformed_uri", "request_transform_status", "ip_address"]).read
    newer = read(f'{line} "-" "https://b.example/x" "TransformSuccess" 10.0.0.9'.encode())
    assert isinstance(newer, Hit)
    assert newer.fields == ("https://b.example/x", "TransformSuccess", "10.0.0.9")
    older = read(line.encode())
    assert isinstance(older, Hit)
    assert older.fields == ("", "", "")


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (Reading(Format.ALB), "domain_name"),
        (Reading(Format.CLOUDFRONT, head=CLOUDFRONT), "x-edge-location"),
        (Reading(Format.NGINX, NGINX), "http_user_agent"),
        (Reading(Format.APACHE, APACHE), "x-tenant"),
    ],
    ids=lambda value: getattr(value, "form", ""),
)
def test_a_field_that_the_format_lacks_is_refused_with_those_that_it_has(reading: Reading, why: str) -> None:
    with pytest.raises(ConfigError, match=f"no field 'nothing'.*{why}"):
        dialect_of(reading, ["nothing"])


# --- what is no request ---


@pytest.mark.parametrize(
    ("reading", "line"),
    [
        (Reading(Format.CADDY), '{"level":"info","ts":1795676400.5,"msg":"serving initial configuration"}'),
        (Reading(Format.CADDY), CADDY.replace("http.log.access.log0", "http.log.error")),
        (Reading(Format.CADDY), CADDY.replace("http.log.access.log0", "http.handlers.reverse_proxy")),
        (Reading(Format.TRAEFIK), '{"level":"info","msg":"Starting provider","time":"2026-11-26T08:00:00Z"}'),
        (Reading(Format.HAPROXY), "Server static/srv1 is DOWN, reason: Layer4 timeout"),
        (Reading(Format.CLOUDFRONT, head=CLOUDFRONT), "#Version: 1.0"),
        (Reading(Format.CLOUDFRONT, head=CLOUDFRONT), CLOUDFRONT[1].decode()),
    ],
)
def test_comments_and_other_messages_are_passed_over(reading: Reading, line: str) -> None:
    assert dialect_of(reading).read(line.encode()) is Skip.NOTHING


@pytest.mark.parametrize(
    ("reading", "line", "why"),
    [
        (Reading(Format.VHOST_COMBINED), f'192.0.2.7 - - [{TIME}] "GET / HTTP/1.1" 200 5 "-" "x"', "vhost_combined"),
        (Reading(Format.CADDY), '{"visitor":"a"}', "Caddy"),
        (Reading(Format.CADDY), "[]", "Caddy"),
        (Reading(Format.CADDY), '{"level":"info","request":{"method":"GET"}}', "Caddy"),
        (Reading(Format.TRAEFIK), "{", "Traefik"),
        (Reading(Format.TRAEFIK), '{"visitor":"a"}', "Traefik"),
        (Reading(Format.TRAEFIK), LINES[1][1], "Traefik"),
        (Reading(Format.ALB), "http 2026-11-26T07:00:00Z app/lb", "ALB"),
        (Reading(Format.CLOUDFRONT, head=CLOUDFRONT), "a\tb", "has 2 of the 33 columns that #Fields names"),
        (Reading(Format.CLOUDFRONT, head=CLOUDFRONT), CLOUDFRONT_LINE.replace("\t200\t", "\tGET\t"), "'GET'"),
        (Reading(Format.CLOUDFRONT, head=CLOUDFRONT), "#Fields: c-ip date", "a file of its own"),
        (Reading(Format.CLOUDFRONT, head=[b"{}"]), '{"visitor":"a"}', "CloudFront"),
        (Reading(Format.CLOUDFRONT, head=[b"{}"]), "#Fields: c-ip", "CloudFront"),
        (Reading(Format.NGINX, NGINX), LINES[0][1], "format that was given"),
        (Reading(Format.APACHE, "%h %s"), "192.0.2.7 GET", "format that was given"),
    ],
    ids=lambda value: getattr(value, "form", ""),
)  # fmt: skip
def test_a_line_of_another_format_has_a_reason(reading: Reading, line: str, why: str) -> None:
    said = dialect_of(reading).read(line.encode())
    assert isinstance(said, str)
    assert why in said


def test_columns_come_as_the_log_s_own_header_has_them() -> None:
    spaced = dialect_of(Reading(Format.CLOUDFRONT, head=[b"#Fields: date time c-ip sc-status cs(User-Agent)"]))
    assert spaced.read(b"2026-11-26 07:00:00 192.0.2.7 200 Moz+(X)") == Hit(
        "192.0.2.7", "2026-11-26T07:00:00", status="200", agent="Moz (X)"
    )
    timed = dialect_of(Reading(Format.CLOUDFRONT, head=[b"#Fields: timestamp(ms) c-ip"]))
    assert timed.tells == {"time", "address", "fields"}
    assert timed.read(b"1795676400123\t192.0.2.7") == Hit("192.0.2.7", "1795676400123")
    head = [b"#Fields: sc-status c-ip cs-uri-stem"]
    dialect = dialect_of(Reading(Format.CLOUDFRONT, head=head))
    assert dialect.tells == {"status", "address", "target", "fields"}
    assert dialect.read(b"404\t192.0.2.7\t/a") == Hit("192.0.2.7", target="/a", status="404")
    with pytest.raises(InputError, match="no #Fields"):
        dialect_of(Reading(Format.CLOUDFRONT, head=[b"404\t192.0.2.7\t/a"]))


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("", "one line"),
        ("$remote_addr\n$status", "one line"),
        ("$a" * 3_000, "one line"),
        ("no variables", "no variables"),
        ("$remote_addr$remote_user", "nothing stands between remote_addr and remote_user"),
    ],
)
def test_a_format_that_cannot_be_read_back_is_refused(template: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        nginx(template, ())


# --- the parts ---


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain", "plain"),
        (r"a\x22b\x22", 'a"b"'),
        (r"\"q\" \\ \t", '"q" \\ \t'),
        (r"caf\xC3\xA9", "café"),
        (r"caf\u00e9", "café"),
        (r"\ud800", "?"),
        ("\\", "\\"),
        (r"\q\x2", "qx2"),
    ],
)
def test_escapes_are_undone(text: str, plain: str) -> None:
    assert unescape(text) == plain


@pytest.mark.parametrize(
    ("request_line", "parts"),
    [
        ("GET /a HTTP/1.1", ("GET", "/a")),
        ("GET /a b HTTP/1.1", ("GET", "/a b")),
        ("GET /a", ("GET", "/a")),
        ("-", ("-", "")),
        ("", ("", "")),
        ("- http://www.example.com:80- -", ("-", "http://www.example.com:80- -")),
    ],
)
def test_the_first_line_of_a_request_has_a_method_and_a_target(request_line: str, parts: tuple[str, str]) -> None:
    assert split_request(request_line) == parts


@pytest.mark.parametrize(
    "text",
    [
        TIME,
        f"[{TIME}]",
        "2026-11-26T08:00:00+01:00",
        "2026-11-26T08:00:00+0100",
        "2026-11-26T07:00:00",
        "2026-11-26T07:00:00Z",
        "1795676400",
        "1795676400000",
        "1795676400000000",
        "1795676400000000000",
        1795676400.0,
        "2026/11/26 07:00:00",
        "2026/11/26 07:00:00.000000000",
    ],
)
def test_times_are_read_as_servers_write_them(text: str | float) -> None:
    assert parse_time(text) == 1795676400


@pytest.mark.parametrize(
    "text", ["", "-", "yesterday", "nan", "inf", "-1", "0.123", "1e300", "99/Foo/2026:08:00:00 +0100"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_time(text) is None


# --- laws ---

READINGS = [
    Reading(Format.COMMON),
    Reading(Format.COMBINED),
    Reading(Format.VHOST_COMBINED),
    Reading(Format.TRAEFIK),
    Reading(Format.CADDY),
    Reading(Format.HAPROXY),
    Reading(Format.ALB),
    Reading(Format.CLOUDFRONT, head=CLOUDFRONT),
    Reading(Format.CLOUDFRONT, head=[b"{}"]),
    Reading(Format.NGINX, NGINX),
    Reading(Format.NGINX, NGINX_JSON),
    Reading(Format.APACHE, APACHE),
]


@given(st.sampled_from(READINGS), st.binary() | st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_whatever_the_bytes_a_line_is_a_request_or_has_a_reason(reading: Reading, line: bytes) -> None:
    said = dialect_of(reading).read(line)
    assert isinstance(said, Hit | Skip) or said


@given(st.sampled_from(LINES), st.integers(0, 400), st.binary(max_size=8))
def test_damaged_lines_never_raise(one: tuple[Reading, str, Hit], at: int, damage: bytes) -> None:
    line = one[1].encode()
    said = dialect_of(one[0]).read(line[:at] + damage + line[at + len(damage) :])
    assert isinstance(said, Hit | Skip) or said


@given(st.text() | st.floats() | st.binary().map(lambda data: data.decode(errors="surrogateescape")))
def test_whatever_the_text_it_is_unescaped_and_a_time_or_none(text: str | float) -> None:
    parse_time(text)
    unescape(str(text))


def test_hostile_lines_take_linear_time() -> None:
    pieces = (b'a - [] "', b'\\"', b"[" * 7, b'" "', b": ", b", ", b"\t", b'{"a":', b"1 ", b'- - [x] "')
    for reading in READINGS:
        read = dialect_of(reading).read
        for piece in pieces:
            read(piece * (300_000 // len(piece)))
            read(b"203.0.113.7 - " + piece * (300_000 // len(piece)))


@given(st.sampled_from(['"', " ", "|", "\t"]), st.text("abc/:.,-% ", min_size=0, max_size=12))
def test_a_value_between_its_delimiters_comes_back_as_it_was(delimiter: str, value: str) -> None:
    if delimiter in value:
        return
    template = f"$request_time{delimiter}$http_x{delimiter}$status"
    hit = dialect_of(Reading(Format.NGINX, template), ["http_x"]).read(f"0.1{delimiter}{value}{delimiter}200".encode())
    assert isinstance(hit, Hit)
    assert (hit.fields, hit.status) == ((value,), "200")
