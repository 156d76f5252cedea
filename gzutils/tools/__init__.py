"""What serves all rooms: files and records, progress, processes, and the engine that runs Keras."""
