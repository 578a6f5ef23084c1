"""Asks circusd: a request a line on standard input, its answer a line on standard output, both JSON."""

import json
import sys

from circus.client import CircusClient
from circus.exc import CallError

for line in sys.stdin:
    request = json.loads(line)
    # A short wait: who is not there yet is asked again. What is answered late is then another client's to hear.
    timeout_s = 30.0 if request["command"] == "stop" else 1.0
    client = CircusClient(endpoint=sys.argv[1], timeout=timeout_s)
    try:
        answer = client.call(request)
    except CallError as error:
        answer = {"error": str(error)}
    finally:
        client.stop()
    print(json.dumps(answer), flush=True)
