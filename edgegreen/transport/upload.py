"""Bringing files to a board over commands that run there, with nothing but sh, dd, tar and sha256sum.

Many small files travel as one tar stream. A big one is written to `<remote>.<digest>.part`, at the offset
where an earlier upload broke off; since that name holds the digest, whoever writes there writes the same
bytes in the same places. Files get their names after their digests were checked on the board, and after
they are on its disk: a power cut leaves no half file, and no writing goes on while something is measured.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from edgegreen.errors import DeviceError, InputError
from edgegreen.transport import Process, Upload

Start = Callable[[Sequence[str]], Process]
Progress = Callable[[int], None]

SMALL_BYTES = 1 << 20
"""Files up to this size are packed together."""
_PACK_BYTES = 8 << 20  # a pack that breaks off is sent again whole
_READ_BYTES = 1 << 17
_LINE_BYTES_MAX = 4096
_PACKABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")

# What the scripts exit with when a digest is wrong; other failures end with the failing tool's message.
_DAMAGED = 65
_START = """LC_ALL=C; export LC_ALL
fail() { code=$?; df -Pk "$1" 2>/dev/null | sed -n '$s/^/free /p'; exit "$code"; }"""

# $1 folder. The tar stream on stdin holds files under their names, and .sums for sha256sum.
_RECEIVE_PACK = f"""{_START}
mkdir -p "$1" || fail /
stage=$1/.incoming.$$
trap 'rm -rf "$stage"' EXIT
rm -rf "$stage" && mkdir "$stage" && tar -xf - -C "$stage" && cd "$stage" || fail "$1"
sha256sum -c .sums >/dev/null
case $? in 0) ;; 1) exit {_DAMAGED} ;; *) fail "$1" ;; esac
sync -f . 2>/dev/null || sync
mv -f -- * .. || fail "$1"
"""

# $1 path, $2 part, $3 digest, $4 size, $5 `anew` to ignore an earlier part. Says from where to send.
# Several may run at once for the same file: none ever makes the part shorter than it has to be, and one
# that finds it gone takes the finished file for its own.
_RECEIVE_FILE = f"""{_START}
folder=${{1%/*}}
folder=${{folder:-/}}
mkdir -p "$folder" || fail /
have=0
! [ -f "$2" ] || have=$(wc -c <"$2")
[ "$have" -le "$4" ] || dd if=/dev/null of="$2" bs=1 seek="$4" || fail "$folder"
[ "$have" -le "$4" ] && [ "$5" != anew ] || have=0
blocks=$((have / 65536))
echo "from $((blocks * 65536))"
dd of="$2" bs=65536 seek="$blocks" conv=notrunc || fail "$folder"
{{ sync "$2" || sync; }} 2>/dev/null &  # onto the disk, while the digest is taken
sum=$(sha256sum <"$2" || sha256sum <"$1") || fail "$folder"
wait
if [ "${{sum%% *}}" != "$3" ]; then
  [ -e "$2" ] || rm -f "$1"
  exit {_DAMAGED}
fi
mv -f "$2" "$1" || ! [ -e "$2" ] || fail "$folder"
"""


class _DamagedError(Exception):
    """The digest on the board is not the expected one."""


def part_of(upload: Upload) -> str:
    """Where a big file lies until it is whole."""
    return f"{upload.remote}.{upload.sha256[:12]}.part"


def send(start: Start, name: str, uploads: Sequence[Upload], progress: Progress) -> int:
    """`Transport.put` over `start`; `name` is what messages call the board."""
    packs, singles = _sorted_out(uploads)
    sent = 0
    for folder, pack in packs:
        sent += _twice(name, pack, partial(_send_pack, start, name, folder, pack, progress))
    for upload in singles:
        sent += _twice(name, [upload], partial(_send_file, start, name, upload, progress))
    return sent


def _twice(name: str, uploads: Sequence[Upload], step: Callable[[bool], int]) -> int:
    """Run `step`, and once more from the start when what arrived is damaged."""
    for anew in (False, True):
        with suppress(_DamagedError):
            return step(anew)
    raise DeviceError(
        f"{name}: {uploads[0].remote} arrived damaged twice"
        + (f" (or one of {len(uploads) - 1} files sent with it)" if len(uploads) > 1 else ""),
        hint="has the file on this side changed since it was digested? If not, suspect the board's storage",
    )


def _sorted_out(uploads: Sequence[Upload]) -> tuple[list[tuple[str, list[Upload]]], list[Upload]]:
    """Packs of small files with the folder each goes to, and the files that travel alone."""
    packs: list[tuple[str, list[Upload]]] = []
    singles: list[Upload] = []
    filling: dict[str, tuple[list[Upload] | None, int]] = {}
    for upload in dict.fromkeys(uploads):
        folder, _, base = upload.remote.rpartition("/")
        if not upload.remote.startswith(("/", "~/")) or not base:
            raise InputError(f"`{upload.remote}` is no absolute path of a file")
        if upload.size_bytes > SMALL_BYTES or not folder or not _PACKABLE.fullmatch(base):
            singles.append(upload)
            continue
        pack, size = filling.get(folder, (None, 0))
        if pack is None or size + upload.size_bytes > _PACK_BYTES:
            pack, size = [], 0
            packs.append((folder, pack))
        pack.append(upload)
        filling[folder] = (pack, size + upload.size_bytes)
    return packs, singles


def _send_pack(
    start: Start, name: str, folder: str, pack: Sequence[Upload], progress: Progress, _anew: bool
) -> int:
    process = start(["sh", "-c", _RECEIVE_PACK, "sh", folder])
    try:
        with suppress(DeviceError):  # it ended early: its own words come below
            for block, payload in _tar(pack):
                process.write(block)
                progress(payload)
            process.close_stdin()
        _outcome(process, name, folder, sum(upload.size_bytes for upload in pack))
    finally:
        process.close()
    return sum(upload.size_bytes for upload in pack)


def _tar(pack: Sequence[Upload]) -> Iterator[tuple[bytes, int]]:
    """The tar stream, a member at a time, each with the payload bytes in it."""
    sums = "".join(f"{upload.sha256}  {upload.remote.rpartition('/')[2]}\n" for upload in pack)
    yield _member(".sums", sums.encode()), 0
    for upload in pack:
        data = _read(upload.source)
        yield _member(upload.remote.rpartition("/")[2], data), len(data)
    yield bytes(2 * tarfile.BLOCKSIZE), 0


def _member(name: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def _send_file(start: Start, name: str, upload: Upload, progress: Progress, anew: bool) -> int:
    arguments = [
        upload.remote,
        part_of(upload),
        upload.sha256,
        str(upload.size_bytes),
        "anew" if anew else "",
    ]
    process = start(["sh", "-c", _RECEIVE_FILE, "sh", *arguments])
    sent = 0
    try:
        first = next(process.lines(60.0, _LINE_BYTES_MAX), b"")
        if offset := re.fullmatch(rb"from (\d+)", first):
            with suppress(DeviceError):
                for block in _blocks(upload.source, int(offset[1])):
                    process.write(block)
                    sent += len(block)
                    progress(len(block))
                process.close_stdin()
        _outcome(process, name, upload.remote, upload.size_bytes, first)
    finally:
        process.close()
    return sent


def _outcome(process: Process, name: str, remote: str, size_bytes: int, first: bytes = b"") -> None:
    """Wait for the script's end; raise what went wrong."""
    slowest_disk_bytes_per_s = 2e6
    said = [first, *process.lines(60.0 + size_bytes / slowest_disk_bytes_per_s, _LINE_BYTES_MAX)]
    code = process.close()
    if code == _DAMAGED:
        raise _DamagedError
    if code != 0:
        why = complaint(process.stderr_tail()) or f"exit code {code}"
        raise DeviceError(f"{name}: cannot write {remote}: {why}", hint=_advice(why, said))


def _advice(complaint: str, said: Sequence[bytes]) -> str | None:
    if hint := advice(complaint):
        return hint
    lines = (line[5:].decode("utf-8", "replace") for line in said if line.startswith(b"free "))
    free = next(filter(None, map(free_space, lines)), None)
    return f"{free[0] / 1e6:.1f} MB are free on {free[1]}" if free else None


def advice(complaint: str) -> str | None:
    """What to do where a folder cannot be written to, by what a tool says of it."""
    if "Read-only" in complaint:
        return (
            "a disk that fails becomes read-only by itself: see `dmesg` there; if it is meant to be so, "
            "set `root` in the target to a folder elsewhere"
        )
    if "denied" in complaint:
        return "set `root` in the target to a folder you may write to"
    return None


def free_space(df_line: str) -> tuple[int, str] | None:
    """(free bytes, mount point) from a line of `df -Pk`; None when it is none."""
    fields = re.search(r"\s\d+\s+\d+\s+(-?\d+)\s+\S+\s+(/.*)$", df_line)
    return (max(0, int(fields[1])) * 1024, fields[2].strip()) if fields else None


def complaint(stderr: str) -> str:
    """The line of a tool's stderr that says why (dd reports its statistics there too)."""
    lines = [
        line for line in stderr.splitlines() if line and not re.search(r"records (in|out)$|copied", line)
    ]
    telling = [
        line for line in lines if re.search(r"No space|denied|Read-only|quota|too large|I/O error", line)
    ]
    return (telling or lines or [""])[0][:300]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _blocks(path: Path, offset: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            while block := stream.read(_READ_BYTES):
                yield block
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
