"""The desktop viewer: ``python viewers/desktop.py FILE ... [--walk] [--model NAME]``.

A window of Open3D with the tree of parts, colours, levels, relations, walks and latents of shapes;
the same as ``shapegen view --backend open3d``, and all of it is in ``shapegen.view.desktop``.
"""

from __future__ import annotations

import sys

from shapegen.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["view", "--backend", "open3d"]
    main()
