"""The Connect protocol over aiohttp: codecs, strict JSON, errors, paging, streams. Knows no services and tasks."""
