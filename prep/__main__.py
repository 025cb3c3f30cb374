"""`python -m prep` is the `prep` command."""

from prep.cli import main

if __name__ == "__main__":
    main()
