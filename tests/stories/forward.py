"""Pass connections to one address on to another: ``python forward.py 127.0.0.1:9000 10.0.0.1:9000``."""

import asyncio
import sys


async def main(here: str, there: str) -> None:
    host, _colon, port = there.rpartition(":")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(65_536):
                writer.write(part)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    address, _colon, listen = here.rpartition(":")
    server = await asyncio.start_server(pass_on, address, int(listen), backlog=500)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
