"""Ways to break a file, always the same ones: bytes flipped, cut off, doubled, or swapped for others."""

import json
import random
from collections.abc import Iterator

from safetensors import safe_open
from safetensors.torch import load_file, save_file

ODD = [
    None,
    "",
    "x",
    "9" * 400,
    -1,
    0,
    2**70,
    10**9,
    1e308,
    float("nan"),
    float("inf"),
    True,
    [],
    {},
    [[]],
    [0] * 3,
    {"a": 1},
]


def broken_bytes(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Mutations of a file's bytes."""
    draw = random.Random(seed)
    yield b""
    for _ in range(count):
        data = bytearray(content)
        kind = draw.randrange(4)
        if kind == 0:  # flip bits, most of them at the start, where headers are
            for _ in range(draw.choice((1, 1, 4))):
                place = draw.randrange(len(data) if draw.random() < 0.5 else min(len(data), 600))
                data[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del data[draw.randrange(len(data)) :]
        elif kind == 2:
            place = draw.randrange(len(data))
            data[place : place + draw.randrange(1, 40)] = draw.randbytes(draw.randrange(40))
        else:
            place = draw.randrange(len(data))
            data[place:place] = data[max(0, place - 50) : place]
        yield bytes(data)


def broken_values(value: object, count: int, seed: int) -> Iterator[object]:
    """Mutations of nested dictionaries and lists: keys dropped, values swapped for odd ones."""
    draw = random.Random(seed)
    for _ in range(count):
        copy = json.loads(json.dumps(value))
        node, key = copy, None
        while isinstance(node, (dict, list)) and node:
            parent, key = node, draw.choice(list(node) if isinstance(node, dict) else range(len(node)))
            node = parent[key]
            if draw.random() < 0.4:
                break
        if draw.random() < 0.3:
            del parent[key]
        else:
            parent[key] = draw.choice(ODD)
        yield copy


def contents(path):
    """Tensors and header of a file, the header as it was in format 1, which had no checksum."""
    with safe_open(path, "pt") as opened:
        header = json.loads(opened.metadata()["diffkin"])
    assert header.pop("format") == 2 and isinstance(header.pop("checksum"), int)
    return {name: tensor.clone() for name, tensor in load_file(path).items()}, {"format": 1, **header}


def rewrite(path, tensors, header) -> None:
    """A file of these; a header that is a text is written as it is."""
    text = header if isinstance(header, str) else json.dumps(header)
    save_file(tensors, path, metadata={"diffkin": text})
