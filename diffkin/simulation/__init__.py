"""Everything that touches PyBullet: worlds, robots in them, checks against Bullet, position control, pictures."""
