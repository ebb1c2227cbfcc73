"""The query API: a release as a data set, in memory; `docs/reference/query-api.md` describes it."""

from blox_store.dataset.benchmarking import BenchmarkingDataset, Devices
from blox_store.dataset.budget import Budget, Simulated
from blox_store.dataset.dataset import Dataset
from blox_store.dataset.env_info import EnvInfoDataset
from blox_store.dataset.files.chosen_files import Formats, Seeds, default_formats, from_folder
from blox_store.dataset.lazy_file import table_of
from blox_store.dataset.ranking import Ranked
from blox_store.dataset.static_info import StaticInfoDataset

__all__ = [
    "BenchmarkingDataset",
    "Budget",
    "Dataset",
    "Devices",
    "EnvInfoDataset",
    "Formats",
    "Ranked",
    "Seeds",
    "Simulated",
    "StaticInfoDataset",
    "default_formats",
    "from_folder",
    "table_of",
]
