"""Records from a named source, and their split into who holds what."""

from jaxprivacy.data.others import of_others
from jaxprivacy.data.partitions import PARTITIONS, partition
from jaxprivacy.data.sources import Dataset, load
from jaxprivacy.data.splits import Count, MembershipRecords, Split, counts, split
