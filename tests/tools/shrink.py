#!/usr/bin/env python3
"""A report, or a contact sheet's first rows, with smaller pictures for docs/: half as wide and high, in WebP or JPEG.

    shrink.py out/report.html docs/tasks/report.html
    shrink.py out/failures.png docs/tasks/failures.jpg --height 1000
"""

from __future__ import annotations

import argparse
import base64
import io
import re
from pathlib import Path

from PIL import Image

PICTURE = re.compile(rb"data:image/png;base64,([A-Za-z0-9+/=]+)")
QUALITY = 60


def smaller(png: bytes, form: str, height: int | None = None) -> bytes:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture = picture.crop((0, 0, picture.width, min(picture.height, height or picture.height)))
    picture = picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    picture.save(written, form, quality=QUALITY)
    return written.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--height", type=int, help="of a contact sheet: pixels from its top")
    args = parser.parse_args()
    content = args.source.read_bytes()
    if args.source.suffix == ".png":
        content = smaller(content, "JPEG", args.height)
    else:
        as_webp = lambda found: b"data:image/webp;base64," + base64.b64encode(smaller(base64.b64decode(found[1]), "WEBP"))  # noqa: E731
        content = PICTURE.sub(as_webp, content)
    args.target.write_bytes(content)


if __name__ == "__main__":
    main()
