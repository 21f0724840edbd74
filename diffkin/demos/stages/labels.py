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
    "target": "目标",
    "path": "路径",
    "target roll": "目标 滚转",
    "target pitch": "目标 俯仰",
    "target yaw": "目标 偏航",
    "the arm follows its target": "机械臂跟随目标",
    "a network proposes, one descent refines": "网络给出初值，一次下降精修",
    "two solvers race": "两个求解器比赛",
    "circle": "圆",
    "lissajous": "李萨如曲线",
    "random": "随机",
    "solver": "求解器",
    "how to go downhill": "怎样下降",
    "of the arm in its own colours": "本色机械臂所用",
    "of the blue arm": "蓝色机械臂所用",
    "rival": "对手",
    "solution": "解",
    "nearest": "最近",
    "any": "任一",
    "the one near the arm, or whichever is found first": "离机械臂最近的，或最先找到的",
    "follower": "跟随方式",
    "whole path": "整条路径",
    "pose by pose": "逐个位姿",
    "solved beforehand without a jump, or each pose from the last": "事先整条求解、不跳变，或逐个位姿从上一个解出发",
    "pose by pose: near the arm, or whichever is found first": "逐个位姿时：离机械臂最近的，或最先找到的",
    "joint step": "关节步",
    "continuous answer": "连续解",
    "none found, jumps": "未找到，跳变次数",
    "path solved in": "路径求解用时",
    "all solutions": "全部解",
    "every other solution of the pose, as ghosts": "该位姿的其他每一个解，以虚影画出",
    "solutions": "解的个数",
    "that look different": "其中形状不同",
    "endless": "无穷多",
    "off": "关",
    "on": "开",
    "motion": "运动",
    "placed": "直接放置",
    "motors": "电机",
    "put the arm there, or let simulated motors carry it": "直接放到位，或由仿真电机带动",
    "random target": "随机目标",
    "one that the arm can reach": "机械臂够得到的",
    "next target": "下一个目标",
    "do not wait for it": "不等待",
    "targets": "目标来自",
    "along a path, or where the button puts them": "沿路径，或由按钮给出",
    "another answer": "另一个答案",
    "the network draws again, where it can": "网络再抽一次（若可以）",
    "to the posture of the start": "回到起始姿势",
    "to the start of the path": "回到路径起点",
    "count from zero": "重新计数",
    "and count from zero": "并重新计数",
    "rounds a minute": "每分钟圈数",
    "show": "显示",
    "nothing": "无",
    "ellipsoid": "椭球",
    "workspace": "工作空间",
    "both": "两者",
    "how well the tip can move, and where it can be": "末端能怎样运动，能到哪里",
    "success": "成功",
    "position error": "位置误差",
    "rotation error": "旋转误差",
    "solve time": "求解用时",
    "largest joint step": "最大关节步",
    "motors are off by": "电机偏差",
    "Bullet's own IK": "Bullet 自带 IK",
    "  rotation": "  旋转",
    "  within limits": "  在限位内",
    "  time": "  用时",
    "rival success": "对手 成功",
    "rival position error": "对手 位置误差",
    "rival rotation error": "对手 旋转误差",
    "rival solve time": "对手 求解用时",
    "network": "网络",
    "its position error": "它的位置误差",
    "its rotation error": "它的旋转误差",
    "after one descent": "一次下降之后",
    "solved": "已解",
    "reset": "复位",
    "to the middle of all ranges": "回到各关节行程的中点",
    "tip x": "末端 x",
    "tip y": "末端 y",
    "tip z": "末端 z",
    "manipulability": "可操作度",
    "yes": "是",
    "no": "否",
}
