"""Where the reports are kept: a Parquet file for each asset and partition."""

from pathlib import Path

import dagster as dg
import pandas as pd
from upath import UPath


class ParquetIOManager(dg.UPathIOManager):
    """Data frames as Parquet files under a folder."""

    extension = ".parquet"

    def __init__(self, folder: Path):
        super().__init__(base_path=UPath(folder))

    def dump_to_path(self, context: dg.OutputContext, obj: pd.DataFrame, path: UPath) -> None:
        with path.open("wb") as stream:
            obj.to_parquet(stream)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> pd.DataFrame:
        with path.open("rb") as stream:
            return pd.read_parquet(stream)
