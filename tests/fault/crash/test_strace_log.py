"""What strace writes down is read as it is meant, and points are spread over every kind of call."""

from fault.crash.strace_log import SystemCall, calls
from fault.crash.tracing import Point, points_of, spread

LOG = r"""
100 sendto(11<socket:[7]>, "HTTP/1.1 200 OK\r\n{\"a) = 1\": \"\\\"}", 34, 0, NULL, 0) = 34
101 pwrite64(9</tmp/x/npsbridge.db-wal>, "\x37\x7f\x00\x41", 4, 4152) = 4
101 fdatasync(9</tmp/x/npsbridge.db-wal> <unfinished ...>
100 recvfrom(11<socket:[7]>,  <unfinished ...>
101 <... fdatasync resumed>) = 0
100 <... recvfrom resumed>"POST /v1/batch", 262144, 0, NULL, NULL) = 14
100 recvfrom(12<socket:[8]>, 0x7f0c, 262144, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
101 unlink("/tmp/x/npsbridge.db-wal") = 0
101 pwrite64(9</tmp/x/npsbridge.db-wal>, "\x00", 1, 0 <unfinished ...>
102 +++ killed by SIGKILL +++
101 <... pwrite64 resumed>) = ?
""".strip().splitlines()


def found() -> list[SystemCall]:
    return calls(LOG)


def test_calls_stand_in_the_order_in_which_they_began_with_the_lines_of_both_ends() -> None:
    assert [(one.name, one.begins, one.ends) for one in found()] == [
        ("sendto", 0, 0),
        ("pwrite64", 1, 1),
        ("fdatasync", 2, 4),
        ("recvfrom", 3, 5),
        ("recvfrom", 6, 6),
        ("unlink", 7, 7),
        ("pwrite64", 8, None),
    ]


def test_what_was_written_is_read_byte_by_byte() -> None:
    reply, write, sync, heard, _, unlink, _ = found()
    assert reply.texts == [b'HTTP/1.1 200 OK\r\n{"a) = 1": "\\"}']
    assert (write.texts, write.last_number, write.file) == ([b"7\x7f\x00A"], 4152, "/tmp/x/npsbridge.db-wal")  # noqa: S108 - a text
    assert (sync.descriptor, sync.file, sync.result) == (9, write.file, 0)
    assert (heard.descriptor, heard.texts) == (11, [b"POST /v1/batch"])
    assert (unlink.descriptor, unlink.texts) == (-1, [b"/tmp/x/npsbridge.db-wal"])


def test_points_are_counted_as_strace_counts_them() -> None:
    assert list(map(str, points_of(found()))) == ["sendto:1", "pwrite64:1", "fdatasync:1", "unlink:1", "pwrite64:2"]
    assert Point.named("pwrite64:2") == points_of(found())[-1]


def test_points_are_spread_evenly_and_the_rare_ones_are_all_taken() -> None:
    many = [Point(call="pwrite64", number=number) for number in range(1, 101)]
    some = [Point(call="sendto", number=number) for number in range(1, 41)]
    chosen = spread([*many, *some, Point(call="unlink", number=1)], 21)
    assert list(map(str, chosen)) == [
        "unlink:1",
        *(f"sendto:{number}" for number in range(1, 41, 4)),
        *(f"pwrite64:{number}" for number in range(1, 101, 10)),
    ]
    assert spread(many, 1000) == many
