"""Calibration: the parameters of a real arm from measured poses."""

from diffkin.calibration.accuracy import held_out_rms, predicted_rms
from diffkin.calibration.design import choose_poses, identifiable, mean_variance
from diffkin.calibration.fit import LOSSES, CalibrationFit, fit_calibration
from diffkin.calibration.identifiability import Blind, unidentifiable
from diffkin.calibration.measurements import KINDS, Measurements, read_measurements, write_measurements
from diffkin.calibration.model import GROUPS, CalibrationModel, calibration_model
from diffkin.calibration.residuals import system
from diffkin.calibration.write_urdf import TOOL_LINK, calibrated_urdf, write_calibrated_urdf

__all__ = [
    "Blind",
    "CalibrationFit",
    "CalibrationModel",
    "GROUPS",
    "KINDS",
    "LOSSES",
    "Measurements",
    "TOOL_LINK",
    "calibrated_urdf",
    "calibration_model",
    "choose_poses",
    "fit_calibration",
    "held_out_rms",
    "identifiable",
    "mean_variance",
    "predicted_rms",
    "read_measurements",
    "system",
    "unidentifiable",
    "write_calibrated_urdf",
    "write_measurements",
]
