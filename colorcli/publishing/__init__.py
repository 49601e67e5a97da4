"""Publishing weights: the model card and the release on the Hugging Face Hub."""
