"""Which proxy an environment names. What the doctor and activity make of it is in their own tests."""

import pytest

from supervisor.settings.proxies import proxies_of, proxy_for


@pytest.mark.parametrize(
    ("environ", "scheme", "address", "proxy"),
    [
        ({}, "https", "ona.com:443", None),
        ({"HTTPS_PROXY": " p:1 "}, "https", "ona.com:443", "p:1"),
        ({"HTTPS_PROXY": "p:1"}, "http", "ona.com:80", None),
        ({"HTTPS_PROXY": "p:1", "https_proxy": "q:2"}, "https", "ona.com:443", "q:2"),
        ({"HTTPS_PROXY": "p:1", "https_proxy": ""}, "https", "ona.com:443", None),
        ({"ALL_PROXY": "p:1", "https_proxy": ""}, "https", "ona.com:443", "p:1"),
        ({"ALL_PROXY": "p:1", "NO_PROXY": "ona.com"}, "https", "ona.com:443", None),
        ({"ALL_PROXY": "p:1", "NO_PROXY": ".ona.com:443"}, "https", "app.ona.com:443", None),
        ({"ALL_PROXY": "p:1", "no_proxy": "", "NO_PROXY": "*"}, "https", "ona.com:443", "p:1"),
        ({"HTTP_PROXY": "p:1", "REQUEST_METHOD": "GET"}, "http", "ona.com:80", None),
        ({"http_proxy": "p:1", "REQUEST_METHOD": "GET"}, "http", "ona.com:80", "p:1"),
    ],
)
def test_proxy_is_the_one_that_most_programs_take(
    environ: dict[str, str], scheme: str, address: str, proxy: str | None
) -> None:
    assert proxy_for(scheme, address, proxies_of(environ)) == proxy
