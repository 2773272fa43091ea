"""Makes `../fixtures/pictures`: random YUYV pixels, and what OpenCV makes of them.

    make_pictures.py OUT_FOLDER
"""

import sys
from pathlib import Path

import cv2
import numpy as np

SIZE = (16, 32)


def main(folder: Path) -> None:
    yuyv = np.random.default_rng(20261121).integers(0, 256, (*SIZE, 2), dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "noise_32x16.yuyv").write_bytes(yuyv.tobytes())
    (folder / "noise_32x16.rgb").write_bytes(cv2.cvtColor(yuyv, cv2.COLOR_YUV2RGB_YUY2).tobytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
