"""Everything that touches PyBullet: worlds, robots in them, checks against Bullet, position control, pictures.

PyBullet itself is imported where a world is opened. ``fly_policy`` needs the learning extra and stays in
``diffkin.simulation.policy_flights``.
"""

from diffkin.simulation.airframes import (
    AirframeReport,
    BulletAirframe,
    compare_airframe,
    measure_pointing,
    open_airframe,
    picture,
)
from diffkin.simulation.bullet_robot import BulletRobot, load, to_pose
from diffkin.simulation.checks import (
    BulletIK,
    BulletReport,
    bullet_ik,
    check_solutions,
    compare_jacobians,
    compare_poses,
    pose_difference,
    read_back,
)
from diffkin.simulation.flights import Flight, fly
from diffkin.simulation.free_bodies import (
    BULLET_DAMPING,
    compare_bullet_integrator,
    compare_integrators,
    difference_ratio,
    step_free_bodies,
)
from diffkin.simulation.library import bullet, display_problem, is_installed
from diffkin.simulation.live_flight import LiveFlight
from diffkin.simulation.motors import Arrival, drive_to
from diffkin.simulation.pictures import (
    Camera,
    add_floor,
    add_frame,
    fitted,
    frame_camera,
    render,
    render_robot,
    render_solutions,
)
from diffkin.simulation.played_paths import PlayedPath, play_path, show_path
from diffkin.simulation.simulated_arms import (
    ArmErrors,
    MeasurementNoise,
    SimulatedArm,
    SimulatedArms,
    compare_calibrated_file,
    make_arm,
    random_errors,
    spoil,
)
from diffkin.simulation.window import run_in_window, show_solutions
from diffkin.simulation.world import GRAVITY, TIME_STEP, open_world

__all__ = [
    "AirframeReport",
    "ArmErrors",
    "Arrival",
    "BULLET_DAMPING",
    "BulletAirframe",
    "BulletIK",
    "BulletReport",
    "BulletRobot",
    "Camera",
    "Flight",
    "GRAVITY",
    "LiveFlight",
    "MeasurementNoise",
    "PlayedPath",
    "SimulatedArm",
    "SimulatedArms",
    "TIME_STEP",
    "add_floor",
    "add_frame",
    "bullet",
    "bullet_ik",
    "check_solutions",
    "compare_airframe",
    "compare_calibrated_file",
    "compare_bullet_integrator",
    "compare_integrators",
    "compare_jacobians",
    "compare_poses",
    "difference_ratio",
    "display_problem",
    "drive_to",
    "fitted",
    "fly",
    "frame_camera",
    "is_installed",
    "load",
    "make_arm",
    "measure_pointing",
    "open_airframe",
    "open_world",
    "picture",
    "play_path",
    "pose_difference",
    "random_errors",
    "read_back",
    "render",
    "render_robot",
    "render_solutions",
    "run_in_window",
    "show_path",
    "show_solutions",
    "spoil",
    "step_free_bodies",
    "to_pose",
]
