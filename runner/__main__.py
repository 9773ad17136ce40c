"""`python -m runner` is `paddock`."""

from runner.cli.app import main

if __name__ == "__main__":
    main()
