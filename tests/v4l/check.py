"""Judges what `local_camera` saw in the guest.

    check.py CONSOLE WIDTH HEIGHT

vivid shows colour bars of 75 %: white, yellow, cyan, green, magenta, red, blue and black, in the kernel's own conversion to YUYV.
"""

import json
import sys
from itertools import groupby

BARS = [[int(191 * part) for part in bar] for bar in ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0))]
# Of 255: YUYV has 219 steps of brightness, and its colours are rounded twice.
TOLERANCE = 4


def main(console: str, width: str, height: str) -> None:
    with open(console, errors="replace") as file:
        lines = [json.loads(line[line.index("{") :]) for line in file if line.rstrip().endswith("}") and "{" in line]
    parts, name = {}, None
    for line in lines:
        if "guest" in line:
            name = line["guest"]
            parts[name] = []
        else:
            parts[name].append(line)
    assert name == "done", f"the guest did not come to its end: {lines[-3:]}"
    for picture in (line for part in parts.values() for line in part if "stripes" in line):
        assert [picture["width"], picture["height"]] == [int(width), int(height)], picture
        for stripe, bar in zip(picture["stripes"], BARS, strict=True):
            assert all(abs(found - expected) <= TOLERANCE for found, expected in zip(stripe, bar)), (stripe, bar)
    assert ["stripes" in line for line in parts["standing"]] == [True] * 8, parts["standing"]
    kinds = [kind for kind, _ in groupby("pictures" if "stripes" in line else "errors" for line in parts["unplugged and plugged in"])]
    assert kinds == ["pictures", "errors", "pictures"], parts["unplugged and plugged in"]
    refused = parts["what it cannot do"]
    assert refused and all("error" in line for line in refused), refused
    unplugged = [line["error"] for line in parts["unplugged and plugged in"] if "error" in line]
    print(f"24 pictures of {width} x {height} in YUYV, colours as vivid's bars; unplugged ({unplugged[0]}), {len(unplugged)} failures, and there again")
    print(f"MJPEG, which vivid has not: {refused[0]['error']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
