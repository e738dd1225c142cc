"""Zip archives of which every byte is checked, as `zipfile` writes them.

Members are packed by deflate and dated 1980. An archive's comment is the SHA-256 of all that stands
before its directory's end, which is checked field by field (PKWARE's APPNOTE.TXT 6.3.10, section
4.3.16).
"""

import hashlib
import io
import struct
import zipfile
from collections.abc import Mapping

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
    content = file.getvalue()
    comment = _signature(content[: -END.size])
    return content[:-2] + len(comment).to_bytes(2, "little") + comment


def unpack(content: bytes) -> dict[str, bytes]:
    """The members of an archive.

    Raises:
        Exception: the content is not, byte for byte, an archive of these members; of any type,
            since `zipfile` raises what it likes.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names, start, comment = archive.namelist(), archive.start_dir, archive.comment
        count, end = len(names), len(content) - END.size - len(comment)
        expected = END.pack(b"PK\5\6", 0, 0, count, count, end - start, start, len(comment))
        if content[end:] != expected + comment or comment != _signature(content[:end]):
            raise ValueError("the file has other bytes than an archive of its members")
        return {name: archive.read(name) for name in names}


def _signature(content: bytes) -> bytes:
    return f"sha256 {hashlib.sha256(content).hexdigest()}".encode()
