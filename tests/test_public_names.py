"""The public surface: what is listed is there, and no submodule takes a public function's name."""

import importlib
import pkgutil

import prep


def test_every_public_name_is_there_after_every_submodule_was_imported() -> None:
    for module in pkgutil.walk_packages(prep.__path__, "prep."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in prep.__all__:
        public = getattr(prep, name)
        assert callable(public), name
        assert public.__module__.startswith("prep."), name


def test_the_list_of_public_names_is_complete_and_sorted() -> None:
    assert prep.__all__ == sorted(prep._HOMES)
    assert dir(prep) == prep.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(prep, "nothing")
