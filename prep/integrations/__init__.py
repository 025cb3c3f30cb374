"""prep inside orchestrators; each module needs its extra (`leadprep[airflow]`, `leadprep[dagster]`)."""
