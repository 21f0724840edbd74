"""What controls and readings are called in other languages than English."""

from __future__ import annotations

from diffkin.errors import closest

__all__ = ["LANGUAGES", "check_language", "label"]

LANGUAGES = ("en", "zh")
"""The languages of the browser's panel."""


def check_language(language: str) -> str:
    """The language, or an error that names those there are."""
    if language not in LANGUAGES:
        raise closest(language, LANGUAGES, "language")
    return language


def label(text: str, language: str) -> str:
    """A text of a demo in a language: as a whole, else by the longest beginning that is known, else as it is."""
    if language == "en" or not text:
        return text
    if text in _CHINESE:
        return _CHINESE[text]
    first, mark, rest = text.partition(": ")
    if mark:  # a title: the robot, and what is played with it
        return f"{_CHINESE.get(first, first)}{mark}{label(rest, language)}"
    for cut in range(len(text) - 1, 0, -1):  # the longest beginning that is known
        if text[cut] == " " and text[:cut] in _CHINESE:
            return f"{_CHINESE[text[:cut]]}{text[cut:]}"
    return text


_CHINESE: dict[str, str] = {
    # headings and titles
    "attitude": "姿态",
    "gimbal lock": "万向锁",
    "joints": "关节",
    "move the joints": "转动关节",
    "flight": "飞行",
    "track the car": "跟踪小车",
    "fixed_wing": "固定翼",
    "quadrotor": "四旋翼",
    # controls of the aircraft
    "1 X roll": "1 X 滚转",
    "1 Y pitch": "1 Y 俯仰",
    "1 Z yaw": "1 Z 偏航",
    "2 X roll": "2 X 滚转",
    "2 Y pitch": "2 Y 俯仰",
    "2 Z yaw": "2 Z 偏航",
    "3 X roll": "3 X 滚转",
    "3 Y pitch": "3 Y 俯仰",
    "3 Z yaw": "3 Z 偏航",
    "1 x roll": "1 x 滚转",
    "1 y pitch": "1 y 俯仰",
    "1 z yaw": "1 z 偏航",
    "2 x roll": "2 x 滚转",
    "2 y pitch": "2 y 俯仰",
    "2 z yaw": "2 z 偏航",
    "3 x roll": "3 x 滚转",
    "3 y pitch": "3 y 俯仰",
    "3 z yaw": "3 z 偏航",
    "level": "回平",
    "all angles to zero": "三个角归零",
    "sweep": "演示",
    "into gimbal lock and out": "进入并离开万向锁",
    "bank": "坡度",
    "car speed": "车速",
    "drive": "行驶",
    "the car drives on where it was dragged to": "小车重新上路",
    "car": "小车",
    "controller": "控制律",
    "the law that turns the aircraft": "使飞机转动的控制律",
    "next attitude": "下一个姿态",
    "do not wait for the next one": "不等待，立即给出",
    # readings of the aircraft
    "yaw": "偏航",
    "pitch": "俯仰",
    "roll": "滚转",
    "turn from level": "偏离水平",
    "axes 1 and 3 apart": "第一、三轴夹角",
    "locked": "锁住",
    "there and back": "往返误差",
    "on target": "对准目标",
    "pointing error": "指向误差",
    "miss at the car": "小车处偏差",
    "limit margin": "限位余量",
    "iterations": "迭代次数",
    "time": "用时",
    "bank now": "当前坡度",
    "pitch now": "当前俯仰",
    "flown by": "动力学",
    "diffkin (PyBullet is not installed)": "diffkin（未安装 PyBullet）",
    "to the attitude": "距目标姿态",
    "turn rate": "角速度",
    "torque": "力矩",
    "ghost apart": "与虚影之差",
    "ghost at most": "最大之差",
    "reached": "已到达",
    # the arm
    "reset": "复位",
    "to the middle of all ranges": "回到各关节行程的中点",
    "tip x": "末端 x",
    "tip y": "末端 y",
    "tip z": "末端 z",
    "manipulability": "可操作度",
    "yes": "是",
    "no": "否",
}
