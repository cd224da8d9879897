"""What every package may use: folders, files, outputs, progress. Nothing of learning rates."""
