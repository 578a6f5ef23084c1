"""The page of a list in the query, `?token=...&pageSize=...`: so the JSON SDKs page by themselves.

The next page is to them the same request with the token of the page before in the URL. Connect knows no query of a
POST; if it were ignored, they would get the first page for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping


def with_query(body: bytes, query: Mapping[str, str]) -> bytes:
    """A list's request in JSON with the page that the query asks for in its `pagination`.

    What cannot be read is given back as it is: whoever reads it next says what is wrong with it.
    """
    asked = {name: query[name] for name in ("token", "pageSize") if name in query}
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return body
    if not asked or not isinstance(request, dict) or not isinstance(request.get("pagination") or {}, dict):
        return body
    pagination = dict(request.get("pagination") or {})
    if "pageSize" in asked:
        pagination.pop("page_size", None)
    return json.dumps({**request, "pagination": pagination | asked}).encode()
