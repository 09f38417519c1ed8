"""The public names: all there, each with its errors, and what is promised of them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules, walk_packages

import numpy as np
import pytest

import bshm
from bshm import errors
from bshm.cli import main
from bshm.types import Picture, Run

NAMES = {
    *("Corrections", "Edit", "Limits", "Matte", "MatteOptions", "Matting", "Painter", "Picture", "Run", "Stroke"),
    *("__version__", "matte"),
}


def tree(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


def test_the_public_names_are_these_and_the_errors() -> None:
    assert set(bshm.__all__) == NAMES | set(errors.__all__)
    assert all(getattr(bshm, name) is not None for name in bshm.__all__)


@pytest.mark.parametrize("package", ["bshm", "bshm.video"])
def test_no_module_takes_the_place_of_a_public_name(package: str) -> None:
    # Importing a module sets it as an attribute of its package, over a function of the same name.
    module = import_module(package)
    modules = {found.name for found in iter_modules(module.__path__)}
    assert modules and not modules & set(module.__all__)


def test_every_error_is_public_and_drawn_at_the_top_of_its_file() -> None:
    classes = {
        name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, errors.BshmError)
    }
    assert classes == set(errors.__all__)
    drawn = (errors.__doc__ or "").split("BshmError", 1)[1]
    assert {name for name in classes - {"BshmError"} if f"── {name}" not in drawn} == set()


def test_the_whole_tree_is_in_one_file_but_for_what_only_the_service_says() -> None:
    for each in walk_packages(bshm.__path__, "bshm."):
        if each.name.split(".")[1] in ("server", "edit", "files", "net", "matting", "bulk", "concurrency", "weights"):
            import_module(each.name)
    elsewhere = {
        kind
        for kind in tree(errors.BshmError)
        if kind.__module__ != errors.__name__ and not kind.__module__.startswith("bshm.server.")
    }
    assert {kind for kind in elsewhere if kind.__module__.startswith("bshm.")} == set()


def test_python_speaks_of_options_and_the_command_line_of_flags(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(bshm.OptionError) as caught:
        bshm.Edit(quality=0)
    assert str(caught.value) == "quality takes 1 to 100; got 0."
    assert main(["matte", "a.jpg", "--quality", "0"]) == 2
    assert capsys.readouterr().err == "bshm: --quality takes 1 to 100; got 0.\n"


def test_an_error_can_be_pickled_with_the_names_in_it() -> None:
    error = errors.RegionError(f"{errors.option('region')}: it is empty.", empty=True)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.option, again.empty) == ("region: it is empty.", "region", True)
    assert again.told(lambda name: f"--{name}") == "--region: it is empty."


def test_an_error_of_python_itself_shows_what_it_always_did() -> None:
    error = errors.OutputError("cannot be written.")
    assert isinstance(error, OSError) and str(error) == "cannot be written." and error.args == ("cannot be written.",)
    assert str(errors.BshmError()) == "" and errors.BshmError().option is None
    assert errors.QueueFullError("full", retry_after_s=7).retry_after_s == 7


@pytest.mark.usefixtures("fake")
def test_matting_is_closed_at_the_end_of_its_block() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    with bshm.Matting() as matting:
        assert matting.matte(picture).is_empty
    with pytest.raises(bshm.MattingClosedError, match="Open a new one"):
        matting.matte(picture)
    matting.close()


@pytest.mark.parametrize("again", [copy.deepcopy, copy.copy, lambda matte: pickle.loads(pickle.dumps(matte))])
def test_a_matte_can_be_copied_and_pickled(again: object) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    alpha = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    before = bshm.Matte(Picture(pixels, name="a.png"), alpha, pixels, Run("m", "s", "cpu", {"mask": 1.5}))
    after = again(before)  # type: ignore[operator]
    assert isinstance(after, bshm.Matte) and after.picture.name == "a.png"
    assert after.ran == before.ran and dict(after.ran.timings_ms) == {"mask": 1.5}
    np.testing.assert_array_equal(after.cutout(), before.cutout())
    with pytest.raises(TypeError):
        after.ran.timings_ms["mask"] = 2.0  # type: ignore[index]


def test_save_replaces_what_is_there_only_when_told_to(tmp_path: Path) -> None:
    pixels = np.full((4, 4, 3), 9, np.uint8)
    matte = bshm.Matte(Picture(pixels), np.ones((4, 4), np.float32), pixels, Run("m", "s", "cpu"))
    matte.save(tmp_path / "a.png")
    with pytest.raises(bshm.OutputExistsError):
        matte.save(tmp_path / "a.png", bshm.Edit(crop=True))
    matte.save(tmp_path / "a.png", bshm.Edit(background="white"), overwrite=True)


def test_the_format_of_a_file_with_a_name_is_not_left_open(tmp_path: Path) -> None:
    pixels = np.full((4, 4, 3), 9, np.uint8)
    matte = bshm.Matte(Picture(pixels), np.ones((4, 4), np.float32), pixels, Run("m", "s", "cpu"))
    with pytest.raises(bshm.OptionError, match="the suffix decides"):
        matte.save(tmp_path / "a.png", bshm.Edit(format="auto"))
    assert matte.encode(bshm.Edit(format="auto")).startswith(b"\xff\xd8")
    assert not list(tmp_path.iterdir())


def test_a_picture_in_memory_can_lie_behind_an_edit() -> None:
    pixels = np.full((4, 6, 3), 9, np.uint8)
    matte = bshm.Matte(Picture(pixels), np.zeros((4, 6), np.float32), pixels, Run("m", "s", "cpu"))
    wall = np.full((2, 3, 3), 77, np.uint8)
    made = matte.pixels(bshm.Edit(shadow=True), background=wall)
    assert made.shape == (4, 6, 3) and (made == 77).all()
    with pytest.raises(bshm.OptionError, match="opaque"):
        matte.over("#ff000080")
