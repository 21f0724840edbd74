"""Inverse kinematics of lists of tasks: residual rows of several links, stacked, over a tree of joints."""
