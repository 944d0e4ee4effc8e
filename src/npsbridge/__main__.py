"""`python -m npsbridge` is the command `npsbridge`."""

from npsbridge.cli import main

if __name__ == "__main__":
    main()
