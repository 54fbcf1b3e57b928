"""The `headframe` command: a whole site in the foreground, the simulator and the replay."""
