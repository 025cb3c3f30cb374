"""prep inside of other engines; each module needs its extra (`airflow`, `dagster` or `spark`)."""
