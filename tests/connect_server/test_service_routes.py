"""Connect over HTTP: what is answered, and how each bad request is refused."""

from __future__ import annotations

import asyncio
import gzip
import io
import itertools
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from connect_server.calls import Call, Surroundings
from connect_server.connect_errors import Code, ConnectError
from connect_server.service_routes import ConnectService, Mount
from connect_server.validation import Validator
from platform_wire import OTHERS, SERVICES
from platform_wire import environment_automation_pb2 as automation_pb
from platform_wire.environment_automation_handler import EnvironmentAutomationServiceHandler
from tests.connect_server.serving import (
    ENVIRONMENT,
    GET_SERVICE,
    ID,
    JSON,
    PROGRAM,
    WATCH,
    Missing,
    error,
    eventually,
    serving,
)

pytestmark = pytest.mark.anyio
BODY = json.dumps({"id": ID}).encode()
SERVICE = {"service": {"id": ID, "environmentId": ENVIRONMENT}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_a_call_in_json(tmp_path: Path, prefix: str) -> None:
    async with serving(tmp_path) as served:
        for content_type in ("application/json", "Application/JSON; charset=utf-8"):
            response = await served.http.post(
                prefix + GET_SERVICE, data=BODY, headers={"Content-Type": content_type}
            )
            assert (response.status, response.content_type) == (200, "application/json")
            assert json.loads(await response.read()) == SERVICE


async def test_a_call_in_protobuf(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        body = automation_pb.GetServiceRequest(id=ID).SerializeToString()
        headers = {"Content-Type": "application/proto", "Connect-Protocol-Version": "1"}
        response = await served.http.post(GET_SERVICE, data=body, headers=headers)
        assert (response.status, response.content_type) == (200, "application/proto")
        answer = automation_pb.GetServiceResponse.FromString(await response.read())
        assert answer.service.id == ID


async def test_a_compressed_body_is_read(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        headers = {**JSON, "Content-Encoding": "gzip"}
        response = await served.http.post(GET_SERVICE, data=gzip.compress(BODY), headers=headers)
        assert json.loads(await response.read()) == SERVICE


async def test_a_long_answer_is_compressed_for_those_who_take_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.toy.name = "x" * 2000
        for offer, encoding in (("deflate, gzip;q=0.8", "gzip"), ("gzip;q=0", None), ("br", None)):
            headers = {**JSON, "Accept-Encoding": offer}
            response = await served.http.post(GET_SERVICE, data=BODY, headers=headers)
            assert response.headers.get("Content-Encoding") == encoding
            body = await response.read()
            answer = json.loads(gzip.decompress(body) if encoding else body)
            assert answer["service"]["metadata"]["name"] == "x" * 2000


async def test_a_long_error_is_compressed_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.toy.fails_with = Missing("x" * 2000)
        headers = {**JSON, "Accept-Encoding": "gzip"}
        response = await served.http.post(GET_SERVICE, data=BODY, headers=headers)
        assert (response.status, response.headers["Content-Encoding"]) == (404, "gzip")
        assert json.loads(gzip.decompress(await response.read()))["message"] == "x" * 2000


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"ide": "x"}', "ide"),
        (b'{"id": 3}', "id must be"),
        (b'{"id": "no uuid"}', "id must be a UUID"),
        (b'{"id": "x"', "not JSON"),
        (b"", "not JSON"),
        (b"[]", "object"),
        (b"null", "object"),
        (b"\xff\xfe", "UTF-8"),
        (b"[" * 100_000, "nested"),
        (b'{"id":' * 50_000, "nested"),
        (b"1" * 100_000, "too long"),
    ],
)
async def test_a_body_that_is_no_request(tmp_path: Path, body: bytes, said: str) -> None:
    async with serving(tmp_path) as served:
        status, code, message = await error(await served.http.post(GET_SERVICE, data=body, headers=JSON))
        assert (status, code) == (400, "invalid_argument")
        assert said in message


@pytest.mark.parametrize("body", [b"\x0a\x24truncated", b"\xff\xff\xff", BODY])
async def test_a_body_that_is_no_protobuf(tmp_path: Path, body: bytes) -> None:
    async with serving(tmp_path) as served:
        headers = {"Content-Type": "application/proto"}
        status, code, message = await error(await served.http.post(GET_SERVICE, data=body, headers=headers))
        assert (status, code) == (400, "invalid_argument")
        assert "gitpod.v1.GetServiceRequest" in message


@pytest.mark.parametrize("body", [b"no gzip at all", gzip.compress(BODY)[:-9], gzip.compress(BODY) + b"more"])
async def test_a_body_that_is_no_gzip(tmp_path: Path, body: bytes) -> None:
    async with serving(tmp_path) as served:
        headers = {**JSON, "Content-Encoding": "gzip"}
        status, code, _ = await error(await served.http.post(GET_SERVICE, data=body, headers=headers))
        assert (status, code) == (400, "invalid_argument")


async def test_an_unknown_compression(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        headers = {**JSON, "Content-Encoding": "lzma"}
        status, code, message = await error(await served.http.post(GET_SERVICE, data=BODY, headers=headers))
        assert (status, code) == (501, "unimplemented")
        assert "lzma" in message
        assert "gzip" in message


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large(tmp_path: Path, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b"x" * 65536

    async with serving(tmp_path) as served:
        body = pieces() if chunked else io.BytesIO(b"x" * (80 * 65536))
        status, code, message = await error(await served.http.post(GET_SERVICE, data=body, headers=JSON))
        assert (status, code) == (429, "resource_exhausted")
        assert "4194304" in message
        # The server is well, and so is the client's next request.
        assert (await served.http.post(GET_SERVICE, data=BODY, headers=JSON)).status == 200


async def test_a_small_body_that_unpacks_into_a_large_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        headers = {**JSON, "Content-Encoding": "gzip"}
        bomb = gzip.compress(b" " * 50_000_000)
        status, code, _ = await error(await served.http.post(GET_SERVICE, data=bomb, headers=headers))
        assert (status, code) == (429, "resource_exhausted")


async def test_methods_of_http_other_than_post(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for verb in ("GET", "PUT", "DELETE", "PATCH"):
            response = await served.http.request(verb, GET_SERVICE)
            assert response.headers["Allow"] == "POST"
            status, code, message = await error(response)
            assert (status, code) == (405, "invalid_argument")
            assert "POST" in message


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/grpc",
        "application/grpc-web+proto",
        "application/connect+json",
        "application/xml",
        "\u00e9",
    ],
)
async def test_content_types_that_a_call_does_not_have(tmp_path: Path, content_type: str) -> None:
    async with serving(tmp_path) as served:
        headers = {"Content-Type": content_type}
        status, code, message = await error(await served.http.post(GET_SERVICE, data=BODY, headers=headers))
        assert (status, code) == (415, "invalid_argument")
        assert "application/json" in message


async def test_a_stream_asked_for_as_a_call(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        status, code, message = await error(await served.http.post(WATCH, data=b"{}", headers=JSON))
        assert (status, code) == (415, "invalid_argument")
        assert "application/jsonl" in message


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_a_method_that_is_not_served_is_unimplemented(tmp_path: Path, prefix: str) -> None:
    async with serving(tmp_path) as served:
        for service, method in itertools.product((*SERVICES, *OTHERS), ("Nonsense", "Exec", "%7Bx%7D%20")):
            path = f"{prefix}/{service}/{method}"
            status, code, message = await error(await served.http.post(path, data=b"{}", headers=JSON))
            assert (status, code) == (501, "unimplemented")
            assert f"{service}/{unquote(method)} is not served" in message


async def test_a_method_that_the_service_leaves_out(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        path = GET_SERVICE.replace("GetService", "ListTasks")
        status, code, _ = await error(await served.http.post(path, data=b"{}", headers=JSON))
        assert (status, code) == (501, "unimplemented")


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/api", "/api/", "/gitpod.v1.NoSuchService/Get", "/gitpod.v1xUserService/Get"),
        *(GET_SERVICE + "/x", "/api/api" + GET_SERVICE),
    ],
)
async def test_other_paths_are_not_found(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as served:
        status, code, message = await error(await served.http.post(path, data=b"{}", headers=JSON))
        assert (status, code) == (404, "not_found")
        assert path in message


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (Missing("cannot find it"), 404, "not_found"),
        (FileExistsError("cannot find it"), 409, "already_exists"),
        (ConnectError(Code.ABORTED, "cannot find it"), 409, "aborted"),
        (ConnectError(Code.PERMISSION_DENIED, "cannot find it"), 403, "permission_denied"),
        (ConnectError(Code.UNAVAILABLE, "cannot find it"), 503, "unavailable"),
    ],
)
async def test_what_a_handler_refuses(tmp_path: Path, raised: Exception, status: int, code: str) -> None:
    async with serving(tmp_path) as served:
        served.toy.fails_with = raised
        response = await served.http.post(GET_SERVICE, data=BODY, headers=JSON)
        assert await error(response) == (status, code, "cannot find it")


async def test_a_bug_is_told_by_an_id_that_the_log_explains(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as served:
        served.toy.fails_with = KeyError("a secret")
        with caplog.at_level(logging.ERROR):
            response = await served.http.post(GET_SERVICE, data=BODY, headers=JSON)
        status, code, message = await error(response)
        assert (status, code) == (500, "internal")
        assert "secret" not in message
        assert message.rsplit(" ", 1)[1] in caplog.text
        assert "a secret" in caplog.text


async def test_a_deadline_of_the_client(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.toy.answer = asyncio.Event().wait
        headers = {**JSON, "Connect-Timeout-Ms": "50"}
        status, code, _ = await error(await served.http.post(GET_SERVICE, data=BODY, headers=headers))
        assert (status, code) == (504, "deadline_exceeded")
        headers = {**JSON, "Connect-Timeout-Ms": "-1"}
        status, code, _ = await error(await served.http.post(GET_SERVICE, data=BODY, headers=headers))
        assert (status, code) == (400, "invalid_argument")


async def test_headers_that_are_no_utf8(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        head = served.head(GET_SERVICE, Content_Type="application/json", Content_Length=str(len(BODY)))
        reader, writer = await served.connect(
            head[:-2] + b"X-Odd: \xff\xfe\r\nConnection: close\r\n\r\n" + BODY
        )
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_a_body_that_never_ends_is_given_up(tmp_path: Path) -> None:
    async with serving(tmp_path, body_still_s=0.05) as served:
        head = served.head(GET_SERVICE, Content_Type="application/json", Content_Length="1000")
        reader, writer = await served.connect(head + b'{"id"')
        answer = await reader.readuntil(b"}")
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert b"deadline_exceeded" in answer
        writer.close()


async def test_a_chunked_body_that_is_garbage(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        head = served.head(GET_SERVICE, Content_Type="application/json", Transfer_Encoding="chunked")
        reader, writer = await served.connect(head + b"zzz\r\nno chunk\r\n")
        answer = await reader.readuntil(b"}")
        assert answer.startswith(b"HTTP/1.1 400 ") or answer.startswith(b"HTTP/1.0 400 ")
        assert b'"invalid_argument"' in answer
        writer.close()


async def test_a_client_that_leaves_in_the_middle_of_its_body(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        head = served.head(GET_SERVICE, Content_Type="application/json", Content_Length="1000")
        _, writer = await served.connect(head + b'{"id"')
        writer.close()
        await writer.wait_closed()
        assert (await served.http.post(GET_SERVICE, data=BODY, headers=JSON)).status == 200
        assert len(served.toy.callers) == 1


async def test_a_client_that_leaves_before_its_answer_ends_the_call(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(tmp_path) as served:
        served.toy.answer = wait
        head = served.head(GET_SERVICE, Content_Type="application/json", Content_Length=str(len(BODY)))
        _, writer = await served.connect(head + BODY)
        await served.toy.called.wait()
        writer.close()
        await eventually(ended.is_set)


def test_two_handlers_may_share_a_service() -> None:
    class Gets(EnvironmentAutomationServiceHandler):
        async def get_service(
            self, _request: automation_pb.GetServiceRequest, _call: Call
        ) -> automation_pb.GetServiceResponse:
            return automation_pb.GetServiceResponse()

    class Lists(EnvironmentAutomationServiceHandler):
        async def list_services(
            self, _request: automation_pb.ListServicesRequest, _call: Call
        ) -> automation_pb.ListServicesResponse:
            return automation_pb.ListServicesResponse()

    gets, lists = Gets(), Lists()
    mount = Mount(Surroundings(PROGRAM, Validator({}), asyncio.Event()))
    service = ConnectService("s", [gets, lists], mount)

    def served(name: str) -> object:
        method = service._method(name)
        return method and method.function

    names = ("GetService", "ListServices", "GetTask", "None")
    assert [served(name) for name in names] == [gets.get_service, lists.list_services, None, None]


async def test_a_body_that_is_too_large_is_read_to_its_end_so_that_its_client_sees_why(
    tmp_path: Path,
) -> None:
    size = 9 * 1024 * 1024
    async with serving(tmp_path) as served:
        head = served.head(GET_SERVICE, Content_Type="application/json", Content_Length=str(size))
        reader, writer = await served.connect(head)
        for _ in range(9):  # as a client that sends everything before it reads
            writer.write(bytes(1024 * 1024))
            await writer.drain()
        answer = await reader.readuntil(b"}")
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"resource_exhausted" in answer
        writer.close()


async def test_a_body_may_take_long_if_it_does_not_stand_still(tmp_path: Path) -> None:
    async with serving(tmp_path, body_still_s=1.0) as served:
        head = served.head(GET_SERVICE, Content_Type="application/json", Content_Length=str(len(BODY)))
        reader, writer = await served.connect(head)
        for start in range(len(BODY)):
            writer.write(BODY[start : start + 1])
            await writer.drain()
            await asyncio.sleep(1.2 / len(BODY))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
