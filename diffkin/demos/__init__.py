"""Demos that people play with: what is drawn and what each control does, apart from the stage that shows it."""
