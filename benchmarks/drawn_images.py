"""Two grey image sets of ten classes, drawn: on which no default was chosen.

    python -m benchmarks.drawn_images --out=FOLDER

writes letters.npz (A to J in sixteen typefaces, turned, sheared and shifted) and
clothes.npz (ten garments of random cut, tone and pattern), 28 x 28 and 10,000 images
each. What the GAN attack's defaults reach on images that they were not chosen on is
measured there; docs/paper_a.md has it.
"""

from __future__ import annotations

import pathlib

import numpy as np
from absl import app, flags
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from jaxprivacy import errors

SIDE, OVER = 28, 4  # pixels; drawn larger and averaged down
BIG = SIDE * OVER
COUNT = 1000  # images a class
LETTERS = "ABCDEFGHIJ"
# Typefaces that matplotlib brings along.
FACES = [
    f"DejaVu {family}:style={style}:weight={weight}"
    for family in ("Sans", "Serif", "Sans Mono")
    for style, weight in (
        ("normal", "normal"),
        ("normal", "bold"),
        ("oblique", "normal"),
        ("oblique", "bold"),
    )
]

_OUT = flags.DEFINE_string("out", None, "folder that the two files are written to")


def letter(rng: np.random.Generator, index: int) -> Image.Image:
    """Draws a letter, white on black."""
    face = font_manager.findfont(FACES[rng.integers(len(FACES))])
    font = ImageFont.truetype(face, int(rng.uniform(0.7, 0.95) * BIG))
    image = Image.new("L", (BIG, BIG))
    ImageDraw.Draw(image).text(
        (BIG / 2, BIG / 2),
        LETTERS[index],
        fill=int(rng.uniform(180, 255)),
        font=font,
        anchor="mm",
    )
    return moved(rng, image, turn=0.25, shear=0.2)


def moved(
    rng: np.random.Generator, image: Image.Image, turn: float, shear: float
) -> Image.Image:
    """Turns (radians), shears, scales and shifts an image about its centre."""
    angle, slant = rng.uniform(-turn, turn), rng.uniform(-shear, shear)
    scale = rng.uniform(0.9, 1.15, 2)
    rotate = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotate @ np.array([[1, slant], [0, 1]]) @ np.diag(scale)
    shift = rng.uniform(-0.05, 0.05, 2) * BIG
    centre = np.full(2, BIG / 2)
    offset = centre - matrix @ (centre + shift)
    row = np.column_stack([matrix, offset]).reshape(-1)
    return image.transform((BIG, BIG), Image.AFFINE, tuple(row), Image.BILINEAR)


def _points(rng, points, wobble=0.02):
    """Outlines in [0, 1] with a random cut, and their mirror image, in pixels."""
    half = np.asarray(points) + rng.normal(0, wobble, (len(points), 2))
    half[:, 0] = np.minimum(half[:, 0], 0.5)
    both = np.concatenate([half, (half * [-1, 1] + [1, 0])[::-1]])
    return [tuple(p) for p in both * BIG]


def _shape(rng, points, wobble=0.02):
    shape = np.asarray(points) + rng.normal(0, wobble, (len(points), 2))
    return [tuple(p) for p in shape * BIG]


# Left halves, from the top centre down; the right half mirrors them.
HALVES = {
    "shirt": [
        *((0.5, 0.2), (0.38, 0.14), (0.2, 0.2), (0.06, 0.42), (0.2, 0.5)),
        *((0.28, 0.4), (0.28, 0.86), (0.5, 0.86)),
    ],
    "trousers": [
        *((0.5, 0.08), (0.32, 0.08), (0.28, 0.92), (0.44, 0.92), (0.49, 0.35)),
        (0.5, 0.35),
    ],
    "dress": [
        *((0.5, 0.12), (0.38, 0.08), (0.36, 0.25), (0.42, 0.42), (0.22, 0.92)),
        (0.5, 0.92),
    ],
    "coat": [
        *((0.5, 0.12), (0.36, 0.08), (0.2, 0.14), (0.08, 0.8), (0.2, 0.84)),
        *((0.28, 0.36), (0.27, 0.94), (0.5, 0.94)),
    ],
    "skirt": [(0.5, 0.2), (0.36, 0.2), (0.16, 0.8), (0.5, 0.84)],
    "hat": [
        *((0.5, 0.25), (0.36, 0.27), (0.32, 0.56), (0.06, 0.62), (0.1, 0.72)),
        (0.5, 0.74),
    ],
}
SHAPES = {
    "shoe": [
        *((0.08, 0.45), (0.3, 0.42), (0.5, 0.55), (0.9, 0.62), (0.94, 0.76)),
        (0.06, 0.76),
    ],
    "boot": [
        *((0.2, 0.08), (0.5, 0.08), (0.52, 0.6), (0.88, 0.7), (0.9, 0.9)),
        (0.18, 0.9),
    ],
    "sock": [
        *((0.55, 0.06), (0.8, 0.08), (0.76, 0.6), (0.4, 0.9), (0.16, 0.84)),
        *((0.2, 0.7), (0.52, 0.52)),
    ],
}
CLOTHES = (*HALVES, *SHAPES, "bag")


def garment(rng: np.random.Generator, index: int) -> Image.Image:
    """Draws a garment with a tone, a shade and at times stripes."""
    name = CLOTHES[index]
    mask = Image.new("L", (BIG, BIG))
    draw = ImageDraw.Draw(mask)
    if name in HALVES:
        draw.polygon(_points(rng, HALVES[name]), fill=255)
    elif name in SHAPES:
        draw.polygon(_shape(rng, SHAPES[name]), fill=255)
    else:
        top, left = rng.uniform(0.38, 0.48) * BIG, rng.uniform(0.1, 0.2) * BIG
        draw.rectangle((left, top, BIG - left, 0.86 * BIG), fill=255)
        handle = rng.uniform(0.24, 0.34) * BIG
        box = (handle, rng.uniform(0.12, 0.2) * BIG, BIG - handle, 1.4 * top)
        draw.arc(box, 180, 360, fill=255, width=int(rng.uniform(5, 9)))
    rows, columns = np.mgrid[:BIG, :BIG] / BIG
    tone = rng.uniform(90, 230) * (1 + rng.uniform(-0.3, 0.3) * (rows - 0.5))
    if rng.random() < 0.4:
        along = rows if rng.random() < 0.5 else columns
        stripes = np.sin(2 * np.pi * along * rng.uniform(4, 10))
        tone = tone * (1 + rng.uniform(0.1, 0.35) * stripes)
    shaded = np.asarray(mask, np.float64) / 255 * np.clip(tone, 0, 255)
    image = Image.fromarray(shaded.astype(np.uint8))
    return moved(rng, image, turn=0.08, shear=0.05)


def draw_set(rng: np.random.Generator, one, classes: int = 10) -> dict:
    """Draws COUNT images of each class: `x` (N, 28, 28) uint8 and `y` (N,)."""
    y = np.repeat(np.arange(classes), COUNT)
    images = [
        one(rng, index)
        .filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2.0)))
        .resize((SIDE, SIDE), Image.BOX)
        for index in y
    ]
    order = rng.permutation(len(y))
    return {"x": np.stack(images)[order], "y": y[order]}


def main(argv: list[str]) -> None:
    """Writes both sets."""
    del argv
    if not _OUT.value:
        raise errors.InputError("out", "", "is a folder")
    folder = pathlib.Path(_OUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, one) in enumerate({"letters": letter, "clothes": garment}.items()):
        np.savez_compressed(
            folder / f"{name}.npz", **draw_set(np.random.default_rng(seed), one)
        )


if __name__ == "__main__":
    app.run(main)
