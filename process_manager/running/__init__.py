"""The instances of a process as this process runs them: triggers in, commands out, timers."""
