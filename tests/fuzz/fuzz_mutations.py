"""Changes to files of every kind: blind damage, and well-formed files that say something else than they should."""

import gzip
import io
import json
import math
import random
import struct
import tomllib
import warnings
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import tomli_w
import torch

from graphcert.core.arrays import seal

NUMBERS = [0, 1, 2, 3, 7, 127, 128, 255, 256, 65535, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 10**9, 10**12, 2**62,
           2**63 - 1]  # fmt: skip
STRANGE = [None, [], {}, "", "x", "é", True, -1, 0, 0.5, -0.0, 1e308, 5e-324, math.nan, math.inf, 10**9, 10**30, 2**63,
           2**64 - 1, [[]], {"a": 1}, [1, [2]], "1" * 5000, "a\x1b[2J\n"]  # fmt: skip
WORDS = [b"", b"x", b"-1", b"1e400", b"nan", b"inf", b"0.5", b"1_0", b"0x10", b"\xff", b"\x00", b"\xd9\xa3", b"9" * 5000,
         b" 1 ", b"'1'", b"#"]  # fmt: skip
Generator = random.Random
Change = Callable[[Generator, bytes], bytes]


def damage(rng: Generator, content: bytes) -> bytes:
    """Up to four blind changes."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(len(data) + 1)
        length = rng.choice([1, 1, 2, 4, 8, 30, len(data) // 2])
        what = rng.randrange(8)
        if what == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            data[at : at + length] = bytes(length)
        elif what == 2:
            data[at : at + length] = rng.randbytes(length)
        elif what == 3:
            del data[at : at + length]
        elif what == 4:
            data[at:at] = rng.randbytes(length)
        elif what == 5:
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start : start + length]
        elif what == 6:
            number, size, order = rng.choice(NUMBERS), rng.choice([1, 2, 4, 8]), rng.choice(["little", "big"])
            data[at : at + size] = (number % 256**size).to_bytes(size, order)
        elif rng.random() < 0.3:
            del data[at:]
        else:
            data[at : at + 1] = str(rng.choice(NUMBERS)).encode()
    return bytes(data)


def changed_value(rng: Generator, value: Any) -> Any:
    """A copy of nested plain values with one of them replaced, removed or repeated."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(sorted(value))
        if rng.random() < 0.08:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: changed_value(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        if rng.random() < 0.15:
            return value[:at] + value[at + 1 :] * rng.randint(0, 2)
        return [*value[:at], changed_value(rng, value[at]), *value[at + 1 :]]
    if rng.random() < 0.05:
        deep: Any = value
        for _ in range(rng.choice([10, 500, 3000])):
            deep = [deep]
        return deep
    return rng.choice([*STRANGE, rng.choice(NUMBERS), [value], value])


def changed_json(rng: Generator, content: bytes) -> bytes:
    value = json.loads(content)
    for _ in range(rng.randint(1, 3)):
        value = changed_value(rng, value)
    try:
        text = json.dumps(value, allow_nan=True)
    except RecursionError:
        return b"[" * rng.choice([10, 1000, 100_000])
    return text.replace("null", rng.choice(["null", "null", "NaN", "nul", '{"a": 1, "a": 2}'])).encode()


def changed_toml(rng: Generator, content: bytes) -> bytes:
    value = changed_value(rng, tomllib.loads(content.decode()))
    with suppress(TypeError, ValueError, AttributeError, RecursionError):
        return tomli_w.dumps(value).encode()
    return content + b"\nx = " + b"[" * rng.choice([10, 1000, 100_000])


def changed_table(rng: Generator, content: bytes, separators: bytes) -> bytes:
    """A table of text with another word in one place, or lines that are repeated, left out, cut or in another order."""
    lines = content.split(b"\n")
    for _ in range(rng.randint(1, 3)):
        at, what = rng.randrange(len(lines)), rng.randrange(6)
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(at, rng.choice(lines))
        elif what == 2:
            rng.shuffle(lines)
        else:
            separator = separators[rng.randrange(len(separators)) :][:1]
            words = lines[at].split(separator)
            words[rng.randrange(len(words))] = rng.choice([*WORDS, str(rng.choice(NUMBERS)).encode(), words[0] * 2])
            lines[at] = separator.join(words[: rng.choice([len(words), len(words), 1])])
        if not lines:
            return b""
    return b"\n".join(lines)


def packed(rng: Generator, content: bytes, change: Change) -> bytes:
    """A changed text in a whole gzip file, or a damaged one."""
    try:
        text = gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return damage(rng, content)
    if rng.random() < 0.02:
        return gzip.compress(b"1,1\n" * 2**24, 1)
    return gzip.compress(change(rng, text), 1, mtime=0)


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
        warnings.simplefilter("ignore")  # about names that are there twice
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def unzipped(content: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def changed_array(rng: Generator, content: bytes) -> bytes:
    """An npy file of other values, type or shape, or with a header that lies."""
    array = np.load(io.BytesIO(content))
    what = rng.randrange(8)
    stream = io.BytesIO()
    if what == 0:
        shape = tuple(rng.choice([-1, *NUMBERS, *array.shape]) for _ in range(rng.randint(0, 3)))
        kind = rng.choice(["<i8", "<i4", "|u1", "<u8", "<f4", "|O", "<U9", "<U0", "<U999999999", "|b1", "|V8", ">i8"])
        header = repr({"descr": kind, "fortran_order": rng.random() < 0.5, "shape": shape}).encode() + b"\n"
        size = struct.pack("<I", len(header) if rng.random() < 0.8 else rng.choice(NUMBERS) % 2**32)
        if rng.random() < 0.5:
            return b"\x93NUMPY\x02\x00" + size + header + array.tobytes()
        return b"\x93NUMPY\x01\x00" + size[:2] + header + array.tobytes()
    if array.dtype.kind == "U":
        array = np.array(damage(rng, str(array).encode()).decode("latin-1"))
    elif what == 1:
        array = array.astype(rng.choice(["u1", "i2", "u8", "f2", "f4", "f8", "c8", "?", "U"]))
    elif what == 2:
        array = np.zeros(rng.choice([*[10**5] * 9, 3 * 10**7]), rng.choice([np.int8, np.int64]))
    elif what == 3 and array.size:
        array = array.reshape(-1)[: rng.randrange(array.size + 1)]
    elif what == 4:
        array = np.array(rng.choice(NUMBERS), rng.choice([np.uint64, np.float64])).reshape((1,) * rng.randint(0, 3))
    elif array.size:
        array = array.copy()
        kinds = {"f": [0, -1, math.nan, math.inf, 1e-40, 1e308], "b": [True]}.get(
            array.dtype.kind, [*NUMBERS, -1, -(2**63)]
        )
        with np.errstate(all="ignore"), suppress(OverflowError):
            array.reshape(-1)[rng.randrange(array.size)] = rng.choice(kinds)
    np.save(stream, array)
    return stream.getvalue()


def changed_archive(rng: Generator, content: bytes, change: Callable[[Generator, str, bytes], bytes]) -> bytes:
    """Changed members under right checksums, repeated, left out or packed otherwise; or a changed directory."""
    members = unzipped(content)
    at = rng.randrange(len(members))
    what = rng.randrange(10)
    if what < 6:
        members[at] = (members[at][0], change(rng, *members[at]))
    elif what == 6:
        members.append(members[at])
    elif what == 7:
        del members[at]
    methods = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    found = bytearray(zipped(members, methods[0] if rng.random() < 0.4 else rng.choice(methods)))
    if what >= 8:
        start = rng.choice([found.rfind(b"PK\x01\x02"), found.find(b"PK\x01\x02"), found.rfind(b"PK\x05\x06"), 0])
        for _ in range(rng.randint(1, 3)):
            field, size = start + rng.randrange(4, 46), rng.choice([1, 2, 4])
            found[field : field + size] = (rng.choice(NUMBERS) % 256**size).to_bytes(size, "little")
    return bytes(found)


def changed_npz(rng: Generator, content: bytes) -> bytes:
    return changed_archive(rng, content, lambda rng, _, member: changed_array(rng, member))


def changed_sealed(rng: Generator, content: bytes) -> bytes:
    """Other arrays or another description under a right seal, or any change of an npz file."""
    if rng.random() < 0.4:
        return changed_npz(rng, content)
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    text, _ = str(arrays.pop("description")), arrays.pop("sha256")
    if rng.random() < 0.5:
        text = changed_json(rng, text.encode()).decode()
    else:
        name = rng.choice(sorted(arrays))
        stream = io.BytesIO()
        np.save(stream, arrays[name])
        with suppress(Exception):
            arrays[name] = np.load(io.BytesIO(changed_array(rng, stream.getvalue())))
    with np.errstate(all="ignore"), suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stream = io.BytesIO()
        np.savez_compressed(stream, description=np.array(text), sha256=np.array(seal(text, arrays)), **arrays)
        return stream.getvalue()
    return damage(rng, content)


def changed_pickle(rng: Generator, content: bytes) -> bytes:
    """Operations put into a pickle: large tables, structures within themselves, keys of structures, names."""
    parts = [
        b"r\xff\xff\xff\x7f", b"r" + struct.pack("<I", rng.choice(NUMBERS) % 2**32), b"q\x00", b"h\x00", b"h\x01", b"2",
        b"(", b"t", b"l", b"d", b"]", b"}", b")", b"a", b"e", b"s", b"u", b"R", b"b", b"0", b"1", b"Q", b".", b"N",
        b"cos\nsystem\n", b"cbuiltins\nbytearray\n", b"J\xff\xff\xff\x7f", b"\x8a\x08" + b"\xff" * 7 + b"\x7f",
        b"K\x00\x85", b"\x86", b"]q\x09h\x09a", b"(" * 5000, b"K\x00" + b"\x85" * 5000,
        b"K\x00K\x00\x86" + b"q\x07h\x07\x86" * 60, b"B" + struct.pack("<I", rng.choice(NUMBERS) % 2**32),
        b"\x8e" + struct.pack("<Q", rng.choice(NUMBERS)), b"\x95" + struct.pack("<Q", rng.choice(NUMBERS)), b"M\xff\xff",
    ]  # fmt: skip
    data = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        at = rng.choice([rng.randrange(len(data) + 1), max(0, len(data) - 1), 2])
        data[at:at] = b"".join(rng.choice(parts) for _ in range(rng.randint(1, 4)))
    return bytes(data)


def changed_checkpoint(rng: Generator, content: bytes) -> bytes:
    """Another description or other tensors, well written; or any change of the archive and its pickle."""
    if rng.random() < 0.5:

        def member(rng: Generator, name: str, inside: bytes) -> bytes:
            return changed_pickle(rng, inside) if name.endswith(".pkl") and rng.random() < 0.6 else damage(rng, inside)

        return changed_archive(rng, content, member)
    whole = torch.load(io.BytesIO(content), weights_only=True)
    nested = isinstance(whole, dict) and "state" in whole
    state = whole["state"] if nested else whole
    if rng.random() < (0.4 if nested else 0.8):
        name = rng.choice(sorted(state))
        tensor, number = state[name], rng.choice([*NUMBERS, -1])
        state[name] = rng.choice([
            lambda: torch.full_like(tensor, number), lambda: torch.full_like(tensor, number),
            lambda: tensor.expand(10**5, *tensor.shape), lambda: tensor.to(torch.float64), lambda: tensor.reshape(-1)[1:],
            lambda: tensor * math.nan, lambda: torch.full_like(tensor, 1e-40, dtype=torch.float32), lambda: tensor.T,
            lambda: 1.0, lambda: tensor.reshape(-1), lambda: None, lambda: tensor.to_sparse(), lambda: tensor.numpy(),
        ])()  # fmt: skip
    elif not nested:
        some = {name: tensor for name, tensor in state.items() if rng.random() < 0.8}
        others = [{"state_dict": state}, {"x": state}, {**state, "adj_t": 0}, [*state.values()], changed_value(rng, 0)]
        whole = rng.choice([some, *others])
    else:
        rest = changed_value(rng, {name: value for name, value in whole.items() if name != "state"})
        whole = {**rest, "state": state} if isinstance(rest, dict) else rest
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.save(whole, stream)
        except RecursionError:
            return changed_pickle(rng, content)
    return stream.getvalue()


def changed_image(rng: Generator, content: bytes) -> bytes:
    """A PNG with a changed chunk under a right checksum; other files are changed blindly near their beginning."""
    if not content.startswith(b"\x89PNG"):
        return damage(rng, content[:120]) + content[120:]
    chunks, at = [], 8
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    which = rng.randrange(len(chunks))
    kind, inside = chunks[which]
    chunks[which] = (rng.choice([kind, kind, b"acTL", b"tRNS", b"eXIf", b"iCCP", b"PLTE"]), damage(rng, inside))
    if rng.random() < 0.2:
        chunks.insert(which, chunks[rng.randrange(len(chunks))])
    found = b"".join(struct.pack(">I", len(i)) + k + i + struct.pack(">I", zlib.crc32(k + i)) for k, i in chunks)
    return content[:8] + found
