"""What `make twice` says of two builds."""

from __future__ import annotations

from pathlib import Path

from twice import AROUND, differences


def site(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")
    (folder / ".complete").write_text(folder.name)
    return folder


def test_equal_builds_differ_in_nothing(tmp_path: Path) -> None:
    files = {"a": "one", "b_c": "two"}
    assert differences(site(tmp_path / "x", **files), site(tmp_path / "y", **files)) == []


def test_each_difference_is_named_and_shown(tmp_path: Path) -> None:
    long = "s" * 1000
    one = site(tmp_path / "x", a="same", b_c=f"{long}one{long}", left="1")
    other = site(tmp_path / "y", a="same", b_c=f"{long}two{long}", right="1")
    only_left, only_right, changed = differences(one, other)
    assert only_left == f"left: only in {one}"
    assert only_right == f"right: only in {other}"
    assert changed.split("\n    ") == [
        "b/c:",
        *(f"{'s' * AROUND}{word}{'s' * (AROUND - 3)}" for word in ("one", "two")),
    ]
