"""Zip archives of which every byte is checked, as `zipfile` writes them.

Members are packed by deflate and dated 1980. An archive's comment is the SHA-256 of all that stands
before its directory's end, which is checked field by field (PKWARE's APPNOTE.TXT 6.3.10, section
4.3.16).
"""

import hashlib
import io
import struct
import zipfile
from collections.abc import Callable, Mapping

END = struct.Struct("<4s4H2IH")


def pack(members: Mapping[str, bytes]) -> bytes:
    """The archive of some members, in their order; names must be of ASCII."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)  # dated 1980
            info.create_system, info.external_attr = 3, 0o644 << 16  # as on Unix, wherever made
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return signed(file.getvalue())


def signed(content: bytes) -> bytes:
    """An archive that has no comment yet, with the sum that `unpack` asks for."""
    comment = _signature(content[: -END.size])
    return content[:-2] + len(comment).to_bytes(2, "little") + comment


def unpack(content: bytes, check_sizes: Callable[[Mapping[str, int]], None]) -> dict[str, bytes]:
    """The members of an archive.

    Args:
        content: of the file.
        check_sizes: is called with the bytes that each member unpacks to, before any is unpacked,
            and refuses too many; never more is unpacked than that.

    Raises:
        Exception: the content is not, byte for byte, an archive of these members; of any type,
            since `zipfile` raises what it likes.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos, start, comment = archive.infolist(), archive.start_dir, archive.comment
        sizes = {info.filename: info.file_size for info in infos}
        count, end = len(infos), len(content) - END.size - len(comment)
        expected = END.pack(b"PK\5\6", 0, 0, count, count, end - start, start, len(comment))
        if content[end:] != expected + comment or comment != _signature(content[:end]):
            raise ValueError("the file has other bytes than an archive of its members")
        if len(sizes) != count:
            raise ValueError("two members have one name")
        if any(info.compress_type != zipfile.ZIP_DEFLATED for info in infos):
            raise ValueError("members must be packed by deflate, which unpacks in small steps")
        check_sizes(sizes)
        return {info.filename: _read(archive, info) for info in infos}


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member, whose checksum `zipfile` compares, unpacked no further than it declares."""
    with archive.open(info) as member:
        return member.read(info.file_size + 1)


def _signature(content: bytes) -> bytes:
    return f"sha256 {hashlib.sha256(content).hexdigest()}".encode()
