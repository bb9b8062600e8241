"""`python -m jwstwatch` is `jwstwatch`."""

from jwstwatch.cli.main import run

if __name__ == "__main__":
    run()
