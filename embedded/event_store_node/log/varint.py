"""Numbers and lengths as protocol messages have them: seven bits to a byte, the lowest first."""


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_LENGTHS = [varint(n) for n in range(4096)]


def length_of(chunk: bytes) -> bytes:
    """What stands before a chunk of bytes; that of a small one is looked up."""
    size = len(chunk)
    return _LENGTHS[size] if size < 4096 else varint(size)
