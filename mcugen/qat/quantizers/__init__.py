"""Weight quantisers beyond the plain ones of weights.py, one file each."""
