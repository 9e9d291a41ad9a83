"""The mapping language, its compiler, and the engine that runs the plans."""
