"""Expressions and prefixes that names are matched against, in a time that is linear in the name's length."""

from collections.abc import Callable

import re2

from embedded.event_store_node.protocol.dotnet_regex import InvalidRegexError, Term, translated

Matches = Callable[[str], bool]

# For both, far beyond what is in use; without a bound one request could be minutes of work.
MAX_REGEX_LENGTH = 8_192
MAX_PREFIXES = 2_048
MAX_PREFIXES_LENGTH = 65_536
# Time is bounded by these times the name's length.
_MAX_INSTRUCTIONS = 8_000
_MAX_REPEATED = 300
_MAX_MEMORY = 4 * 2**20


def prefix_matcher(prefixes: tuple[str, ...]) -> Matches:
    """
    Raises:
        InvalidRegexError: they are too many, or too long.
    """
    if len(prefixes) > MAX_PREFIXES or sum(map(len, prefixes)) > MAX_PREFIXES_LENGTH:
        raise InvalidRegexError(
            f"there may be {MAX_PREFIXES} prefixes, of {MAX_PREFIXES_LENGTH} characters together, at most"
        )
    return lambda name: name.startswith(prefixes)


def regex_matcher(regex: str) -> Matches:
    """
    Whether a .NET expression is found in a name.

    Raises:
        InvalidRegexError: it is malformed, too large, or not understood; the message says what and where.
    """
    if len(regex) > MAX_REGEX_LENGTH:
        raise InvalidRegexError(f"it has {len(regex)} characters; {MAX_REGEX_LENGTH} are the most")
    try:
        translation = translated(regex)
        if translation.repeated > _MAX_REPEATED:
            raise InvalidRegexError(
                f"it is too complex: {translation.repeated} characters in repetitions, {_MAX_REPEATED} are the most"
            )
        alternatives = [[(_search(term), term.is_wanted) for term in terms] for terms in translation.alternatives]
    except RecursionError:
        raise InvalidRegexError("its groups or classes are nested too deeply") from None
    size = sum(search.programsize for terms in alternatives for search, _ in terms)
    if size > _MAX_INSTRUCTIONS:
        raise InvalidRegexError(f"it is too large: {size} steps, {_MAX_INSTRUCTIONS} are the most")
    return lambda name: any(
        all((search.search(name) is not None) is is_wanted for search, is_wanted in terms) for terms in alternatives
    )


def _search(term: Term) -> "re2._Regexp":
    options = re2.Options()
    options.max_mem = _MAX_MEMORY
    options.never_capture = True
    options.log_errors = False
    try:
        return re2.compile(term.regex, options)
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise InvalidRegexError(text) from None
