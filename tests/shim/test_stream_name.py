"""The names of streams, and where they are."""

from supervisor.shim import stream_name


def test_a_stream_of_its_own_lies_beside_the_other_one_in_the_directory_of_its_run() -> None:
    paths = {name: (stream_name.log_of(name), stream_name.fifo_of(name)) for name in stream_name.names("a.1")}
    assert paths == {
        "a.1": ("a.1/log", "a.1/fifo"),
        "a.1/stdout": ("a.1/stdout", "a.1/stdout.fifo"),
        "a.1/stderr": ("a.1/stderr", "a.1/stderr.fifo"),
    }
    assert {stream_name.run_of(name) for name in paths} == {"a.1"}
