"""Color over time: shots, optical flow, key frames, corrected frames and stable chroma."""
