"""Has no tools."""


def not_a_tool() -> None:
    """A plain function."""
