"""The data of an audit, federated or stand-alone."""

from __future__ import annotations

from jaxprivacy import data as data_lib
from jaxprivacy.studies import settings as settings_lib, training

LARGE_IMAGES, RECORDS_OF_LARGE_IMAGES = 16, 4000


def load(settings: settings_lib.Settings) -> data_lib.Dataset:
    """Loads the data of checked settings, and checks that the model takes them.

    Images of more than 16 pixels are cut to 4,000 records unless `records` says
    otherwise: a few minutes on two cores.

    Raises:
      InputError: what the settings ask for cannot be had.
    """
    dataset = data_lib.load(settings.data, records=settings.records, seed=settings.seed)
    large = dataset.is_image and max(dataset.x.shape[1:3]) > LARGE_IMAGES
    if settings.records is None and large and len(dataset.y) > RECORDS_OF_LARGE_IMAGES:
        dataset = data_lib.load(
            settings.data, records=RECORDS_OF_LARGE_IMAGES, seed=settings.seed
        )
    training.check_model(settings, dataset)
    return dataset
