"""Where demos play: PyBullet's window, a film, a web page. No stage knows kinematics, no demo knows its stage."""
