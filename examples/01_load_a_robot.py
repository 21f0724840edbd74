"""Load a robot and ask where its hand is: forward kinematics.

A robot is a tree of frames. Given one number a joint (an angle, or a length for a slide), forward kinematics says where
each frame is.
"""

import math

import torch

import diffkin as dk

robot = dk.load_robot("planar_2r")  # two links of 0.5 m and 0.4 m; the path of a URDF works as well
print(robot.joint_names, "->", robot.tip)
print("limits [rad]:", robot.lower.tolist(), robot.upper.tolist())

# One configuration: the shoulder turned by 90 degrees, the elbow straight.
q = torch.tensor([math.pi / 2, 0.0], dtype=torch.float64)
T = robot.forward_kinematics(q)  # (4, 4): the pose of the tip in the base
print("tip at", [round(value, 6) for value in T[:3, 3].tolist()])  # both links point along y

# A thousand configurations are one call: whatever stands before the last axis is a batch.
many = robot.sample(1000, seed=0)  # (1000, 2), within the limits
poses = robot.forward_kinematics(many)
print("poses of a batch:", tuple(poses.shape))
print("farthest from the base:", round(float(poses[:, :3, 3].norm(dim=-1).max()), 3), "m")

# Poses of other links, side by side.
links = robot.forward_kinematics(q, links=robot.link_names)
print("links:", dict(zip(robot.link_names, [each.tolist() for each in links[:, :2, 3].round(decimals=3)])))
