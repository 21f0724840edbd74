"""Model files that cannot be: each is refused at once, by an error of diffkin that names what was given."""

from __future__ import annotations

import importlib.metadata
import io
import os
from pathlib import Path

import pytest
import torch

from diffkin.errors import ModelFileError
from diffkin.robot import Robot, load_robot
from diffkin.robot.xml import MAX_BYTES, find_file, numbers, open_document

ONE_LINK = '<robot name="r"><link name="a"/></robot>'
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE robot [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefghi", "bcdefghij"))
    + ']><robot name="&j;"><link name="&j;"/></robot>'
)


def write(folder: Path, content: str | bytes, name: str = "model.urdf") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


LOADERS = [Robot.from_urdf, Robot.from_mjcf, load_robot]


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (bytes(range(256)) * 40, "not well-formed"),
        (b"\x7fELF\x02\x01\x01" + bytes(200), "not well-formed"),
        (b"<robot", "not well-formed"),
        (b"<robot><link name='a'></robot>", "not well-formed"),
        (b"<robot/><robot/>", "not well-formed"),
        (b"just words", "not well-formed"),
        (b"<sdf><model/></sdf>", "<sdf>, expected <"),
        (BOMB.encode(), "DOCTYPE"),
        (BOMB.encode("utf-16"), "DOCTYPE"),
    ],
)
def test_rubbish_is_refused(tmp_path: Path, load, content: bytes, said: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ModelFileError, match=said) as caught:
        load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        '<!DOCTYPE robot><robot name="r"><link name="a"/></robot>',
        '<!DOCTYPE robot SYSTEM "http://localhost:9/robot.dtd"><robot name="r"><link name="a"/></robot>',
    ],
)
def test_document_types_are_refused_in_text(load, text: str) -> None:
    with pytest.raises(ModelFileError, match="DOCTYPE"):
        load(text)


@pytest.mark.parametrize("load", LOADERS)
def test_external_entities_read_nothing(tmp_path: Path, load) -> None:
    secret = write(tmp_path, "do not read me", "secret.txt")
    for where in (secret.as_uri(), str(secret)):
        for use in ('<robot name="r"><link name="a"/>&x;</robot>', '<mujoco model="m">&x;</mujoco>'):
            before = os.stat(secret).st_atime_ns
            with pytest.raises(ModelFileError, match="DOCTYPE") as caught:
                load(f'<!DOCTYPE r [<!ENTITY x SYSTEM "{where}">]>{use}')
            assert "do not read me" not in str(caught.value)
            assert os.stat(secret).st_atime_ns == before


def test_missing_files_folders_and_devices_are_refused(tmp_path: Path) -> None:
    for path, said in [
        (tmp_path / "nothing.urdf", "no model file"),
        (tmp_path, "folder"),
        ("/dev/zero", "not a regular file"),
        ("", "empty"),
        ("a\0b.urdf", "no model file"),
        ("x" * 5000, "no model file"),
        ("package://no_such_package/robot.urdf", "ROS_PACKAGE_PATH"),
    ]:
        with pytest.raises(ModelFileError, match=said):
            Robot.from_urdf(path)
    for path in (None, 3, b"robot.urdf"):
        with pytest.raises(ModelFileError, match="path"):
            Robot.from_urdf(path)


def test_huge_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.urdf"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse: takes no room
    with pytest.raises(ModelFileError, match="bytes"):
        Robot.from_urdf(path)


def test_deeply_nested_files_are_refused() -> None:
    deep = "<robot name='r'>" + "<a>" * 100_000 + "</a>" * 100_000 + "</robot>"
    with pytest.raises(ModelFileError, match="nested deeper than 500"):
        Robot.from_urdf(deep)


def test_a_model_may_be_a_chain_of_hundreds_of_bodies() -> None:
    body = "<body pos='0 0 1'><joint/><geom size='.1'/>"
    robot = Robot.from_mjcf(f"<mujoco><worldbody>{body * 300}{'</body>' * 300}</worldbody></mujoco>")
    assert robot.dof == 300
    assert robot.forward_kinematics(torch.zeros(300, dtype=torch.float64))[2, 3] == 300.0


def test_files_for_another_loader_say_which_one() -> None:
    with pytest.raises(ModelFileError, match="from_mjcf"):
        Robot.from_urdf("<mujoco/>")
    with pytest.raises(ModelFileError, match="from_urdf"):
        Robot.from_mjcf(ONE_LINK)


@pytest.mark.parametrize(
    "text",
    [
        ONE_LINK,
        '\ufeff<?xml version="1.0" encoding="iso-8859-1"?>' + ONE_LINK,
        "\n  " + ONE_LINK,
        '\n \t<?xml version="1.0"?>' + ONE_LINK,
        ONE_LINK + "\0",
        ONE_LINK + "\n\0\0 \n",
        '<robot name="r" xmlns="http://www.ros.org"><link name="a"/></robot>',
        '<robot name="r" xmlns="http://www.ros.org" xmlns:g="http://gazebo"><g:x/><link name="a"/></robot>',
        "<!-- a comment -->" + ONE_LINK,
        '<robot name="r"><sensor:ray/><link name="a"/></robot>',  # a prefix without a namespace, as for Gazebo
        '<?xml version="0.0"?>' + ONE_LINK,
    ],
)
def test_what_real_files_have_is_accepted(tmp_path: Path, text: str) -> None:
    assert Robot.from_urdf(text).link_names == ("a",)
    given = (
        [text.encode(), text.encode("utf-16")] if "iso" not in text else [text.lstrip("\ufeff").encode("iso-8859-1")]
    )
    for content in given:
        assert Robot.from_urdf(content).link_names == ("a",)
        path = write(tmp_path, content)
        assert load_robot(path).link_names == ("a",)
        with path.open("rb") as file:
            assert Robot.from_urdf(file).link_names == ("a",)
    with (tmp_path / "text.urdf").open("w+", encoding="utf-8") as file:
        file.write(text)
        file.seek(0)
        assert load_robot(file).link_names == ("a",)


def test_bytes_and_open_files_keep_their_text_as_source(tmp_path: Path) -> None:
    for model in (
        ONE_LINK.encode(),
        bytearray(ONE_LINK.encode()),
        io.StringIO(ONE_LINK),
        io.BytesIO(ONE_LINK.encode()),
    ):
        robot = load_robot(model)
        assert robot.source == ONE_LINK
        assert Robot.from_urdf(robot.source).link_names == ("a",)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xff\xfe\xfd<robot/>")
    closed = path.open("rb")
    closed.close()
    with path.open("ab") as writing, path.open(encoding="ascii") as wrong:
        for file in (closed, writing, wrong):
            with pytest.raises(ModelFileError, match="Cannot read"):
                Robot.from_urdf(file)

    class Strange:
        def read(self, count: int) -> int:
            return count

    with pytest.raises(ModelFileError, match="gave int"):
        Robot.from_urdf(Strange())


def test_simulators_own_formats_are_named() -> None:
    with pytest.raises(ModelFileError, match="SDF is not supported"):
        load_robot('<sdf version="1.6"><model name="m"/></sdf>')


def test_names_keep_their_letters(tmp_path: Path) -> None:
    text = '<?xml version="1.0" encoding="{}"?><robot name="r"><link name="größe"/></robot>'
    assert Robot.from_urdf(text.format("iso-8859-1")).link_names == ("größe",)
    for encoding in ("utf-8", "iso-8859-1", "utf-16"):
        path = write(tmp_path, text.format(encoding).encode(encoding))
        assert Robot.from_urdf(path).link_names == ("größe",)


def test_source_is_what_a_simulator_can_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, ONE_LINK)
    monkeypatch.chdir(tmp_path)
    assert Robot.from_urdf("model.urdf").source == str(path)
    assert Robot.from_urdf(Path("model.urdf")).source == str(path)
    assert Robot.from_urdf(ONE_LINK).source == ONE_LINK


def test_packages_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ros, ament = tmp_path / "ros", tmp_path / "ament"
    (ros / "my_robot" / "urdf").mkdir(parents=True)
    (ament / "share" / "other_robot").mkdir(parents=True)
    first = write(ros / "my_robot" / "urdf", ONE_LINK)
    second = write(ament / "share" / "other_robot", ONE_LINK)
    for entry in (ros, ros / "my_robot"):
        monkeypatch.setenv("ROS_PACKAGE_PATH", os.pathsep.join(["/nowhere", str(entry)]))
        assert find_file("package://my_robot/urdf/model.urdf") == first
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(ament))
    assert find_file("package://other_robot/model.urdf") == second
    with pytest.raises(ModelFileError, match="other_robot"):
        find_file("package://other_robot/absent.urdf")


@pytest.mark.parametrize("name", ["example-robot-data/robots/panda_description", "panda_description"])
def test_example_robots_are_found_as_packages(name: str) -> None:
    importlib.metadata.distribution("example-robot-data")  # the test is skipped where it is not installed
    robot = load_robot(f"package://{name}/urdf/panda.urdf", tip="panda_hand_tcp")
    assert robot.dof == 7


def test_numbers() -> None:
    assert numbers(" 1  -2.5e-3\n.5 ", 3, "x").tolist() == [1.0, -0.0025, 0.5]
    for text, said in [
        ("1 2", "holds 2 numbers"),
        ("1 2 3 4", "holds 4 numbers"),
        ("", "holds 0 numbers"),
        ("1 2 nan", "finite"),
        ("1 -inf 2", "finite"),
        ("1 Infinity 2", "finite"),
        ("1 1e999 2", "finite"),
        ("1 2,5 3", "no number"),
        ("1 1_0 3", "no number"),
        ("1 ${pi} 3", "no number"),
        ("1 0x10 3", "no number"),
        ("1 ١ 3", "no number"),
    ]:
        with pytest.raises(ModelFileError, match=said):
            numbers(text, 3, "x")


def test_document_knows_whether_it_is_text(tmp_path: Path) -> None:
    assert open_document(ONE_LINK, "robot").is_text
    assert not open_document(write(tmp_path, ONE_LINK), "robot").is_text
