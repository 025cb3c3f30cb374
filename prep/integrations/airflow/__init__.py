"""A provider for Airflow 3: a hook, four operators, and a trigger that waits without a worker."""
