"""Front ends: models of other tools as graphs."""
