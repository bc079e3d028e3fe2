import uuid

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.name_based_ids import uuid5_text


@given(st.uuids(), st.text(st.characters(exclude_categories=["Cs"])))
def test_it_is_what_the_standard_library_makes(namespace: uuid.UUID, name: str) -> None:
    assert uuid5_text(namespace, name) == str(uuid.uuid5(namespace, name))
