"""Where the files that ship with Paddock (images, policies) are on this disk."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from runner.errors import StoreError

Part = Literal["images", "policies"]


def shipped(part: Part) -> Path:
    """The folder `part`: inside the package when installed from a wheel, beside it in a checkout.

    Raises StoreError when neither is there, which means that the installation is incomplete.
    """
    package = Path(__file__).resolve().parent
    # The wheel's copy comes first: beside an installed package lies site-packages, which belongs to everybody.
    for folder in (package / "_shipped" / part, package.parent / part):
        if folder.is_dir():
            return folder
    raise StoreError(f"the folder of shipped {part} is missing beside {package}", hint="install Paddock again")
