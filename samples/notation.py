"""The generated names of pellets and cells. Pure: faces and materials in, text out."""


def pellet_notation(material: str, faces: dict[str, str]) -> str:
    """Name of a pellet: A then B, each treated face named.

    Parameters
    ----------
    material : str
        Code of the electrolyte, e.g. ``LAGP``.
    faces : dict
        Outermost film per treated face, e.g. ``{"A": "CuS", "B": "Li₂S/Cu"}``.

    Returns
    -------
    str
        ``LAGP``, ``CuS@LAGP`` (one face, whichever), ``CuS@LAGP@CuS``.
    """
    if not faces:
        return material
    if len(faces) == 1:
        (film,) = faces.values()
        return f"{film}@{material}"
    return f"{faces['A']}@{material}@{faces['B']}"


def cell_notation(left: str, right: str, material: str, faces: dict[str, str], left_face: str = "A") -> str:
    """Name of a cell, e.g. ``Li|Li₂S/Cu@LAGP|LFP``.

    Parameters
    ----------
    left, right : str
        Codes of the electrodes.
    material, faces :
        As for `pellet_notation`.
    left_face : str
        Face of the pellet that touches the left electrode. Where both electrodes are alike the order is not seen, and
        a single treated face is named first.
    """
    if len(faces) == 1:
        ((face, film),) = faces.items()
        body = f"{film}@{material}" if left == right or face == left_face else f"{material}@{film}"
    else:
        ordered = faces if left_face == "A" or not faces else {"A": faces["B"], "B": faces["A"]}
        body = pellet_notation(material, ordered)
    return f"{left}|{body}|{right}"
