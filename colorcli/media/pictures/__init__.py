"""Picture files in and out, with their metadata, profiles, depth, alpha and pages."""
