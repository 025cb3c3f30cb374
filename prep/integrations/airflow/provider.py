"""What Airflow asks every installed provider, through the entry point `apache_airflow_provider`."""

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """The provider's connection type with its form, and where hook, operators and trigger live.

    https://airflow.apache.org/docs/apache-airflow-providers/howto/create-custom-providers.html
    """
    return {
        "package-name": "leadprep",
        "name": "Marketo bulk import (prep)",
        "description": "Gets lead files into Adobe Marketo through bulk import. Unofficial.",
        "integrations": [
            {"integration-name": _NAME, "external-doc-url": "https://business.adobe.com", "tags": ["service"]}
        ],
        "hooks": [_modules("hook")],
        "operators": [_modules("operators")],
        "triggers": [_modules("trigger")],
        "connection-types": [
            {
                "connection-type": "marketo",
                "hook-class-name": "prep.integrations.airflow.hook.MarketoHook",
                "hook-name": "Marketo (bulk import)",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {
                        "host": "Endpoint",
                        "login": "Client id",
                        "password": "Client secret",
                    },
                    "placeholders": {
                        "host": "https://123-ABC-456.mktorest.com",
                        "login": "of the service in LaunchPoint",
                        "password": "is masked, and never written or logged",
                    },
                },
                "conn-fields": {
                    "allow_host": {
                        "label": "Further host",
                        "description": "The one host besides *.mktorest.com that may be talked to.",
                        "schema": {"type": ["string", "null"]},
                    }
                },
            }
        ],
    }


_NAME = "Marketo"


def _modules(name: str) -> dict[str, Any]:
    return {"integration-name": _NAME, "python-modules": [f"prep.integrations.airflow.{name}"]}
