"""A provider for Airflow 3: a hook, four operators, and a trigger that waits without a worker."""

from importlib.util import find_spec

if find_spec("airflow") is None:
    raise ModuleNotFoundError("Airflow is not installed: pip install 'leadprep[airflow]'", name="airflow")
