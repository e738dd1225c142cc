"""Zip archives of which every byte is checked, as `zipfile.ZipFile.writestr` writes them.

Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local headers), 4.3.12 (central directory) and
4.3.16 (its end). Members are packed by deflate and dated 1980. An archive's comment is
the SHA-256 of all that stands before its directory's end. Archives of esp_lib 0.1 have none; there,
damage to packed data that changes nothing of what it unpacks to is not noticed.
"""

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import NamedTuple

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
VERSION = 20  # of the format that is needed to unpack
UNIX = 3 << 8  # "made by" Unix, wherever it is made
DEFLATED = 8
DATE = 0x21  # 1980-01-01, 00:00
MODE = 0o644 << 16


class Packed(NamedTuple):
    """A member of an archive."""

    name: str
    data: bytes  # packed
    crc: int  # of what it unpacks to
    size: int  # of what it unpacks to, in bytes


def pack(members: Mapping[str, bytes]) -> bytes:
    """The archive of some members, in their order; names must be of ASCII."""
    packed = []
    for name, data in members.items():
        deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        parts = deflate.compress(data) + deflate.flush()
        packed.append(Packed(name, parts, zlib.crc32(data), len(data)))
    return _archive(packed, signed=True)


def members_of(content: bytes) -> dict[str, Packed]:
    """The members of an archive, still packed.

    Raises:
        Exception: the content is not, byte for byte, an archive of these members; of any type,
            since `zipfile` raises what it likes.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos, signed = archive.infolist(), bool(archive.comment)
    packed = []
    for info in infos:
        start = info.header_offset + LOCAL.size + len(info.filename.encode())
        data = content[start : start + info.compress_size]
        packed.append(Packed(info.filename, data, info.CRC, info.file_size))
    found = {member.name: member for member in packed}
    if len(found) != len(packed):
        raise ValueError("two members have one name")
    if _archive(packed, signed) != content:
        raise ValueError("the file has other bytes than an archive of its members")
    return found


def unpack(member: Packed) -> bytes:
    """What is in a member, of which never more is unpacked than it declares."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflate.decompress(member.data, member.size + 1)
    whole = inflate.eof and not inflate.unused_data and len(data) == member.size
    if not whole or zlib.crc32(data) != member.crc:
        raise ValueError(f"{member.name} does not unpack to what the archive declares")
    return data


def _archive(members: list[Packed], signed: bool) -> bytes:
    """The bytes of an archive, with its SHA-256 as a comment if it is to be signed."""
    body, directory = bytearray(), bytearray()
    for name, data, crc, size in members:
        raw = name.encode("ascii")
        common = (0, DEFLATED, 0, DATE, crc, len(data), size, len(raw), 0)
        directory += CENTRAL.pack(
            b"PK\1\2", VERSION | UNIX, VERSION, *common, 0, 0, 0, MODE, len(body)
        )
        directory += raw
        body += LOCAL.pack(b"PK\3\4", VERSION, *common) + raw + data
    start, count = len(body), len(members)
    body += directory
    comment = f"sha256 {hashlib.sha256(body).hexdigest()}".encode() if signed else b""
    end = (0, 0, count, count, len(directory), start, len(comment))
    return bytes(body) + END.pack(b"PK\5\6", *end) + comment
