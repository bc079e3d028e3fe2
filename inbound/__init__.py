"""The consumer of other systems' messages: each becomes commands once, in order a key, or is
set aside with a reason."""
