"""What programs that work inside an environment share, for gitpod-sdk 1.2.0 and ona-sdk 0.1.1 alike.

A program of `programs/` that imports it begins with

    sys.path.insert(0, str(Path(__file__).parent))
    from ops_parts import Ops, environment, refusal, said, show

and ends with `show(SCENARIOS)`. Both SDKs are unchanged. `Ops` reaches the methods that they never call, with their own
transport. Every message that it gets is checked with the rules in the SDK's own descriptors.
"""

from __future__ import annotations

import http.client
import json
import os
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from ona_sdk import create_client_from_env
from ona_sdk.environments import Environment
from ona_sdk.errors import ConnectError, SDKError
from ona_sdk.transport import ConnectTransport
from supervisor.v1 import environmentopts_pb2 as pb

SERVICE = "supervisor.v1.EnvironmentOpsService"
METHODS = pb.DESCRIPTOR.services_by_name["EnvironmentOpsService"].methods_by_name
Result = dict[str, Any]


class BrokenRule(Exception):
    """An answer breaks a rule of its message; the text has the field and the rule."""


def environment(environment_id: str) -> Environment:
    """The SDK's environment, as `environments().get(id)` gives it."""
    return create_client_from_env().environments().get(environment_id)


class Ops:
    """All methods of the environment's own service, with the SDK's transport, base and token."""

    def __init__(self, of: Environment, timeout_s: float | None = 30.0) -> None:
        self._transport: ConnectTransport = of._ops_client(None)
        self._timeout_s = timeout_s

    def call(self, method: str, **fields: Any) -> Any:
        """Call a method; fields as protobuf's JSON has them, by either spelling, or as messages take them."""
        kind = METHODS[method]
        answer = self._transport.unary(
            SERVICE, method, _request(method, fields), _class(kind.output_type), timeout=self._timeout_s
        )
        check(answer)
        return answer

    def stream(self, method: str, **fields: Any) -> Iterator[Any]:
        """The messages of a stream. The request goes out when the first is asked for."""
        kind, request = METHODS[method], _request(method, fields)
        if hasattr(self._transport, "server_stream"):
            messages = self._transport.server_stream(
                SERVICE, method, request, _class(kind.output_type), timeout=self._timeout_s
            )
        else:
            messages = self._streamed(method, request, _class(kind.output_type))
        for message in messages:
            check(message)
            yield message

    def _streamed(self, method: str, request: Message, kind: type[Message]) -> Iterator[Any]:
        """For gitpod-sdk, whose transport has no streams."""
        base = urlsplit(self._transport.base_url)
        connection = http.client.HTTPConnection(str(base.hostname), base.port, timeout=self._timeout_s)
        data = request.SerializeToString()
        headers = {
            "Content-Type": "application/connect+proto",
            "Authorization": f"Bearer {self._transport.token}",
        }
        try:
            body = struct.pack(">BI", 0, len(data)) + data
            connection.request("POST", f"{base.path}/{SERVICE}/{method}", body, headers)
            response = connection.getresponse()
            if response.status != 200:
                refused = json.loads(response.read())
                raise ConnectError(refused["code"], refused["message"])
            while header := response.read(5):
                flags, size = struct.unpack(">BI", header)
                content = response.read(size)
                if len(content) != size:
                    raise ConnectError("unavailable", "Connect stream ended with a partial envelope")
                if flags & 2:
                    end = json.loads(content).get("error")
                    if end:
                        raise ConnectError(end["code"], end.get("message", ""))
                    return
                yield kind.FromString(content)
        finally:
            connection.close()


def refusal(call: Callable[[], Any]) -> Result | None:
    """How a call was refused, as the SDK says it; None if it was not.

    `kind` is the class of the error; `code` is Connect's, or empty where the SDK does not tell it.
    """
    try:
        found = call()
        if isinstance(found, Iterator):
            list(found)
    except (SDKError, ConnectError) as error:
        code = getattr(error, "code", "") or getattr(error.__cause__, "code", "")
        code = getattr(code, "value", code) if not isinstance(code, int) else ""  # of HTTP
        return {"kind": type(error).__name__, "code": code, "message": str(error)}
    return None


def said(message: Message) -> Result:
    """A message as protobuf's JSON, with bytes in base64."""
    found: Result = MessageToDict(message)
    return found


def show(scenarios: Mapping[str, Callable[[str, Result], Result]]) -> None:
    """Carry out the scenario of the command line and print what it found; ends the program."""
    arguments = json.loads(sys.argv[2])
    print(json.dumps(scenarios[sys.argv[1]](arguments["environmentId"], arguments)), flush=True)
    os._exit(0)  # a thread that waits for a stream would be waited for


# Rules ----------------------------------------------------------------------------------------------------------------


def check(message: Message) -> None:
    """Hold a message to the rules of its descriptor, and those of the messages in it. Raises BrokenRule."""
    for field, value in message.ListFields():
        entry = (
            field.message_type if field.message_type and field.message_type.GetOptions().map_entry else None
        )
        if entry is None and field.message_type is not None:
            for each in value if _is_list(field) else [value]:
                check(each)
    for field in message.DESCRIPTOR.fields:
        options = field.GetOptions()
        if options.HasExtension(validate_pb2.field):
            _check_field(message, field, options.Extensions[validate_pb2.field])


def _check_field(message: Message, field: FieldDescriptor, rules: Any) -> None:
    name, value = field.full_name, getattr(message, field.name)
    is_set = message.HasField(field.name) if field.has_presence else bool(value)
    if rules.required and not is_set:
        raise BrokenRule(f"{name} must be set")
    if not is_set and (field.has_presence or rules.ignore):
        return
    kind = rules.WhichOneof("type")
    if kind is not None:
        _check_value(name, field, value, getattr(rules, kind))


def _check_value(name: str, field: FieldDescriptor, value: Any, rules: Any) -> None:
    for rule, bound in rules.ListFields():
        if rule.name not in _HOLDS:
            raise BrokenRule(f"{name}: nobody knows how to check {rule.name}")
        if not _HOLDS[rule.name](value, bound, field):
            raise BrokenRule(f"{name} = {str(value)[:300]!r} breaks {rule.name}: {bound}")


def _items(values: Any, rules: Any, field: FieldDescriptor) -> bool:
    kind = rules.WhichOneof("type")
    for value in values:
        _check_value(field.full_name, field, value, getattr(rules, kind))
    return True


def _is_uuid(value: str, bound: bool, _field: FieldDescriptor) -> bool:
    parts = value.split("-")
    return not bound or ([len(part) for part in parts] == [8, 4, 4, 4, 12] and bool(int("".join(parts), 16)))


_HOLDS: dict[str, Callable[[Any, Any, FieldDescriptor], bool]] = {
    "max_len": lambda value, bound, _: len(value) <= bound,
    "min_len": lambda value, bound, _: len(value) >= bound,
    "max_items": lambda value, bound, _: len(value) <= bound,
    "min_items": lambda value, bound, _: len(value) >= bound,
    "gte": lambda value, bound, _: value >= bound,
    "lte": lambda value, bound, _: value <= bound,
    "gt": lambda value, bound, _: value > bound,
    "lt": lambda value, bound, _: value < bound,
    "defined_only": lambda value, bound, field: not bound or value in field.enum_type.values_by_number,
    "uuid": _is_uuid,
    "items": _items,
}


# Parts ----------------------------------------------------------------------------------------------------------------


def _is_list(field: FieldDescriptor) -> bool:
    return bool(field.label == FieldDescriptor.LABEL_REPEATED)


def _class(kind: Descriptor) -> type[Message]:
    found: type[Message] = getattr(pb, kind.name)
    return found


def _request(method: str, fields: Result) -> Message:
    kind = _class(METHODS[method].input_type)
    plain = {name: value for name, value in fields.items() if not isinstance(value, bytes)}
    request = ParseDict(plain, kind())
    for name in fields.keys() - plain.keys():
        setattr(request, name, fields[name])
    return request
