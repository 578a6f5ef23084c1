"""The machine: clocks, processes, logs, files. Only this layer reads a clock, touches a file, a signal or a process."""
