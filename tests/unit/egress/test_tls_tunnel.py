"""What a server said before its connection broke is not lost."""

import asyncio

from runner.egress.tls_tunnel import PatientReader


def test_what_came_before_a_broken_connection_is_read_and_then_there_is_no_more() -> None:
    async def read() -> list[bytes]:
        reader = PatientReader()
        reader.feed_data(b"HTTP/1.1 413 Too Large\r\n\r\n")
        reader.set_exception(ConnectionResetError())
        return [await reader.read(100), await reader.read(100)]

    assert asyncio.run(read()) == [b"HTTP/1.1 413 Too Large\r\n\r\n", b""]
