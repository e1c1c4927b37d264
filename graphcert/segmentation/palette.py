"""Names and colours of classes in pictures."""

import colorsys

Colour3 = tuple[int, int, int]

CAMVID = {
    "sky": (129, 183, 222),
    "building": (122, 108, 103),
    "pole": (214, 204, 160),
    "road": (96, 88, 122),
    "pavement": (203, 150, 189),
    "tree": (98, 148, 74),
    "sign": (240, 200, 60),
    "fence": (178, 132, 92),
    "car": (46, 84, 164),
    "pedestrian": (214, 66, 74),
    "bicyclist": (240, 138, 52),
}
"""The eleven classes of CamVid (Brostow et al. 2009) in the order of the usual masks, where 11 is void."""

_TURN = 0.61803398875
"""Hues that are so far apart never come close to each other."""


def colours(names: tuple[str, ...]) -> tuple[Colour3, ...]:
    """One colour per class: the usual one for the classes of CamVid, otherwise hues that are easy to tell apart."""
    return tuple(CAMVID.get(name) or _hue(k) for k, name in enumerate(names))


def _hue(k: int) -> Colour3:
    red, green, blue = colorsys.hls_to_rgb((0.58 + k * _TURN) % 1, (0.42, 0.58, 0.5)[k % 3], (0.55, 0.5)[k % 2])
    return round(255 * red), round(255 * green), round(255 * blue)
