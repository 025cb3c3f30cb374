"""The public surface: what is listed is there, and no submodule takes a public function's name."""

import importlib
import pkgutil

import prep


def test_every_public_name_is_there_after_every_submodule_was_imported() -> None:
    for module in pkgutil.walk_packages(prep.__path__, "prep."):
        if not module.name.endswith("__main__") and not module.name.startswith("prep.integrations."):
            importlib.import_module(module.name)
    for name in prep.__all__:
        public = getattr(prep, name)
        assert callable(public), name
        assert public.__module__.startswith("prep."), name


def test_the_list_of_public_names_is_complete_and_sorted() -> None:
    assert prep.__all__ == sorted(prep._HOMES)
    assert dir(prep) == prep.__all__


def test_these_names_are_public_and_no_others() -> None:
    assert " ".join(prep.__all__) == (
        "Advance BalanceError CleanOptions Convention Destination Estimate Exchange Fate Field Finding "
        "FolderError HeaderError InputError Job Marketo MarketoError OutcomeUnknownError PrepError Prepared "
        "Query Reason Run Sandbox Schema SchemaError SettingsError SourceError TerminalError "
        "TransientError clean load_schema prepare preview purge read reconcile retry settle submit"
    )


def test_no_submodule_bears_the_name_of_a_public_function() -> None:
    modules = {module.name for module in pkgutil.iter_modules(prep.__path__)}
    assert modules & set(prep.__all__) == set()


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(prep, "nothing")
