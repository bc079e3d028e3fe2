"""A domain of two small aggregates and two views, for tests of the engines: nothing of the bundled domain is in it.

Aggregates: `lamp` is installed, switched on and switched off (LampInstalled has two schema versions); `parcel` is sent
and delivered. Views: `lamp_details` is made of one lamp's stream and asked for by key (with its version) and as lists;
`parcel_days` is made of all parcels of a day and asked for by day and as a range of days.
"""

from infrastructure.application import Application
from infrastructure.event_codec import EventCodec
from tests.support.tiny.lamp import LAMP
from tests.support.tiny.lamp_details import LAMP_DETAILS
from tests.support.tiny.parcel import PARCEL
from tests.support.tiny.parcel_days import PARCEL_DAYS

TINY = Application(aggregates=(LAMP, PARCEL), views=(LAMP_DETAILS, PARCEL_DAYS))
TINY_CODEC = EventCodec(TINY.aggregates)

__all__ = ["LAMP", "LAMP_DETAILS", "PARCEL", "PARCEL_DAYS", "TINY", "TINY_CODEC"]
