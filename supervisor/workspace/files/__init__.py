"""ReadFile, WriteFile and Find, as the worker carries them out."""
