"""Great Expectations: a suite over a pandas frame, and the positions of the rows that break it."""

import os

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
import pandas as pd
from great_expectations.expectations import (
    ExpectColumnValueLengthsToBeBetween,
    ExpectColumnValuesToMatchRegex,
    ExpectColumnValuesToMatchStrftimeFormat,
    ExpectColumnValuesToNotBeNull,
)

from benchmarks.peers.job import (
    ADDRESS_PATTERN,
    BIRTH,
    EMAIL,
    EMPLOYEES,
    MOST_CHARACTERS,
    TEXTS,
    answer,
    arguments,
)


def main() -> None:
    """Read with pandas, validate, write the result."""
    source, folder = arguments()
    leads = pd.read_csv(source, dtype=str, keep_default_na=False, na_values=[""])
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("files").add_dataframe_asset("leads")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": leads})
    suite = gx.ExpectationSuite("leads")
    for rule in (
        ExpectColumnValuesToNotBeNull(column=EMAIL),
        ExpectColumnValuesToMatchRegex(column=EMAIL, regex=ADDRESS_PATTERN),
        ExpectColumnValuesToMatchRegex(column=EMPLOYEES, regex=r"^[+-]?\d+$"),
        ExpectColumnValuesToMatchStrftimeFormat(column=BIRTH, strftime_format="%Y-%m-%d"),
        *(ExpectColumnValueLengthsToBeBetween(column=name, max_value=MOST_CHARACTERS) for name in TEXTS),
    ):
        suite.add_expectation(rule)
    result = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    (folder / "result.json").write_text(str(result))
    broken = {row for rule in result.results for row in rule.result["unexpected_index_list"]}
    answer(valid=len(leads) - len(broken))


if __name__ == "__main__":
    main()
