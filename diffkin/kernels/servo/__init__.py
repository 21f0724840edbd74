"""The kernel of the servo step: one tick of differential inverse kinematics of one link, a problem at a time."""
