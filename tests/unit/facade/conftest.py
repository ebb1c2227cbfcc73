"""Heavy libraries that tests of the published names use are loaded before the first of them."""

import pandas  # noqa: F401 - it takes a second, which is not to be of a test
import pyarrow.parquet  # noqa: F401 - so does it
