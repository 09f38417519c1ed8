"""Settings by flag, environment and file; keys by file; statuses by error."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from bshm import errors
from bshm.cli import main
from bshm.cli.serve import GROUPS, parser
from bshm.errors import BshmError, OptionError
from bshm.server import refusals, statuses
from bshm.server.answers import FieldError
from bshm.server.keys import Keys
from bshm.server.rates import Rates, units_of
from bshm.server.refusals import RateLimitError
from bshm.server.settings import Settings, load

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_flag_wins_over_the_environment_that_over_the_file_that_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load().port == 8000
    Path("bshm.toml").write_text("[server]\nport = 1\nqueue = 7\n", encoding="utf-8")
    assert (load().port, load().queue) == (1, 7)
    monkeypatch.setenv("BSHM_PORT", "2")
    assert (load().port, load().queue) == (2, 7)
    assert load({"port": "3"}).port == 3
    Path("other.toml").write_text("[server]\nqueue = 9\n", encoding="utf-8")
    assert load(config=Path("other.toml")).queue == 9


def test_every_setting_is_a_flag_and_every_flag_a_setting() -> None:
    flags = {action.dest for action in parser()._actions} - {"help", "config"}
    assert flags == set(Settings.model_fields)
    grouped = [name for names in GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped)) and set(grouped) <= set(Settings.model_fields)
    assert all(action.default is None for action in parser()._actions if action.dest in flags)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[server]\nprot = 1", "prot"),
        ("[server]\nport = 'x'", "--port"),
        ("[server", "cannot be read"),
        ("server = 1", "[server]"),
    ],
)
def test_a_wrong_file_is_explained(text: str, told: str) -> None:
    Path("bshm.toml").write_text(text, encoding="utf-8")
    with pytest.raises(OptionError) as caught:
        load()
    assert told in str(caught.value)


def test_a_file_of_settings_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        load(config=tmp_path / "none.toml")
    assert str(caught.value).count("none.toml") == 1


def test_words_are_split_and_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BSHM_CORS_ORIGINS", "https://a.example, https://b.example")
    settings = load({"webhook_secret": "topsecret"})
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert "topsecret" not in repr(settings)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["serve", "--port", "x"], 2),
        (["serve", "--host", "0.0.0.0"], 2),
        (["serve", "--cache", "nowhere"], 2),
        (["serve", "--config", "none.toml"], 2),
        (["serve", "--broker", "embedded", "--results", "redis://127.0.0.1/0"], 2),
        (["serve", "--model", "none-such"], 13),
        (["serve", "--device", "cuda"], 14),
    ],
)
def test_a_start_that_cannot_be_has_its_exit_code(
    words: list[str], code: int, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    assert main([*words, *([] if "--port" in words else ["--port", "0"])]) == code
    told = capsys.readouterr().err
    assert "Traceback" not in told


def test_keys_are_shown_once_and_kept_as_hashes(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    assert main(["keys", "add", "shop", "--keys-file", str(path)]) == 0
    secret = capsys.readouterr().out.strip()
    assert secret.startswith("bshm_") and secret not in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Keys(path).find(secret) is not None and Keys(path).find(secret + "x") is None
    main(["keys", "list", "--keys-file", str(path)])
    told = capsys.readouterr().out
    assert "shop" in told and secret not in told
    main(["keys", "list", "--json", "--keys-file", str(path)])
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["name"] == "shop" and "sha256" not in entry
    assert main(["keys", "revoke", "shop", "--keys-file", str(path)]) == 0
    assert Keys(path).find(secret) is None


@pytest.mark.parametrize("words", [["add"], ["add", ""], ["add", "a/b"], ["revoke", "nobody"], ["list", "x"], ["make"]])
def test_keys_says_what_is_wrong(words: list[str], tmp_path: Path) -> None:
    assert main(["keys", *words, "--keys-file", str(tmp_path / "keys.json")]) == 2


def test_a_damaged_file_of_keys_closes_the_service(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(OptionError, match="not a valid file of keys"):
        Keys(path).find("x")


def _all(kind: type[BshmError]) -> list[type[BshmError]]:
    return [kind, *(each for below in kind.__subclasses__() for each in _all(below))]


def test_every_error_has_a_status() -> None:
    for kind in _all(BshmError):
        if not kind.__module__.startswith("bshm.") or kind in (BshmError, refusals.Refusal):
            continue
        error = kind({"field": "fault"}) if kind is FieldError else kind("x")
        answer = statuses.answer_to(error)
        assert 400 <= answer.status < 600 and answer is not statuses.BUG, kind
        # What is the machine's fault may name its files and addresses.
        if issubclass(kind, errors.EnvironmentFault) and kind not in (
            errors.MemoryExhaustedError,
            errors.QueueFullError,
            errors.QueueShareError,
        ):
            assert answer.detail is not None, kind


def test_what_may_go_better_later_says_when() -> None:
    assert statuses.retry_after_s(errors.QueueFullError("x", retry_after_s=2.5)) == 3
    assert statuses.retry_after_s(refusals.TooBusyError("x", retry_after_s=0.1)) == 1
    assert statuses.retry_after_s(errors.OptionError("x")) is None


def test_rates_count_by_the_minute_and_by_the_caller() -> None:
    now = 1000.0
    rates = Rates(3, clock=lambda: now)

    def remaining(caller: str, units: int) -> Any:
        rate = rates.charge(caller, units)
        return None if rate is None else rate.remaining

    assert [remaining("a", 1), remaining("a", 2), remaining("b", 1)] == [2, 0, 2]
    with pytest.raises(RateLimitError) as caught:
        rates.charge("a", 1)
    assert caught.value.retry_after_s == pytest.approx(60)
    now += 61
    assert remaining("a", 50) == 0  # larger than any minute, so a fresh one lets it pass
    assert Rates(0).charge("a", 1) is None
    assert [units_of(pixels) for pixels in (0, 1, 1_000_000, 1_000_001)] == [1, 1, 1, 2]


def test_callers_are_forgotten_before_they_fill_the_memory() -> None:
    rates = Rates(3)
    for number in range(10_050):
        rates.charge(str(number), 1)
    assert len(rates._windows) == 10_000


def test_a_setting_by_its_name_of_before_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().jobs_in_flight == 1
    Path("bshm.toml").write_text("[server]\njobs_workers = 2\n", encoding="utf-8")
    assert load().jobs_in_flight == 2
    monkeypatch.setenv("BSHM_JOBS_WORKERS", "3")
    assert load().jobs_in_flight == 3
    monkeypatch.setenv("BSHM_JOBS_IN_FLIGHT", "4")
    assert load().jobs_in_flight == 4
    assert parser().parse_args(["--jobs-workers", "5"]).jobs_in_flight == "5"


def test_memory_of_a_gpu_is_said_as_people_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load({"gpu_memory_limit": "2G"}).gpu_memory_limit == 2 * 1024**3
    monkeypatch.setenv("BSHM_GPU_MEMORY_LIMIT", "512M")
    assert load().gpu_memory_limit == 512 * 1024**2
    with pytest.raises(OptionError, match=r"--gpu-memory-limit.*2G or 512M"):
        load({"gpu_memory_limit": "much"})
