"""Color over time: shots, optical flow, key frames, references and stable chroma."""
