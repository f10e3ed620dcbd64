"""``python -m shapegen``: the command line."""

from shapegen.cli import main

if __name__ == "__main__":
    main()
