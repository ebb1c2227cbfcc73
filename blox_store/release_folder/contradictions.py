"""What a manifest says that cannot be true, whatever the files hold."""

from __future__ import annotations

from collections.abc import Iterator

from blox_core.errors import LatencyError, RecipeError
from blox_core.latency import DeviceIdentity, LatencyProtocol
from blox_core.recipe import Recipe
from blox_core.space.index_spans import indices_of
from blox_store.release_folder.manifest import FileEntry, Manifest, devices_of


def contradictions(manifest: Manifest) -> Iterator[str]:
    """Yield what a manifest says that cannot be true, whatever the files hold."""
    trainings = manifest.trainings
    try:
        recipe = Recipe.from_dict(trainings.recipe)
    except RecipeError as error:
        yield str(error)
        return
    if recipe.fingerprint != trainings.recipe_fingerprint:
        yield "its recipe is not of its fingerprint"
    if recipe.dataset != trainings.dataset:
        yield f"its data set is {trainings.dataset}, that of its recipe {recipe.dataset}"
    if trainings.trainer_revision < 0:
        yield f"its trainer_revision is {trainings.trainer_revision}, 0 or more is allowed"
    numbers = [seed.seed for seed in manifest.seeds]
    if numbers != sorted({*numbers}) or min(numbers, default=0) < 0:
        yield f"its seeds are {numbers}, different ones of 0 or more in order are allowed"
    yield from _device_contradictions(manifest)
    for file in manifest.files:
        for fact, value in (("dataset", recipe.dataset), ("epochs", recipe.epochs)):
            if file.header.get(fact, value) != value:
                yield f"{file.name} has {fact} {file.header[fact]!r}, its recipe {value!r}"


def _device_contradictions(manifest: Manifest) -> Iterator[str]:
    names = [entry.device for entry in manifest.devices]
    if names != sorted({*names}):
        yield f"its devices are {names}, different ones in order are allowed"
    for name in sorted({*names} - devices_of(manifest.files)):
        yield f"its device {name} has no file"
    for file in manifest.files:
        yield from _prediction_contradictions(manifest, file)
    for entry in manifest.devices:
        if not entry.has_protocol:
            continue
        try:
            protocol = LatencyProtocol.from_dict(entry.protocol)
            for identity in entry.identities:
                DeviceIdentity.from_dict(identity)
        except LatencyError as error:
            yield f"of device {entry.device}: {error}"
            continue
        if protocol.fingerprint != entry.protocol_fingerprint:
            yield f"the protocol of device {entry.device} is not of its fingerprint"


def _prediction_contradictions(manifest: Manifest, file: FileEntry) -> Iterator[str]:
    """Yield what cannot be of the predicted rows that a manifest lists; older ones list none."""
    for entry in manifest.devices:
        if entry.device != file.device:
            continue
        listed, counted = len(indices_of(entry.predicted)), file.header.get("predicted", 0)
        if listed and listed != counted:
            yield f"{file.name} has {counted} predicted rows, by its device's entry {listed}"
