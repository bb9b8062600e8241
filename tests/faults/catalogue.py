"""The faults, by name."""

from __future__ import annotations

import errno

from tests.faults import behaviours as odd
from tests.faults import disk
from tests.faults.fault import End, Fault
from tests.transfer import server as wire

SOON = 0.4
"""Seconds of silence that are waited for where silence is the point."""

_CUT = (
    Fault(
        name="cut before the first byte",
        story="The whole length is announced and nothing comes; the file fails and is tried again later.",
        script=lambda sent: [wire.truncate(sent.content, 0, etag=sent.etag)],
        told="broke the connection off",
    ),
    Fault(
        name="cut in the middle",
        story="Every answer ends half-way; the file fails, and what came is kept for the next run.",
        script=lambda sent: [wire.truncate(sent.content, sent.half, etag=sent.etag)],
        told="broke the connection off",
    ),
    Fault(
        name="cut before the last byte",
        story="Every answer lacks one byte; that is not enough.",
        script=lambda sent: [wire.truncate(sent.content, len(sent.content) - 1, etag=sent.etag)],
        told="broke the connection off",
    ),
    Fault(
        name="cut once",
        story="One answer ends half-way; the second try goes on there, and the user sees nothing of it.",
        script=lambda sent: [wire.truncate(sent.content, sent.half, etag=sent.etag)],
        then_well=True,
        end=End.MENDED,
        requests=2,
    ),
    Fault(
        name="cut once without a validator",
        story="Nothing proves that the rest would belong to it: the second try starts anew.",
        script=lambda sent: [wire.truncate(sent.content, sent.half, etag=None)],
        then_well=True,
        end=End.MENDED,
        requests=2,
    ),
    Fault(
        name="reset before the headers",
        story="The connection breaks before any answer.",
        script=lambda sent: [odd.say(b"", odd.reset)],
        told="broke the connection off",
    ),
    Fault(
        name="hung up before the headers",
        story="The connection ends politely before any answer.",
        script=lambda sent: [odd.say(b"")],
        told="broke the connection off",
    ),
    Fault(
        name="reset in the headers",
        story="The connection breaks in the middle of a header.",
        script=lambda sent: [odd.say(b"HTTP/1.1 200 OK\r\nContent-Le", odd.reset)],
        told="broke the connection off",
    ),
    Fault(
        name="hung up in the headers",
        story="The headers end in the middle of one; what there was of them is not taken for an answer.",
        script=lambda sent: [odd.say(b"HTTP/1.1 200 OK\r\nContent-Le")],
        # What there is of them says 200 and no length, and then nothing follows.
        told=".fits",
    ),
    Fault(
        name="reset in the body",
        story="The connection breaks half-way.",
        script=lambda sent: [wire.reset_after(sent.content, sent.half)],
        told="broke the connection off",
    ),
)

_SLOW = (
    Fault(
        name="silence before the headers",
        story="Nothing comes at all; after the time-out the try has failed.",
        script=lambda sent: [odd.say(b"", odd.fall_silent)],
        told="was silent for",
        timeout=SOON,
    ),
    Fault(
        name="silence in the headers",
        story="Half a header comes and then nothing.",
        script=lambda sent: [odd.say(b"HTTP/1.1 200 OK\r\nContent-Le", odd.fall_silent)],
        told="was silent for",
        timeout=SOON,
    ),
    Fault(
        name="silence in the body",
        story="Half the file comes and then nothing; what came is kept.",
        script=lambda sent: [
            odd.send_as(sent.content[: sent.half], length=len(sent.content), ending=odd.fall_silent)
        ],
        told="was silent for",
        timeout=SOON,
    ),
    Fault(
        name="crawl",
        story="A byte now and then: less than 1 kB/s for as long as the time-out is as good as nothing.",
        script=lambda sent: [wire.crawl(sent.content, pause=SOON / 10)],
        told="less than 1 kB/s",
        timeout=SOON,
    ),
    Fault(
        name="headers that drip",
        story="A header that never ends comes a byte at a time, so that the line is never silent.",
        script=lambda sent: [odd.drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", pause=SOON / 10)],
        told="too slow",
        timeout=SOON,
    ),
    Fault(
        name="endless patience",
        story="'100 Continue' comes again and again, and never an answer.",
        script=lambda sent: [odd.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=SOON / 50)],
        told="too slow",
        timeout=SOON,
    ),
    Fault(
        name="chunk sizes that drip",
        story="The size of a chunk never ends; no byte of the file comes, but the line is never silent.",
        script=lambda sent: [odd.drip(odd.head("Transfer-Encoding: chunked") + b"0", b"0", pause=SOON / 10)],
        told="too slow",
        timeout=SOON,
    ),
    Fault(
        name="gzip of nothing",
        story="Packed bytes come all the time, and unpacked they are none.",
        script=lambda sent: [odd.drip_of_packed_nothing(pause=SOON / 10)],
        told="too slow",
        timeout=SOON,
    ),
    Fault(
        name="a refusal that drips",
        story="HTTP 503 whose page comes a byte at a time; nobody waits for its end.",
        script=lambda sent: [
            odd.drip(odd.head("Content-Length: 60000", status="503 Later"), b"x", pause=SOON / 10)
        ],
        told="HTTP 503",
        timeout=SOON,
    ),
)

_LENGTH = (
    Fault(
        name="length too large",
        story="More bytes are announced than come.",
        script=lambda sent: [wire.announce(sent.content, len(sent.content) + 2880, hang_up=True)],
        told="broke the connection off",
    ),
    Fault(
        name="length too large, and then silence",
        story="More bytes are announced than come, and the connection stays.",
        script=lambda sent: [
            odd.send_as(sent.content, length=len(sent.content) + 2880, ending=odd.fall_silent)
        ],
        told="was silent for",
        timeout=SOON,
    ),
    Fault(
        name="length too small",
        story="More bytes come than were announced; the announced ones are no file.",
        script=lambda sent: [odd.send_as(sent.content, length=len(sent.content) - 1000, ending=odd.hang_up)],
        told=".fits",
        only_there=True,
    ),
    Fault(
        name="length missing",
        story="The end of the connection is the end of the file; all came.",
        script=lambda sent: [wire.announce(sent.content, None)],
        end=End.MENDED,
        requests=1,
    ),
    Fault(
        name="length missing, and cut",
        story="The connection ends before the listed size is there; only the listing tells.",
        script=lambda sent: [wire.announce(sent.content[: sent.half], None)],
        told="ended",
    ),
    Fault(
        name="length is garbage",
        story="Content-Length is no number; the file is whole all the same.",
        script=lambda sent: [odd.say(odd.head("Content-Length: many") + sent.content)],
        end=End.MENDED,
        requests=1,
    ),
    Fault(
        name="length is negative",
        story="Content-Length is -1; the file is whole all the same.",
        script=lambda sent: [odd.say(odd.head("Content-Length: -1") + sent.content)],
        end=End.MENDED,
        requests=1,
    ),
    Fault(
        name="two lengths that differ",
        story="Two Content-Length contradict one another; neither is believed.",
        script=lambda sent: [odd.with_two_lengths(sent.content, len(sent.content) - 2880)],
        told="broke the connection off",
    ),
    Fault(
        name="in chunks",
        story="The file comes in chunks without a length; it is whole.",
        script=lambda sent: [wire.in_chunks(sent.content)],
        end=End.MENDED,
        requests=1,
    ),
    Fault(
        name="chunks without an end",
        story="The last chunk is missing, so nobody knows whether this was all.",
        script=lambda sent: [wire.in_chunks(sent.content, end=False)],
        told="broke the connection off",
    ),
    Fault(
        name="chunks of garbage",
        story="The size of a chunk is no number.",
        script=lambda sent: [odd.in_chunks_of_garbage(sent.content)],
        told="broke the connection off",
    ),
)

_PACKED = (
    Fault(
        name="gzip on the way",
        story="The archive packs although it was asked not to; the file is unpacked and whole.",
        script=lambda sent: [wire.packed(sent.content)],
        end=End.MENDED,
        requests=1,
    ),
    Fault(
        name="gzip that is broken",
        story="What comes cannot be unpacked.",
        script=lambda sent: [odd.packed_badly(sent.content, etag=sent.etag)],
        told="packed its data wrongly",
    ),
    Fault(
        name="gzip that was cut before it was sent",
        story="The length fits the packed bytes, which are only the first part; a text shows no gap itself.",
        script=lambda sent: [odd.packed_and_cut(sent.content, etag=sent.etag)],
        ending="cat.csv",
        told="ended",
        only_there=True,
    ),
    Fault(
        name="an unknown coding",
        story="Content-Encoding names what nobody here can unpack.",
        script=lambda sent: [wire.packed(sent.content, encoding="br")],
        told="in an unknown way",
    ),
)

_RANGES = (
    Fault(
        name="200 in place of 206",
        story="The rest was asked for and all comes: it replaces what was there.",
        script=lambda sent: [
            wire.truncate(sent.content, sent.half, etag=sent.etag),
            odd.send_as(sent.content, ETag=sent.etag),
        ],
        end=End.MENDED,
        requests=2,
    ),
    Fault(
        name="206 with another total",
        story="The rest belongs to a longer file: nothing is put together, the file is asked for anew.",
        script=lambda sent: [
            wire.truncate(sent.content, sent.half, etag=sent.etag),
            wire.piece(sent.content[sent.half :], sent.half, total=len(sent.content) + 2880, etag=sent.etag),
        ],
        then_well=True,
        end=End.MENDED,
    ),
    Fault(
        name="206 at another offset",
        story="Another part comes than was asked for: the file is asked for anew.",
        script=lambda sent: [
            wire.truncate(sent.content, sent.half, etag=sent.etag),
            wire.piece(sent.content[100:], 100, total=len(sent.content), etag=sent.etag),
        ],
        then_well=True,
        end=End.MENDED,
    ),
    Fault(
        name="206 of another revision",
        story="If-Range is ignored, and the rest is another content's: the file is asked for anew.",
        script=lambda sent: [
            wire.truncate(sent.content, sent.half, etag=sent.etag),
            wire.piece(sent.other[sent.half :], sent.half, total=len(sent.content), etag='"another"'),
        ],
        then_well=True,
        end=End.MENDED,
    ),
    Fault(
        name="206 without a validator",
        story="The rest does not say whose it is: the file is asked for anew.",
        script=lambda sent: [
            wire.truncate(sent.content, sent.half, etag=sent.etag),
            wire.piece(sent.other[sent.half :], sent.half, total=len(sent.content), etag=None),
        ],
        then_well=True,
        end=End.MENDED,
    ),
    Fault(
        name="206 without a range",
        story="The rest does not say where it belongs: the file is asked for anew.",
        script=lambda sent: [
            wire.truncate(sent.content, sent.half, etag=sent.etag),
            odd.send_as(sent.content[sent.half :], status=206, ETag=sent.etag),
        ],
        then_well=True,
        end=End.MENDED,
    ),
    Fault(
        name="206 that is too long",
        story="More of the rest comes than its range says: the file is asked for anew.",
        script=lambda sent: [
            wire.truncate(sent.content, sent.half, etag=sent.etag),
            odd.send_as(
                sent.content[sent.half :] + bytes(2880),
                status=206,
                ETag=sent.etag,
                Content_Range=f"bytes {sent.half}-{len(sent.content) - 1}/{len(sent.content)}",
            ),
        ],
        then_well=True,
        end=End.MENDED,
    ),
    Fault(
        name="206 that is cut too",
        story="The rest ends early as well; the third try brings the rest of the rest.",
        script=lambda sent: [
            wire.truncate(sent.content, sent.half, etag=sent.etag),
            odd.send_as(
                sent.content[sent.half : sent.half + 100],
                status=206,
                length=len(sent.content) - sent.half,
                ETag=sent.etag,
                Content_Range=f"bytes {sent.half}-{len(sent.content) - 1}/{len(sent.content)}",
                ending=odd.hang_up,
            ),
        ],
        then_well=True,
        end=End.MENDED,
    ),
    Fault(
        name="206 unasked",
        story="All was asked for and a piece comes, always; a piece is not a file.",
        script=lambda sent: [wire.piece(sent.content[100:], 100, total=len(sent.content), etag=sent.etag)],
        told="sends a piece",
    ),
    Fault(
        name="416",
        story="The file is now shorter than what is there of it: it is asked for anew.",
        script=lambda sent: [
            wire.truncate(sent.content, sent.half, etag=sent.etag),
            wire.refuse(416, Content_Range="bytes */100"),
        ],
        then_well=True,
        end=End.MENDED,
    ),
    Fault(
        name="416 unasked",
        story="No range was asked for, and it cannot be satisfied: a refusal.",
        script=lambda sent: [wire.refuse(416)],
        told="HTTP 416",
        requests=1,
    ),
    Fault(
        name="a new revision between two ranges",
        story="The archive replaces the file between two tries: If-Range brings all of the newer one.",
        script=lambda sent: [
            odd.cut_and(sent.content, etag=sent.etag, deed=sent.revise),
        ],
        then_well=True,
        end=End.MENDED,
        requests=2,
    ),
)

_PAGES = (
    Fault(
        name="a web page",
        story="A page that says so, with HTTP 200, stands for trouble of the archive.",
        script=lambda sent: [wire.web_page()],
        told="web page",
    ),
    Fault(
        name="a web page that calls itself FITS",
        story="The page is recognised by its bytes.",
        script=lambda sent: [wire.web_page(kind="application/fits")],
        told="web page",
    ),
    Fault(
        name="a web page behind a comment",
        story="The page does not begin as pages do; the check of the content finds it.",
        script=lambda sent: [odd.send_as(b"<!-- down --><html><body>We are down</body></html>")],
        told="HTML page",
        requests=1,
    ),
    Fault(
        name="a web page for JSON",
        story="A log-in page in place of a table of associations.",
        script=lambda sent: [wire.web_page(kind="application/json")],
        ending="pool.json",
        told="web page",
    ),
    Fault(
        name="down for maintenance",
        story="HTTP 503 with a page.",
        script=lambda sent: [
            odd.send_as(b"<html>Down for maintenance</html>", status=503, Content_Type="text/html")
        ],
        told="HTTP 503",
    ),
)

_STATUS = (
    Fault(
        name="500",
        story="The archive stumbles over this file.",
        script=lambda sent: [wire.refuse(500)],
        told="HTTP 500",
    ),
    Fault(
        name="502",
        story="A gateway has no archive behind it.",
        script=lambda sent: [wire.refuse(502)],
        told="HTTP 502",
    ),
    Fault(
        name="504",
        story="A gateway waited in vain.",
        script=lambda sent: [wire.refuse(504)],
        told="HTTP 504",
    ),
    Fault(
        name="a status that does not exist",
        story="HTTP 999 is trouble of the archive.",
        script=lambda sent: [
            odd.say(odd.head("Content-Length: 0", "Connection: close", status="999 Whatever"))
        ],
        told="HTTP 999",
    ),
    Fault(
        name="503, come back in a second",
        story="The second try is made when the archive said so.",
        script=lambda sent: [wire.refuse(503, Retry_After=1)],
        then_well=True,
        end=End.MENDED,
        requests=2,
        alone=True,
    ),
    Fault(
        name="503, come back on a date",
        story="The date is over by now, as that of a clock that is behind: the second try is made soon.",
        script=lambda sent: [odd.refuse_by_date(503, seconds=-60)],
        then_well=True,
        end=End.MENDED,
        requests=2,
    ),
    Fault(
        name="503, come back on a date in an hour",
        story="Nobody waits so long in place: the file waits for its hour, and costs one request.",
        script=lambda sent: [odd.refuse_by_date(503, seconds=3600)],
        told="HTTP 503",
        requests=1,
    ),
    Fault(
        name="429, come back in an hour",
        story="The archive asks for peace, and has it.",
        script=lambda sent: [wire.refuse(429, Retry_After=3600)],
        told="HTTP 429",
        requests=1,
    ),
    Fault(
        name="503, come back in a lifetime",
        story="A Retry-After beyond reason is a long one, but no longer than a day.",
        script=lambda sent: [wire.refuse(503, Retry_After=10**10)],
        told="HTTP 503",
        requests=1,
    ),
    Fault(
        name="503, come back a second ago",
        story="A negative Retry-After is none.",
        script=lambda sent: [wire.refuse(503, Retry_After=-1)],
        told="HTTP 503",
    ),
    Fault(
        name="503, come back at some time",
        story="A Retry-After that is neither seconds nor a date is none.",
        script=lambda sent: [wire.refuse(503, Retry_After="soon, 99 Foo 2026 99:99:99 +9999")],
        told="HTTP 503",
    ),
    Fault(
        name="403",
        story="The file is closed to this user: it is withheld, and nobody is to blame.",
        script=lambda sent: [wire.refuse(403)],
        end=End.WITHHELD,
        told="HTTP 403",
        requests=1,
    ),
    Fault(
        name="401",
        story="The file asks for another log-in: it is withheld.",
        script=lambda sent: [wire.refuse(401)],
        end=End.WITHHELD,
        told="HTTP 401",
        requests=1,
    ),
    Fault(
        name="404",
        story="The file is listed and not to be had.",
        script=lambda sent: [wire.refuse(404)],
        told="does not have",
        requests=1,
    ),
    Fault(
        name="410",
        story="The file is listed and gone.",
        script=lambda sent: [wire.refuse(410)],
        told="does not have",
        requests=1,
    ),
    Fault(
        name="400",
        story="The archive does not understand the question, and will not tomorrow.",
        script=lambda sent: [wire.refuse(400)],
        told="refuses to send",
        requests=1,
    ),
    Fault(
        name="204",
        story="An answer without a body is no file.",
        script=lambda sent: [odd.say(odd.head(status="204 No Content"))],
        told="refuses to send",
        requests=1,
    ),
    Fault(
        name="304",
        story="'Not modified' was never asked for.",
        script=lambda sent: [odd.say(odd.head(status="304 Not Modified"))],
        told="refuses to send",
        requests=1,
    ),
    Fault(
        name="200 with nothing",
        story="An empty file is no file, whatever is announced.",
        script=lambda sent: [odd.send_as(b"", ETag=sent.etag)],
        told="it is empty",
        requests=1,
    ),
)

_REDIRECTS = (
    Fault(
        name="redirected to another origin",
        story="The file comes from elsewhere; the token does not go there.",
        script=lambda sent: [wire.redirect(sent.elsewhere.put(sent.name, wire.serve(sent.content)))],
        end=End.MENDED,
        requests=1,
    ),
    Fault(
        name="redirected in a circle",
        story="The circle is left after five turns.",
        script=lambda sent: [odd.redirect_to_itself],
        told="redirects more than 5 times",
        requests=6,
    ),
    Fault(
        name="redirected to nowhere",
        story="A redirect without an address.",
        script=lambda sent: [wire.refuse(302)],
        told="redirects to nowhere",
        requests=1,
    ),
    Fault(
        name="redirected to a file of this machine",
        story="file: is no archive, and nothing of this machine is read.",
        script=lambda sent: [wire.redirect("file:///etc/passwd")],
        told="no address that can be asked",
        requests=1,
    ),
    Fault(
        name="redirected to nobody",
        story="Nobody listens where the redirect leads.",
        script=lambda sent: [wire.redirect("http://127.0.0.1:1/file")],
        told="cannot be reached",
    ),
    Fault(
        name="redirected to a log-in page",
        story="The redirect ends at a page in place of the file.",
        script=lambda sent: [wire.redirect(sent.elsewhere.put(sent.name, wire.web_page()))],
        told="web page",
    ),
)

_HEADERS = (
    Fault(
        name="a flood of headers",
        story="Hundreds of headers; they are not read to the end.",
        script=lambda sent: [
            odd.say(odd.head(*["X-Flood: yes"] * 500, f"Content-Length: {len(sent.content)}") + sent.content)
        ],
        told="broke the connection off",
    ),
    Fault(
        name="a header without an end",
        story="A header of 200 kB; it is not read to the end.",
        script=lambda sent: [odd.say(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000)],
        told="broke the connection off",
    ),
    Fault(
        name="a status line of garbage",
        story="What answers does not speak HTTP.",
        script=lambda sent: [odd.say(b"SSH-2.0-OpenSSH_9.2p1\r\n")],
        told="broke the connection off",
    ),
    Fault(
        name="a body without headers",
        story="The file comes bare, as from a server of 1991.",
        script=lambda sent: [odd.say(sent.content)],
        told="broke the connection off",
    ),
)

_CONTENT = (
    Fault(
        name="a byte of the FITS header is another",
        story="The number of bytes is right and the file is broken; it is refused and leaves nothing behind.",
        script=lambda sent: [wire.serve(b"X" + sent.content[1:], etag=sent.etag)],
        told="does not begin as a FITS file does",
        requests=1,
        only_there=True,
    ),
    Fault(
        name="FITS without its last block",
        story="The archive's own copy is cut, with the length that fits.",
        script=lambda sent: [wire.serve(sent.content[:-2880], etag=sent.etag)],
        told="missing at its end",
        requests=1,
        only_there=True,
    ),
    Fault(
        name="FITS without its padding",
        story="The file does not end with a whole block.",
        script=lambda sent: [wire.serve(sent.content[:-100], etag=sent.etag)],
        told="missing at its end",
        requests=1,
        only_there=True,
    ),
    Fault(
        name="FITS with bytes after its end",
        story="What follows the last unit is no extension.",
        script=lambda sent: [wire.serve(sent.content + b"x" * 2880, etag=sent.etag)],
        told="after its last FITS unit",
        requests=1,
        only_there=True,
    ),
    Fault(
        name="JPEG that is cut",
        story="The length fits; the picture ends early.",
        script=lambda sent: [wire.serve(sent.content[: sent.half], etag=sent.etag)],
        ending="rate.jpg",
        told="is not what it should be",
        requests=1,
        only_there=True,
    ),
    Fault(
        name="JSON that is cut",
        story="The length fits; the text ends early.",
        script=lambda sent: [wire.serve(sent.content[:12], etag=sent.etag)],
        ending="pool.json",
        told="is not what it should be",
        requests=1,
        only_there=True,
    ),
    Fault(
        name="FITS in place of JPEG",
        story="A sound file of another kind.",
        script=lambda sent: [wire.serve(bytes(2880), etag=sent.etag)],
        ending="rate.jpg",
        told="is not what it should be",
        requests=1,
        only_there=True,
    ),
    Fault(
        name="the listing states another size",
        story="The content is sound, so it counts; the difference is noted once and fetches nothing again.",
        prepare=lambda sent: sent.restate_size(len(sent.content) + 12345),
        end=End.MENDED,
        told="the listing says",
        requests=1,
        alone=True,
    ),
)

_DISK = (
    Fault(
        name="the disk is full in mid-file",
        story="The run stops, says so, and leaves nothing half-made.",
        disk=disk.refuses_bytes(errno.ENOSPC, after=0),
        end=End.STOPPED,
        told="is full",
        requests=1,
    ),
    Fault(
        name="over quota in mid-file",
        story="The run stops and says so.",
        disk=disk.refuses_bytes(errno.EDQUOT, after=0),
        end=End.STOPPED,
        told="over its disk quota",
        requests=1,
    ),
    Fault(
        name="the disk fails to write",
        story="The run stops and says so.",
        disk=disk.refuses_bytes(errno.EIO, after=0),
        end=End.STOPPED,
        told="input/output errors",
        requests=1,
    ),
    Fault(
        name="the disk fails to keep",
        story="fsync fails: what was written does not count.",
        disk=disk.refuses_to_sync(errno.EIO),
        end=End.STOPPED,
        told="input/output errors",
        requests=1,
    ),
    Fault(
        name="the folder cannot be made durable",
        story="The file stands there and its name may not last: the next run settles it by its bytes.",
        disk=disk.refuses_to_sync_the_folder,
        end=End.STOPPED,
        told="input/output errors",
        requests=1,
        old_copy_stays=False,
    ),
    Fault(
        name="the rename is refused",
        story="What is verified waits beside its path for the next run, which fetches nothing again.",
        disk=disk.refuses_to_rename(errno.EACCES),
        end=End.STOPPED,
        told="may not be written by this user",
        requests=1,
    ),
    Fault(
        name="the folder is read-only",
        story="No partial can be made.",
        disk=disk.refuses_to_open(errno.EROFS),
        end=End.STOPPED,
        told="is read-only",
        requests=1,
    ),
    Fault(
        name="too many open files",
        story="The process may open no more files.",
        disk=disk.refuses_to_open(errno.EMFILE),
        end=End.STOPPED,
        told="too many open files",
        requests=1,
    ),
)

_SOMEBODY = (
    Fault(
        name="the partial is removed",
        story="Somebody tidies up while the file comes; it fails and is fetched again.",
        script=lambda sent: [odd.interrupt(sent.content, etag=sent.etag, deed=sent.remove_partials)],
        told="was removed while it was written",
        requests=1,
        alone=True,
    ),
    Fault(
        name="a folder takes the path",
        story="Somebody puts a folder where the file belongs; it is left alone.",
        script=lambda sent: [odd.interrupt(sent.content, etag=sent.etag, deed=sent.put_folder)],
        told="it is left alone",
        requests=1,
        afterwards=lambda sent: sent.clear_path(),
        old_copy_stays=False,
        alone=True,
    ),
    Fault(
        name="a link takes the path",
        story="Somebody puts a link where the file belongs; it is left alone, and so is what it leads to.",
        script=lambda sent: [odd.interrupt(sent.content, etag=sent.etag, deed=sent.put_link)],
        told="it is left alone",
        requests=1,
        afterwards=lambda sent: sent.clear_path(),
        old_copy_stays=False,
        alone=True,
    ),
)

FAULTS = (
    *_CUT,
    *_SLOW,
    *_LENGTH,
    *_PACKED,
    *_RANGES,
    *_PAGES,
    *_STATUS,
    *_REDIRECTS,
    *_HEADERS,
    *_CONTENT,
    *_DISK,
    *_SOMEBODY,
)
"""Every fault, each with its own name."""
