"""What the simulated robot can be asked to do: the thing that is to lie in the tray, and the words."""

WORDS = {"egg": "put the egg in the tray", "cube": "put the red cube in the tray"}
