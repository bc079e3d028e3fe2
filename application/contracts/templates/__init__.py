"""The texts of contracts: one file a version. A file that was published is never changed."""

from importlib.resources import files

from infrastructure.outside.pdf import DocumentTemplate


def load_template(name: str, version: int) -> DocumentTemplate:
    """Raises FileNotFoundError where there is no such version."""
    return DocumentTemplate(name, version, files(__package__).joinpath(f"{name}-{version}.typ").read_text("utf-8"))
