"""What is refused of a member of a zip before it is read, whoever made the zip."""

import re
import stat
import zipfile


def name_problem(member: zipfile.ZipInfo) -> str | None:
    """What is wrong with where a member of a zip would lie: outside of its folder, or it is a link; None: nothing."""
    parts = re.split(r"[/\\]", member.filename)
    if parts[0] == "" or ".." in parts or ":" in parts[0]:
        return f"the name {member.filename!r} in it leads out of its folder"
    return f"{member.filename!r} in it is a link" if stat.S_ISLNK(member.external_attr >> 16) else None


def content_problem(member: zipfile.ZipInfo, limit: int) -> str | None:
    """What keeps a member of a zip from being unpacked: a password, a foreign method, its size; None: nothing."""
    if member.flag_bits & 1:
        return f"{member.filename!r} in it is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"{member.filename!r} in it is compressed by a method other than deflate"
    if member.file_size > limit:
        return f"{member.filename!r} in it has {member.file_size:,} bytes, more than {limit:,}"
    return None
