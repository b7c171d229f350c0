"""Find the readers and analyses that the project has, so that no list must be edited to add one."""

import importlib
import inspect
import pkgutil
from typing import TypeVar

Plugin = TypeVar("Plugin")


def discover(package: str, base: type[Plugin]) -> dict[str, type[Plugin]]:
    """Import every module of `package` and return its concrete subclasses of `base`.

    Parameters
    ----------
    package : str
        Dotted name of an importable package.
    base : type
        The class that the plug-ins inherit; each must carry a non-empty ``slug``.

    Returns
    -------
    dict
        The classes by slug, sorted by slug.

    Raises
    ------
    ValueError
        If two classes carry the same slug, or one carries none.
    """
    root = importlib.import_module(package)
    found: dict[str, type[Plugin]] = {}
    for info in pkgutil.walk_packages(root.__path__, prefix=f"{package}."):
        module = importlib.import_module(info.name)
        for _, member in inspect.getmembers(module, inspect.isclass):
            # A class is counted where it is written, not where it is imported.
            if member.__module__ != info.name or not issubclass(member, base) or inspect.isabstract(member):
                continue
            slug = getattr(member, "slug", "")
            if not slug:
                raise ValueError(f"{info.name}.{member.__name__} has no slug.")
            if slug in found:
                raise ValueError(f"'{slug}' is the slug of both {found[slug].__name__} and {member.__name__}.")
            found[slug] = member
    return dict(sorted(found.items()))
