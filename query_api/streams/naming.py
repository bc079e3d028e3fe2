"""What the routes of an aggregate are called, from its category: paths, operations, and words for readers."""

from domain.model.aggregate import Aggregate
from read_models.model.parameter import Identifier, Parameter


def aggregate_path(aggregate: Aggregate) -> str:
    """The path of one instance, the same as that of its commands."""
    return f"/{aggregate.plural}/{{{aggregate.id_field}}}"


def id_parameter(aggregate: Aggregate) -> Parameter:
    """The id in that path."""
    return Parameter(aggregate.id_field, Identifier())


def operation_of(verb: str, aggregate: Aggregate, what: str) -> str:
    """The name of an operation, such as `Get<Category>History`."""
    return verb + "".join(word.capitalize() for word in aggregate.category.split("_")) + what


def with_article(aggregate: Aggregate) -> str:
    """The category at the beginning of a sentence."""
    return f"{'An' if aggregate.category[0] in 'aeiou' else 'A'} {aggregate.category.replace('_', ' ')}"
