"""The page of a list in the query, `?token=...&pageSize=...`: so the JSON SDKs page by themselves.

The next page is to them the same request with the token of the page before in the URL. Connect knows no query of a
POST; if it were ignored, they would get the first page for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from connectrpc.code import Code
from connectrpc.errors import ConnectError

from supervisor.api.connect.request_errors import InvalidArgument
from supervisor.api.connect.strict_json import loaded


def with_query(body: bytes, query: Mapping[str, str], encoding: str = "") -> bytes:
    """A list's request in JSON with the page that the query asks for in its `pagination`.

    What cannot be read is given back as it is: whoever reads it next says what is wrong with it. `encoding`: how the
    body is compressed, which no client does that pages like this; without the page it would get the first one for ever.
    Raises ConnectError.
    """
    asked = {name: query[name] for name in ("token", "pageSize") if name in query}
    if not asked:
        return body
    if encoding not in ("", "identity"):
        why = "cannot read the page in the URL beside a compressed body: say it in the body's pagination"
        raise ConnectError(Code.INVALID_ARGUMENT, why)
    try:
        request = loaded(body or b"{}")
    except InvalidArgument:
        return body
    if not isinstance(request, dict) or not isinstance(request.get("pagination") or {}, dict):
        return body
    pagination = dict(request.get("pagination") or {})
    if "pageSize" in asked:
        pagination.pop("page_size", None)
    try:
        return json.dumps({**request, "pagination": pagination | asked}).encode()
    except RecursionError:  # it was just not too deep to be read
        return body
